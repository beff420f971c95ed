import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { TableColumn } from "@cais/spec/api.ts";
import { z } from "zod";
import { csvCopy } from "../sinks/csv/index.ts";
import { query } from "./duckdb.ts";
import type { Made, Written } from "./messages.ts";
import { sqlName, sqlText, sqlTexts } from "./quote.ts";
import { about, checkSelect } from "./select.ts";

/** Runs a table's SELECT and writes its rows to a Parquet file; then the table is its files before and this one. */
export async function makeTable(
  connection: DuckDBConnection,
  { folder, name, sql, before }: { folder: string; name: string; sql: string; before: string[] },
): Promise<Made> {
  const select = await about(`The SQL of table "${name}"`, async () =>
    checkSelect(connection, sql, await viewNames(connection)),
  );
  await mkdir(join(folder, "made"), { recursive: true });
  const file = join(folder, "made", `${name}.parquet`);
  try {
    const exact = await withExactSums(connection, select);
    await connection.run(`COPY (${exact}\n) TO ${sqlText(file)} (FORMAT parquet, COMPRESSION zstd)`);
  } catch (error) {
    throw new Error(`The SQL of table "${name}" failed: ${messageOf(error)}`, { cause: error });
  }
  const rows = await countRows(connection, file);
  const columns = await columnsOf(connection, `SELECT * FROM read_parquet(${sqlText(file)})`);
  await attachTable(connection, name, [...before, file]);
  return { columns, rows, file };
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

/** Writes a whole table as treated CSV. */
export async function writeCsv(connection: DuckDBConnection, folder: string, table: string): Promise<Written> {
  await mkdir(join(folder, "csv"), { recursive: true });
  const file = join(folder, "csv", `${table}.csv`);
  const columns = await columnsOf(connection, `SELECT * FROM ${sqlName(table)}`);
  await connection.run(csvCopy(columns, sqlName(table), file));
  const [count] = await query(connection, `SELECT count(*)::BIGINT AS rows FROM ${sqlName(table)}`);
  return { rows: Number(z.bigint().parse(count?.["rows"])), file };
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

async function viewNames(connection: DuckDBConnection): Promise<string[]> {
  const views = await query(connection, "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY view_oid");
  return views.map((view) => String(view["view_name"]));
}
