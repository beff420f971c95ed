import { stat } from "node:fs/promises";
import type { DuckDBConnection } from "@duckdb/node-api";
import { TableColumn } from "@cais/spec/api.ts";
import { z } from "zod";
import { query } from "../engine/duckdb.ts";
import { sqlName } from "../engine/quote.ts";
import { csvCopy } from "./csv/index.ts";
import { ndjsonCopy } from "./ndjson/index.ts";
import { parquetCopy } from "./parquet/index.ts";
import type { Writes, Written } from "./writes.ts";

/** Writes all that SQL sees under a name to a file, in the form that a sink asks for. */
export async function write(
  connection: DuckDBConnection,
  { table, file, writes }: { table: string; file: string; writes: Writes },
): Promise<Written> {
  const from = sqlName(table);
  const copied = await connection.runAndReadAll(await copyOf(connection, from, file, writes));
  const lines = Number(z.bigint().parse(copied.getRows()[0]?.[0]));
  // The first line of NDJSON holds the columns.
  const rows = writes.as === "ndjson" ? lines - 1 : lines;
  return { file, rows, bytes: (await stat(file)).size };
}

async function copyOf(connection: DuckDBConnection, from: string, file: string, writes: Writes): Promise<string> {
  if (writes.as === "parquet") return parquetCopy(from, file);
  const described = await query(connection, `DESCRIBE SELECT * FROM ${from}`);
  const columns = described.map((column) =>
    TableColumn.parse({ name: column["column_name"], type: column["column_type"] }),
  );
  return writes.as === "ndjson" ? ndjsonCopy(columns, from, file, writes.form) : csvCopy(columns, from, file, writes);
}
