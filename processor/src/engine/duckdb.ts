import { mkdir } from "node:fs/promises";
import { join, sep } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { sqlText, sqlTexts } from "./quote.ts";

/** Limits of one engine: bytes of memory, bytes of spilled data, and threads. */
export interface EngineLimits {
  memoryBytes: number;
  tempBytes: number;
  threads: number;
}

/**
 * Opens a DuckDB of its own that can reach files in `folder` and nowhere else, and whose configuration is locked. What it
 * spills goes to `folder`/spilled.
 */
export async function openDuckDB(
  folder: string,
  { memoryBytes, tempBytes, threads }: EngineLimits,
): Promise<{ instance: DuckDBInstance; connection: DuckDBConnection }> {
  await mkdir(join(folder, "spilled"), { recursive: true });
  const instance = await DuckDBInstance.create(":memory:", { threads: String(threads) });
  const connection = await instance.connect();
  const settings: Record<string, string> = {
    memory_limit: sqlText(`${memoryBytes}B`),
    temp_directory: sqlText(join(folder, "spilled")),
    max_temp_directory_size: sqlText(`${tempBytes}B`),
    TimeZone: sqlText("UTC"),
    // Extensions are code of others, fetched at run time.
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    allow_community_extensions: "false",
    // Without the separator at its end, /runs/1 would allow /runs/10 too.
    allowed_directories: sqlTexts([folder + sep]),
    enable_external_access: "false",
    lock_configuration: "true",
  };
  for (const [name, value] of Object.entries(settings)) await connection.run(`SET ${name} = ${value}`);
  return { instance, connection };
}

/** What DuckDB says in one line: without the statement that it quotes, and without advice on its settings. */
export const sentenceOf = (message: string): string =>
  (message.split(/\n*LINE \d+:|\n\n/, 1)[0] ?? "").replaceAll(/\s*\n\s*/g, " ").trim();

/** A query's rows as plain objects. */
export async function query(connection: DuckDBConnection, sql: string): Promise<Record<string, unknown>[]> {
  return (await connection.runAndReadAll(sql)).getRowObjects();
}
