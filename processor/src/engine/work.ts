import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { TableColumn } from "@cais/spec/api.ts";
import type { Contract } from "@cais/spec/contract.ts";
import { z } from "zod";
import { checkSql, placeColumns, ROW, VIOLATIONS } from "../contract/check.ts";
import { splitRecords } from "../contract/records.ts";
import { csvCopy } from "../sinks/csv/index.ts";
import { query } from "./duckdb.ts";
import type { Checked, Made, Written } from "./messages.ts";
import { sqlName, sqlText, sqlTexts } from "./quote.ts";
import { checkExpression, checkSelect, SqlRefused } from "./select.ts";

/** Reads a CSV file by its contract: the clean rows become the view `input`, the others a Parquet file. */
export async function checkContract(
  connection: DuckDBConnection,
  folder: string,
  file: string,
  contract: Contract,
): Promise<Checked> {
  for (const [index, { check }] of contract.rules.entries())
    await about(`Rule ${index + 1} of the contract`, () => checkExpression(connection, check));
  const records = join(folder, "records.csv");
  const refused = join(folder, "refused.csv");
  const checked = join(folder, "checked.parquet");
  const rejectedFile = join(folder, "rejected.parquet");
  const { header, good, refused: misshapen, hasLineBreaks } = await splitRecords(file, records, refused);
  const places = placeColumns(contract.columns, header);
  await connection.run(
    `COPY (${checkSql(records, contract, places, header.length, hasLineBreaks)}) TO ${sqlText(checked)} (FORMAT parquet, COMPRESSION lz4)`,
  );
  const from = `read_parquet(${sqlText(checked)})`;
  const [counts] = await query(
    connection,
    `SELECT count(*)::INTEGER AS "all", count(${sqlName(VIOLATIONS)})::INTEGER AS broken FROM ${from}`,
  );
  const { all, broken } = z.object({ all: z.number(), broken: z.number() }).parse(counts);
  if (all !== good)
    throw new Error(`The engine read ${all} rows of ${good}; this is a fault of Cais, please report it.`);
  const columns = contract.columns.map(({ name }) => sqlName(name)).join(", ");
  await connection.run(`CREATE VIEW input AS SELECT ${columns} FROM ${from} WHERE ${sqlName(VIOLATIONS)} IS NULL`);
  const rejected = broken + misshapen;
  if (rejected > 0)
    await connection.run(
      `COPY (
         SELECT "row", "column", reason, value FROM (
           SELECT ${sqlName(ROW)} AS "row", position, unnest(violation)
           FROM (SELECT ${sqlName(ROW)}, unnest(violations) AS violation, generate_subscripts(violations, 1) AS position
                 FROM (SELECT ${sqlName(ROW)}, ${sqlName(VIOLATIONS)} AS violations FROM ${from} WHERE violations IS NOT NULL))
           UNION ALL
           SELECT "row", 1, NULL, reason, value FROM read_csv(${sqlText(refused)}, auto_detect = false, header = false, delim = ',',
           quote = '"', escape = '"', parallel = false, columns = {'row': 'BIGINT', 'reason': 'VARCHAR', 'value': 'VARCHAR'})
         ) ORDER BY "row", position
       ) TO ${sqlText(rejectedFile)} (FORMAT parquet, COMPRESSION zstd)`,
    );
  return { read: all + misshapen, clean: all - broken, rejected, file: rejected > 0 ? rejectedFile : null };
}

/** Runs a table's SELECT and writes its rows to a Parquet file; then the table is its files before and this one. */
export async function makeTable(
  connection: DuckDBConnection,
  folder: string,
  { name, sql, before }: { name: string; sql: string; before: string[] },
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
  const [count] = await query(connection, `SELECT count(*)::INTEGER AS rows FROM read_parquet(${sqlText(file)})`);
  const described = await query(connection, `DESCRIBE SELECT * FROM read_parquet(${sqlText(file)})`);
  await attachTable(connection, name, [...before, file]);
  return {
    columns: described.map((column) => TableColumn.parse({ name: column["column_name"], type: column["column_type"] })),
    rows: z.number().parse(count?.["rows"]),
    file,
  };
}

/**
 * A SELECT whose whole numbers of 128 bits, as sum() gives them, are DECIMAL(38,0). Parquet has no such integer, and DuckDB
 * would write them as DOUBLE (https://duckdb.org/docs/stable/data/parquet/overview); what needs 39 digits fails instead.
 */
async function withExactSums(connection: DuckDBConnection, select: string): Promise<string> {
  const columns = (await query(connection, `DESCRIBE SELECT * FROM (${select}\n)`)).map((column) =>
    TableColumn.parse({ name: column["column_name"], type: column["column_type"] }),
  );
  if (!columns.some(({ type }) => type.includes("HUGEINT"))) return select;
  const casts = columns.map(({ name, type }, index) => {
    const cell = type.includes("HUGEINT") ? `c${index}::${type.replaceAll(hugeInteger, "DECIMAL(38,0)")}` : `c${index}`;
    return `${cell} AS ${sqlName(name)}`;
  });
  return `SELECT ${casts.join(", ")} FROM (${select}\n) AS made(${columns.map((_, index) => `c${index}`).join(", ")})`;
}

const hugeInteger = /\bU?HUGEINT\b/g;

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Makes a table of Parquet files visible to SQL under its name. */
export async function attachTable(connection: DuckDBConnection, name: string, files: string[]): Promise<null> {
  await connection.run(`CREATE VIEW ${sqlName(name)} AS SELECT * FROM read_parquet(${sqlTexts(files)})`);
  return null;
}

/** Writes a whole table as treated CSV. */
export async function writeCsv(connection: DuckDBConnection, folder: string, table: string): Promise<Written> {
  await mkdir(join(folder, "csv"), { recursive: true });
  const file = join(folder, "csv", `${table}.csv`);
  const described = await query(connection, `DESCRIBE ${sqlName(table)}`);
  const columns = described.map((column) =>
    TableColumn.parse({ name: column["column_name"], type: column["column_type"] }),
  );
  await connection.run(csvCopy(columns, sqlName(table), file));
  const [count] = await query(connection, `SELECT count(*)::INTEGER AS rows FROM ${sqlName(table)}`);
  return { rows: z.number().parse(count?.["rows"]), file };
}

async function viewNames(connection: DuckDBConnection): Promise<string[]> {
  const views = await query(connection, "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY view_oid");
  return views.map((view) => String(view["view_name"]));
}

/** Says which SQL it was that is refused. */
async function about<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SqlRefused) throw new SqlRefused(`${what} is refused: ${error.message}`, { cause: error });
    throw error;
  }
}
