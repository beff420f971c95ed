import { DuckDBInstance } from "@duckdb/node-api";
import { sqlTexts } from "./quote.ts";

/** The cells of Parquet files as texts, read by an engine of the tests' own. `$1` in the SQL is the files. */
export async function parquetRows(
  files: string[],
  sql = "SELECT COLUMNS(*)::VARCHAR FROM read_parquet($1)",
): Promise<(string | null)[][]> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    await connection.run("SET TimeZone = 'UTC'");
    const rows = (await connection.runAndReadAll(sql.replace("$1", () => sqlTexts(files)))).getRows();
    return rows.map((cells) => cells.map((cell) => (cell === null ? null : String(cell))));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
