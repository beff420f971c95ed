import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { TableColumn } from "@cais/spec/api.ts";
import { z } from "zod";
import { query } from "./duckdb.ts";
import type { Made } from "./messages.ts";
import { sqlName, sqlText, sqlTexts } from "./quote.ts";
import { about, checkSelect, tablesRead } from "./select.ts";

/** What SQL can see in a connection: names in the order in which they came, and what tells `input`'s columns apart. */
interface Visible {
  names: string[];
  input: string;
}

const visible = new WeakMap<DuckDBConnection, Visible>();

function visibleIn(connection: DuckDBConnection): Visible {
  const known = visible.get(connection) ?? { names: [], input: "" };
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
const exactSelects = new Map<string, { select: string; columns: TableColumn[] }>();

/** An engine's process lasts for long only if it has much to do, and a stack has few tables. */
const MAX_REMEMBERED = 1000;

/** Runs a table's SELECT and writes its rows to a Parquet file; then the table is its files before and this one. */
export async function makeTable(
  connection: DuckDBConnection,
  { folder, name, sql, before }: { folder: string; name: string; sql: string; before: string[] },
): Promise<Made> {
  const { select, readsInputAlone } = await prepare(connection, name, sql);
  await mkdir(join(folder, "made"), { recursive: true });
  const file = join(folder, "made", `${name}.parquet`);
  // What other tables have may be of other columns each time.
  const key = readsInputAlone ? `${visibleIn(connection).input}\0${select}` : undefined;
  const known = key === undefined ? undefined : exactSelects.get(key);
  let rows: number;
  let exact: string;
  try {
    exact = known?.select ?? (await withExactSums(connection, select));
    const copied = await connection.runAndReadAll(
      `COPY (${exact}\n) TO ${sqlText(file)} (FORMAT parquet, COMPRESSION zstd)`,
    );
    rows = Number(z.bigint().parse(copied.getRows()[0]?.[0]));
  } catch (error) {
    throw new Error(`The SQL of table "${name}" failed: ${messageOf(error)}`, { cause: error });
  }
  const columns = known?.columns ?? (await columnsOf(connection, `SELECT * FROM read_parquet(${sqlText(file)})`));
  if (key !== undefined) remember(exactSelects, key, { select: exact, columns });
  await attachTable(connection, name, [...before, file]);
  return { columns, rows, file };
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

/**
 * A SELECT whose whole numbers of 128 bits, as sum() gives them, are DECIMAL(38,0). Parquet has no such integer, and DuckDB
 * would write them as DOUBLE (https://duckdb.org/docs/stable/data/parquet/overview); what needs 39 digits fails instead.
 */
async function withExactSums(connection: DuckDBConnection, select: string): Promise<string> {
  const columns = await columnsOf(connection, `SELECT * FROM (${select}\n)`);
  if (!columns.some(({ type }) => type.includes("HUGEINT"))) return select;
  const casts = columns.map(({ name, type }, index) => {
    const cell = type.includes("HUGEINT") ? `c${index}::${type.replaceAll(hugeInteger, "DECIMAL(38,0)")}` : `c${index}`;
    return `${cell} AS ${sqlName(name)}`;
  });
  return `SELECT ${casts.join(", ")} FROM (${select}\n) AS made(${columns.map((_, index) => `c${index}`).join(", ")})`;
}

const hugeInteger = /\bU?HUGEINT\b/g;

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Makes a table of Parquet files visible to SQL under its name, instead of others that were. */
export async function attachTable(connection: DuckDBConnection, name: string, files: string[]): Promise<null> {
  await connection.run(
    `CREATE OR REPLACE TEMP VIEW ${sqlName(name)} AS SELECT * FROM read_parquet(${sqlTexts(files)})`,
  );
  const { names } = visibleIn(connection);
  if (!names.includes(name)) names.push(name);
  return null;
}

/**
 * Writes a table's file anew with other columns: what it lacks, and what a cell's new type cannot hold, is null. The
 * columns are a table's own, as DuckDB named them.
 */
export async function convert(
  connection: DuckDBConnection,
  { from, to, columns }: { from: string; to: string; columns: TableColumn[] },
): Promise<Made> {
  const source = `read_parquet(${sqlText(from)})`;
  const has = new Set((await columnsOf(connection, `SELECT * FROM ${source}`)).map(({ name }) => name));
  const cells = columns.map(
    ({ name, type }) => `TRY_CAST(${has.has(name) ? sqlName(name) : "NULL"} AS ${type}) AS ${sqlName(name)}`,
  );
  await connection.run(
    `COPY (SELECT ${cells.join(", ")} FROM ${source}) TO ${sqlText(to)} (FORMAT parquet, COMPRESSION zstd)`,
  );
  return { columns, rows: await countRows(connection, to), file: to };
}

async function columnsOf(connection: DuckDBConnection, select: string): Promise<TableColumn[]> {
  return (await query(connection, `DESCRIBE ${select}`)).map((column) =>
    TableColumn.parse({ name: column["column_name"], type: column["column_type"] }),
  );
}

async function countRows(connection: DuckDBConnection, file: string): Promise<number> {
  const [count] = await query(connection, `SELECT count(*)::BIGINT AS rows FROM read_parquet(${sqlText(file)})`);
  return Number(z.bigint().parse(count?.["rows"]));
}
