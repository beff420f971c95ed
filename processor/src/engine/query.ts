import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import type { TableColumn } from "@cais/spec/api.ts";
import { z } from "zod";
import { write } from "../sinks/write.ts";
import type { Writes } from "../sinks/writes.ts";
import { query } from "./duckdb.ts";
import type { Answer, Request, Source } from "./messages.ts";
import { sqlName, sqlText } from "./quote.ts";
import { columnsOf } from "./seen.ts";
import { checkSelect, parse, type Part, SqlRefused } from "./select.ts";
import { attachTable, reading } from "./tables.ts";

/** What a table is called in the SQL that runs: no name that a query's own parts can have. */
const nameOf = (index: number) => `table ${index}`;
/** The rows of the answer, and one more if there is one. */
const ANSWER = "rows of the answer";
const SHOWN = "answer";

/** The tables that a query names, each once for each version of it, in their order. */
export async function sourcesOf(connection: DuckDBConnection, sql: string): Promise<Source[]> {
  return (await rewritten(connection, sql)).sources;
}

/** Runs a query over tables, `sourcesOf` it in their order, and writes its first rows to a file. */
export async function answer(
  connection: DuckDBConnection,
  { folder, sql, tables, limit, writes }: Omit<Extract<Request, { do: "answer" }>, "do">,
): Promise<Answer> {
  const { sql: plain } = await rewritten(connection, sql);
  for (const [index, { files, columns }] of tables.entries())
    await attachTable(connection, nameOf(index), files, columns);
  // What runs is checked, and not what it was made of.
  const select = await checkSelect(
    connection,
    plain,
    tables.map((_, index) => nameOf(index)),
  );
  await reading(connection, () =>
    connection.run(`CREATE OR REPLACE TEMP TABLE ${sqlName(ANSWER)} AS SELECT * FROM (${select}\n) LIMIT ${limit + 1}`),
  );
  const [count] = await query(connection, `SELECT count(*)::BIGINT AS rows FROM ${sqlName(ANSWER)}`);
  const more = Number(z.bigint().parse(count?.["rows"])) > limit;
  await connection.run(
    `CREATE OR REPLACE TEMP VIEW ${SHOWN} AS SELECT * FROM ${sqlName(ANSWER)}${more ? ` LIMIT ${limit}` : ""}`,
  );
  const columns = await columnsOf(connection, `SELECT * FROM ${SHOWN}`);
  checkNames(columns, writes, Math.min(Number(z.bigint().parse(count?.["rows"])), limit));
  const written = await write(connection, { table: SHOWN, file: join(folder, `answer.${writes.as}`), writes });
  return { ...written, columns, more };
}

/** Most bytes that names of columns may take in an answer. */
const NAMES_BYTES = 1e9;

/** An object of JSON names its columns, which a query may name as it likes: rows without much in them would fill a disk. */
function checkNames(columns: TableColumn[], writes: Writes, rows: number): void {
  if (writes.as !== "ndjson" || writes.form !== "objects") return;
  const bytes = rows * columns.reduce((sum, { name }) => sum + Buffer.byteLength(JSON.stringify(name)), 0);
  if (bytes > NAMES_BYTES)
    throw new SqlRefused(
      `The names of its columns take ${Math.round(bytes / 1e6).toLocaleString("en")} MB in ${rows.toLocaleString("en")} rows of NDJSON, which is too much; name them shorter, or ask for CSV.`,
    );
}

/**
 * A query with each table that it names, such as inmet, "azure-cost".inmet or inmet AT (VERSION => 3), under a plain name:
 * the engine knows no stacks and no versions. DuckDB's parser takes it apart and puts it together again.
 */
