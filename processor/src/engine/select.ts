import type { DuckDBConnection } from "@duckdb/node-api";
import { z } from "zod";
import { sqlText } from "./quote.ts";

/** SQL of a stack that is not what a stack may say. Its message is for the stack's owner. */
export class SqlRefused extends Error {
  override name = "SqlRefused";
}

/** Table functions that read and change nothing outside the query. Others read files, settings or the engine itself. */
const tableFunctions = new Set(["unnest", "range", "generate_series"]);

/** Functions that tell of the engine or of the machine, or act on it, where a stack's SQL is about rows. */
const engineFunctions =
  /^(current_(setting|query|database|catalog|schema|user|role|connection|transaction).*|getvariable|getenv|json_serialize_plan|version|write_log|txid_current|in_search_path|stats|get_block_size|sleep_ms|nextval|currval|inet_.*|has_.*_privilege|duckdb_.*|pg_(?!typeof$|size_pretty$).*)$/i;

/**
 * Names that a common table must not have: where it cannot be seen, its name would be the engine's own view or a file.
 */
const plainName = /^[\p{L}_][\p{L}\p{N}_]*$/u;
const engineName = /^(duckdb_|pragma_|sqlite_|pg_|information_schema)/i;

const Parsed = z.union([
  z.object({ error: z.literal(true), error_type: z.string(), error_message: z.string() }),
  z.object({ error: z.literal(false), statements: z.array(z.object({ node: z.record(z.string(), z.unknown()) })) }),
]);

/**
 * Checks that a text is exactly one SELECT that reads `tables` only, and gives it without the semicolon at its end.
 * DuckDB's own parser decides, so that what is checked is what runs.
 */
export async function checkSelect(connection: DuckDBConnection, sql: string, tables: string[]): Promise<string> {
  const select = sql.replace(/;\s*$/, "");
  const statements = await parse(connection, select, "must be one SELECT statement");
  const [node] = statements;
  if (node === undefined || statements.length > 1)
    throw new SqlRefused(`It must be one SELECT statement, but it has ${statements.length}.`);
  const known = new Set(tables.map((table) => table.toLowerCase()));
  for (const part of objectsIn(node)) for (const name of commonTables(part)) known.add(checkName(name));
  for (const part of objectsIn(node)) {
    checkSource(part, known, tables);
    checkFunction(part);
  }
  // A text that is a SELECT alone is one in brackets too, unless it ends in what brackets would not close.
  await parse(connection, `SELECT * FROM (${select}\n)`, "must be one SELECT statement with nothing after it");
  return select;
}

/** The tables that a SELECT reads, in lower case, and the names of its own queries; none if it does not parse. */
export async function tablesRead(connection: DuckDBConnection, sql: string): Promise<string[]> {
  const names = new Set<string>();
  try {
    for (const part of objectsIn(await parse(connection, sql, "must be one SELECT statement")))
      if (part["type"] === "BASE_TABLE") names.add(String(part["table_name"]).toLowerCase());
  } catch (error) {
    // The run that makes the table says what is wrong with it.
    if (!(error instanceof SqlRefused)) throw error;
  }
  return [...names];
}

/** Does work with SQL of a stack, and says which SQL it was that is refused. */
export async function about<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SqlRefused) throw new SqlRefused(`${what} is refused: ${error.message}`, { cause: error });
    throw error;
  }
}

/** Checks that a text is exactly one expression over a row's columns: no query, no aggregate over rows, no `*`. */
export async function checkExpression(connection: DuckDBConnection, expression: string): Promise<string> {
  const expected = "must be one SQL expression over the columns";
  const statements = await parse(connection, `SELECT ${expression}\n`, expected);
  await parse(connection, `SELECT (${expression}\n)`, expected);
  const Expression = z.strictObject({
    type: z.literal("SELECT_NODE"),
    select_list: z.tuple([z.looseObject({ alias: z.undefined().optional() })]),
    from_table: z.looseObject({ type: z.literal("EMPTY") }),
    aggregate_handling: z.literal("STANDARD_HANDLING"),
  });
  const [node] = statements;
  if (statements.length !== 1 || !Expression.safeParse(node).success) throw new SqlRefused(`It ${expected}.`);
  for (const part of objectsIn(node)) {
    const kind = part["class"];
    if (kind === "SUBQUERY" || kind === "STAR" || kind === "WINDOW")
      throw new SqlRefused(`It ${expected}: a ${kind.toLowerCase()} is more than that.`);
    checkFunction(part);
  }
  return expression;
}

/** A text's statements as DuckDB's parser has them; throws SqlRefused, which says what was expected, if it does not parse. */
export async function parse(connection: DuckDBConnection, sql: string, expected: string): Promise<Part[]> {
  const [row] = (
    await connection.runAndReadAll(
      `SELECT json_serialize_sql(${sqlText(sql)}, skip_null := true, skip_empty := true) AS parsed`,
    )
  ).getRowObjects();
  const parsed = Parsed.parse(JSON.parse(String(row?.["parsed"])));
  if (!parsed.error) return parsed.statements.map(({ node }) => node);
  // "not implemented" is DuckDB's word for every statement that is no SELECT.
  throw new SqlRefused(
    parsed.error_type === "not implemented" ? `It ${expected}.` : `It ${expected}. ${parsed.error_message}`,
  );
}

/** A part of a parsed query. */
export type Part = Record<string, unknown>;

/** All parts of a parsed query, from the outside in. */
export function* objectsIn(value: unknown): Generator<Part> {
  if (Array.isArray(value)) for (const item of value) yield* objectsIn(item);
  else if (typeof value === "object" && value !== null) {
    const part: Part = { ...value };
    yield part;
    for (const item of Object.values(part)) yield* objectsIn(item);
  }
}

const CommonTables = z.object({ cte_map: z.object({ map: z.array(z.object({ key: z.string() })) }) });

/** The names of a part's own queries (WITH). */
function commonTables(part: Part): string[] {
  const { data } = CommonTables.safeParse(part);
  return data?.cte_map.map.map(({ key }) => key) ?? [];
}

function checkName(name: string): string {
  if (!plainName.test(name) || engineName.test(name))
    throw new SqlRefused(
      `It calls a query "${name}" (WITH); use letters, digits and _ alone, and do not begin with duckdb_, pragma_, sqlite_, pg_ or information_schema.`,
    );
  return name.toLowerCase();
}

function checkFunction(part: Part): void {
  const name = part["function_name"];
  if (typeof name === "string" && engineFunctions.test(name))
    throw new SqlRefused(`It calls ${name}(), which is about the engine and not about rows; leave it out.`);
}

function checkSource(part: Part, known: Set<string>, tables: string[]): void {
  if (part["type"] === "SHOW_REF")
    throw new SqlRefused("It must be one SELECT statement, not SHOW, DESCRIBE or SUMMARIZE.");
  if (part["type"] === "BASE_TABLE") {
    const name = String(part["table_name"]);
    if (part["schema_name"] !== undefined || part["catalog_name"] !== undefined || !known.has(name.toLowerCase()))
      throw new SqlRefused(`It reads "${name}", but it sees ${tables.join(", ")} only.`);
    if (part["at_clause"] !== undefined)
      throw new SqlRefused(`It reads "${name}" AT a version, but a table is made of others as they are; leave it out.`);
  }
  if (part["type"] === "TABLE_FUNCTION") {
    const name = z.object({ function: z.object({ function_name: z.string() }) }).parse(part).function.function_name;
    if (!tableFunctions.has(name.toLowerCase()))
      throw new SqlRefused(`It calls ${name}() as a table, but may call ${[...tableFunctions].join(", ")} only.`);
  }
}
