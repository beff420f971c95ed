import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { z } from "zod";
import { query } from "./duckdb.ts";
import type { Made, Merged, Request } from "./messages.ts";
import { sqlName, sqlText } from "./quote.ts";
import { FILE, ROW, ROWS_OF_A_FILE, seenSql } from "./seen.ts";
import { SqlRefused } from "./select.ts";
import { stored, writeFiles } from "./write.ts";

type Asked<Do extends Request["do"]> = Omit<Extract<Request, { do: Do }>, "do">;

/**
 * Brings rows into a table: they take the place of those with the same key. Of rows with one key, that of the later file
 * counts, and in a file the later one. Only the files that hold such a key are written anew, together with the new rows.
 */
export async function mergeTable(
  connection: DuckDBConnection,
  { key, columns, present, added, ...writing }: Asked<"merge">,
): Promise<Merged> {
  const { name, folder, partitionBy } = writing;
  await mkdir(join(folder, "made"), { recursive: true });
  const file = join(folder, "made", `${name}-rows.parquet`);
  const rows = `read_parquet(${sqlText(file)})`;
  const last = await lastRows(connection, { key, columns, files: added, name, partitionBy });
  await connection.run(`COPY (${last}) TO ${sqlText(file)} (FORMAT parquet, COMPRESSION lz4)`);
  const there = await seenSql(connection, present, columns, { as: `${name} before`, places: true, differ: true });
  const keys = key.map(sqlName).join(", ");
  const touched = z
    .array(z.object({ place: z.number() }))
    .parse(
      await query(
        connection,
        `SELECT DISTINCT ${sqlName(FILE)}::INTEGER AS place FROM (${there.sql}) SEMI JOIN ${rows} USING (${keys}) ORDER BY 1`,
      ),
    )
    .flatMap(({ place }) => present[place] ?? []);
  const kept = await seenSql(connection, touched, columns, { as: `${name} before`, differ: true });
  const cells = columns.map((column) => sqlName(column.name)).join(", ");
  const merged = stored(
    `SELECT ${cells} FROM (${kept.sql}) ANTI JOIN ${rows} USING (${keys})
     UNION ALL SELECT ${cells} FROM ${rows}`,
    columns,
    partitionBy,
  );
  const files = await writeFiles(connection, merged, { ...writing, key, large: true });
  await rm(file);
  return { columns, files, replaced: touched.map(({ file }) => file) };
}

/** Makes a merged table of nothing but what its runs brought, in their order. */
export async function foldTable(
  connection: DuckDBConnection,
  { key, columns, contributions, ...writing }: Asked<"fold">,
): Promise<Made> {
  const { name, partitionBy } = writing;
  // Some may be of before a column got another type, and wait for their file to be run again.
  const last = await lastRows(connection, { key, columns, files: contributions, name, partitionBy, lenient: true });
  const all = stored(last, columns, partitionBy);
  return { columns, files: await writeFiles(connection, all, { ...writing, key, large: true }) };
}

/** SQL for the last row of each key in Parquet files. */
async function lastRows(
  connection: DuckDBConnection,
  {
    key,
    columns,
    files,
    name,
    partitionBy = [],
    lenient = false,
  }: Pick<Asked<"fold">, "key" | "columns" | "name" | "partitionBy"> & {
    files: string[];
    lenient?: boolean;
  },
): Promise<string> {
  for (const column of key)
    if (!columns.some((each) => each.name === column))
      throw new SqlRefused(
        `The SQL of table "${name}" is refused: it gives no column "${column}", which is in its key.`,
      );
  const { sql } = await seenSql(
    connection,
    files.map((file) => ({ file })),
    columns,
    { as: `${name} added`, places: true, differ: files.length > 1, lenient },
  );
  // An empty text is none in a partition column.
  const isNone = (column: string) =>
    partitionBy.includes(column) ? `coalesce(${sqlName(column)}::VARCHAR, '') = ''` : `${sqlName(column)} IS NULL`;
  const nulls = key.map((column) => `count(*) FILTER (${isNone(column)})::DOUBLE AS ${sqlName(column)}`);
  const [counted] = await query(connection, `SELECT ${nulls.join(", ")} FROM (${sql})`);
  for (const column of key) {
    const rows = z.number().parse(counted?.[column]);
    if (rows > 0)
      throw new SqlRefused(
        `The SQL of table "${name}" is refused: it gives ${rows} ${rows === 1 ? "row" : "rows"} without a value in "${column}", which is in its key; leave them out with WHERE ${column} IS NOT NULL, or make the column required in the contract.`,
      );
  }
  // A number for each row is less to hold than rows, which a window function would sort.
  const order = `${sqlName(FILE)} * ${ROWS_OF_A_FILE} + ${sqlName(ROW)}`;
  const cells = columns.map((column) => sqlName(column.name)).join(", ");
  return `SELECT ${cells} FROM (${sql}) WHERE ${order} IN (SELECT max(${order}) FROM (${sql}) GROUP BY ${key.map(sqlName).join(", ")})`;
}
