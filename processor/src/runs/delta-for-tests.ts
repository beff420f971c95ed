import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { sqlTexts } from "../engine/quote.ts";
import { openObjectStore } from "../object-store/index.ts";
import { fieldsOf } from "../tables/delta/schema.ts";
import { snapshotAt } from "../tables/delta/snapshot.ts";

/** A table as its Delta log has it: how any other program would read it. Rows are in no order of their own. */
export async function deltaTable(dataFolder: string, stack: string, table: string, order = "ALL") {
  const lake = await openObjectStore({ driver: "fs", path: `${stack}/lake` }, dataFolder);
  const snapshot = await snapshotAt(lake, table);
  if (snapshot === undefined) throw new Error(`The table "${table}" has no Delta log.`);
  const paths = [...snapshot.files.keys()];
  const files = paths.map((path) => join(dataFolder, stack, "lake", table, path));
  return {
    version: snapshot.version,
    files: files.length,
    keys: paths.map((path) => `${table}/${path}`).toSorted(),
    partitions: snapshot.metadata.partitionColumns,
    columns: fieldsOf(snapshot.metadata).map(({ name, type }) => `${name} ${String(type)}`),
    rows: files.length === 0 ? [] : await rowsOf(files, order),
  };
}

async function rowsOf(files: string[], order: string): Promise<unknown[]> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  try {
    const sql = `SELECT * FROM read_parquet(${sqlTexts(files)}, union_by_name = true) ORDER BY ${order}`;
    return (await connection.runAndReadAll(sql)).getRowObjectsJson();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