async function rewritten(connection: DuckDBConnection, sql: string): Promise<{ sql: string; sources: Source[] }> {
  const select = sql.replace(/;\s*$/, "");
  const statements = await parse(connection, select, "must be one SELECT statement");
  if (statements.length !== 1)
    throw new SqlRefused(`It must be one SELECT statement, but it has ${statements.length}.`);
  const [row] = await query(connection, `SELECT json_serialize_sql(${sqlText(select)}) AS parsed`);
  const parsed = parseExactly(z.string().parse(row?.["parsed"]));
  const sources: Source[] = [];
  const known = new Map<string, number>();
  changeIn(parsed, new Set(), (part, own) => {
    if (part["type"] !== "BASE_TABLE") return undefined;
    const { catalog_name: catalog, schema_name: stack, table_name: table, alias, at_clause: at } = Named.parse(part);
    if (catalog !== "") throw new SqlRefused(`It reads "${catalog}.${stack}.${table}"; name tables as stack.table.`);
    if (stack === "" && own.has(table.toLowerCase())) return undefined;
    const source: Source = { stack: stack === "" ? null : stack, table, ...momentOf(at) };
    const key = JSON.stringify(source);
    const index = known.get(key) ?? sources.push(source) - 1;
    known.set(key, index);
    return { schema_name: "", table_name: nameOf(index), alias: alias === "" ? table : alias, at_clause: null };
  });
  const [put] = await query(connection, `SELECT json_deserialize_sql(${sqlText(printExactly(parsed))}) AS sql`);
  return { sql: z.string().parse(put?.["sql"]), sources };
}

const Named = z.object({
  catalog_name: z.string(),
  schema_name: z.string(),
  table_name: z.string(),
  alias: z.string(),
  at_clause: z.unknown().optional(),
});

const Constant = z.object({ type: z.literal("VALUE_CONSTANT"), value: z.object({ value: z.string() }) });
const Moment = z.object({
  unit: z.string(),
  // TIMESTAMP '2024-01-31' is a cast of a text.
  expr: z.union([Constant, z.object({ child: Constant }).transform(({ child }) => child)]),
});

/** What AT asks for. */
function momentOf(at: unknown): Pick<Source, "version" | "time"> {
  if (at === undefined || at === null) return { version: null, time: null };
  const { data } = Moment.safeParse(at);
  const said = data?.expr.value.value ?? "";
  const unit = data?.unit.toUpperCase();
  const number = said.startsWith(NUMBER) ? Number(said.slice(NUMBER.length)) : undefined;
  if (unit === "VERSION" && number !== undefined && Number.isSafeInteger(number) && number >= 0)
    return { version: number, time: null };
  const time = new Date(/\d\d:\d\d/.test(said) && !/(Z|[+-]\d\d(:?\d\d)?)$/i.test(said) ? `${said}Z` : said);
  if (unit === "TIMESTAMP" && number === undefined && !Number.isNaN(time.getTime()))
    return { version: null, time: time.toISOString() };
  throw new SqlRefused(
    "AT takes a version or a time as it is, such as AT (VERSION => 3) or AT (TIMESTAMP => '2024-01-31 12:00:00').",
  );
}

/** Stands before a number: some are larger than JavaScript's. A text of the query that has it is refused. */
const NUMBER = "\uE000";

function parseExactly(json: string): Part {
  if (json.includes(NUMBER)) throw new SqlRefused("It holds the character U+E000, which has no meaning; leave it out.");
  const marked = json.replaceAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) =>
    token.startsWith('"') ? token : `"${NUMBER}${token}"`,
  );
  return z.record(z.string(), z.unknown()).parse(JSON.parse(marked));
}

const printExactly = (parsed: Part): string =>
  JSON.stringify(parsed).replaceAll(new RegExp(`"${NUMBER}([^"]*)"`, "g"), "$1");

const CommonTables = z.object({
  cte_map: z.object({ map: z.array(z.object({ key: z.string(), value: z.unknown() })) }),
});
const Recursive = z.object({ query: z.object({ node: z.object({ type: z.literal("RECURSIVE_CTE_NODE") }) }) });

/**
 * Changes parts of a parsed query where they stand, from the outside in. `own` are the names of the query's own parts (WITH)
 * that are seen there, in lower case: each sees those before it, and itself only if it is recursive.
 */
function changeIn(
  value: unknown,
  own: ReadonlySet<string>,
  change: (part: Part, own: ReadonlySet<string>) => Part | undefined,
): void {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) Object.assign(value, change({ ...value }, own));
  let seen = own;
  for (const { key, value: inner } of CommonTables.safeParse(value).data?.cte_map.map ?? []) {
    const after = new Set([...seen, key.toLowerCase()]);
    changeIn(inner, Recursive.safeParse(inner).success ? after : seen, change);
    seen = after;
  }
  for (const [key, inner] of Object.entries(value)) if (key !== "cte_map") changeIn(inner, seen, change);
}
