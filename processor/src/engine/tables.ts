import type { DuckDBConnection } from "@duckdb/node-api";
import type { TableColumn } from "@cais/spec/api.ts";
import { RECEIVED } from "../contract/select.ts";
import type { Made, Request, SeenFile } from "./messages.ts";
import { sqlName, sqlText } from "./quote.ts";
import { columnsOf, isMismatch, seenSql } from "./seen.ts";
import { about, checkSelect, SqlRefused, tablesRead } from "./select.ts";
import { type Stored, stored, writeFiles } from "./write.ts";

/** What SQL can see in a connection: names in the order in which they came, and what tells `input`'s columns apart. */
interface Visible {
  names: string[];
  input: string;
  tables: Map<string, SeenTable>;
}

/** A table as it was made visible. */
interface SeenTable {
  files: SeenFile[];
  columns: TableColumn[];
  differ: boolean;
}

const visible = new WeakMap<DuckDBConnection, Visible>();

function visibleIn(connection: DuckDBConnection): Visible {
  const known = visible.get(connection) ?? { names: [], input: "", tables: new Map() };
  visible.set(connection, known);
  return known;
}

/** Says that `input` is there. `columns` is a text that is the same for the same columns. */
export function inputIsVisible(connection: DuckDBConnection, columns: string): void {
  const known = visibleIn(connection);
  if (!known.names.includes("input")) known.names.push("input");
  known.input = columns;
}

/**
 * What is known of SQL that was made before. This process serves one stack, whose small files bring the same SQL again and
 * again: to check it and to ask for its columns each time takes as long as to run it.
 */
const prepared = new Map<string, { select: string; readsInputAlone: boolean }>();
const storedSelects = new Map<string, Stored>();

/** An engine's process lasts for long only if it has much to do, and a stack has few tables. */
const MAX_REMEMBERED = 1000;

/** Runs a table's SELECT and writes its rows to Parquet files; then the table is its files before and these. */
export async function makeTable(
  connection: DuckDBConnection,
  { sql, before, ...writing }: Omit<Extract<Request, { do: "table" }>, "do">,
): Promise<Made> {
  const { name, partitionBy = [] } = writing;
  const { select, readsInputAlone } =
    sql === null
      ? { select: `SELECT * FROM ${sqlName(RECEIVED)}`, readsInputAlone: true }
      : await prepare(connection, name, sql);
  // What other tables have may be of other columns each time.
  const key = readsInputAlone ? [visibleIn(connection).input, partitionBy.join("\0"), select].join("\0\0") : undefined;
  const made = await ofTable(name, () =>
    reading(connection, async () => {
      const known = key === undefined ? undefined : storedSelects.get(key);
      const all = known ?? stored(select, await columnsOf(connection, `SELECT * FROM (${select}\n)`), partitionBy);
      if (key !== undefined) remember(storedSelects, key, all);
      return { columns: all.columns, files: await writeFiles(connection, all, writing) };
    }),
  );
  await attachTable(connection, name, [...before, ...made.files], made.columns);
  return made;
}

async function prepare(connection: DuckDBConnection, name: string, sql: string) {
  const { names } = visibleIn(connection);
  const key = `${names.join("\0")}\0\0${sql}`;
  const known = prepared.get(key);
  if (known !== undefined) return known;
  const select = await about(`The SQL of table "${name}"`, () => checkSelect(connection, sql, names));
  const read = await tablesRead(connection, select);
  return remember(prepared, key, { select, readsInputAlone: read.length === 1 && read[0] === "input" });
}

function remember<T>(map: Map<string, T>, key: string, value: T): T {
  if (map.size >= MAX_REMEMBERED) map.clear();
  map.set(key, value);
  return value;
}

/** Does work with the SQL of a table, and says that it was it that failed. */
async function ofTable<T>(name: string, work: () => Promise<T>): Promise<T> {
  const what = `The SQL of table "${name}"`;
  try {
    return await about(what, work);
  } catch (error) {
    if (error instanceof SqlRefused) throw error;
    throw new Error(`${what} failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/**
 * Does work that reads tables. If files of one turn out to lack a column that its first one has, all are read again as files
 * that may differ, which costs a look at each of them.
 */
export async function reading<T>(connection: DuckDBConnection, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const alike = [...visibleIn(connection).tables].filter(([, { differ }]) => !differ);
    if (!isMismatch(error) || alike.length === 0) throw error;
    for (const [name, { files, columns }] of alike) await attachTable(connection, name, files, columns, true);
    return work();
  }
}

/** Makes a table of Parquet files visible to SQL under its name, with its columns, instead of others that were. */
export async function attachTable(
  connection: DuckDBConnection,
  name: string,
  files: SeenFile[],
  columns: TableColumn[],
  mayDiffer = false,
): Promise<null> {
  const { sql, differ } = await seenSql(connection, files, columns, { as: name, differ: mayDiffer });
  await connection.run(`CREATE OR REPLACE TEMP VIEW ${sqlName(name)} AS ${sql}`);
  const { names, tables } = visibleIn(connection);
  tables.set(name, { files, columns, differ });
  if (!names.includes(name)) names.push(name);
  return null;
}

/**
 * Writes a table's file anew with other columns: what it lacks, and what a cell's new type cannot hold, is null. The
 * columns are a table's own, as DuckDB named them.
 */
export async function convert(
  connection: DuckDBConnection,
  { from, columns, ...writing }: Omit<Extract<Request, { do: "convert" }>, "do">,
): Promise<Made> {
  const source = `read_parquet(${sqlText(from)})`;
  const has = new Set((await columnsOf(connection, `SELECT * FROM ${source}`)).map(({ name }) => name));
  const cells = columns.map(
    ({ name, type }) => `TRY_CAST(${has.has(name) ? sqlName(name) : "NULL"} AS ${type}) AS ${sqlName(name)}`,
  );
  const all = stored(`SELECT ${cells.join(", ")} FROM ${source}`, columns, writing.partitionBy);
  return { columns, files: await writeFiles(connection, all, writing) };
}

/** Writes rows of a table's files anew, as one file in their order. Of several partitions it is one each, in no order. */
export async function rewrite(
  connection: DuckDBConnection,
  { columns, files, ...writing }: Omit<Extract<Request, { do: "rewrite" }>, "do">,
): Promise<Made> {
  const { sql } = await seenSql(connection, files, columns, { as: `${writing.name} anew`, differ: true });
  const all = stored(sql, columns, writing.partitionBy);
  return { columns, files: await writeFiles(connection, all, writing) };
}
