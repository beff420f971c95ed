import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { TableColumn } from "@cais/spec/api.ts";
import { type SinkOptions, sinkKinds } from "@cais/spec/sinks.ts";
import { databaseSink } from "@cais/processor/src/sinks/database/index.ts";
import { ndjsonCopy } from "@cais/processor/src/sinks/ndjson/index.ts";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { Client } from "pg";

export const url = process.env["CAIS_POSTGRES_URL"] ?? "";
const authority = await readFile(process.env["CAIS_POSTGRES_CA"] ?? "", "utf8");

/** DuckDB as an engine's session has it, and a folder for what it writes. */
export async function openEngine(): Promise<{ folder: string; duckdb: DuckDBConnection }> {
  await mkdir(resolve(".cais/tests"), { recursive: true });
  const duckdb = await (await DuckDBInstance.create()).connect();
  await duckdb.run("SET TimeZone = 'UTC'");
  return { folder: await mkdtemp(resolve(".cais/tests", "postgres-")), duckdb };
}

let files = 0;

/** Writes what a query gives as the sink wants it. */
export async function write(
  { folder, duckdb }: { folder: string; duckdb: DuckDBConnection },
  query: string,
): Promise<{ file: string; rows: number; bytes: number }> {
  await duckdb.run(`CREATE OR REPLACE TEMP TABLE made AS ${query}`);
  const described = await (await duckdb.run("DESCRIBE made")).getRows();
  const columns: TableColumn[] = described.map(([name, type]) => ({ name: String(name), type: String(type) }));
  files += 1;
  const file = join(folder, `${files}.ndjson`);
  await duckdb.run(ndjsonCopy(columns, "made", file, "texts"));
  return { file, rows: 0, bytes: 0 };
}

/** Delivers a file to a table; `change` is what the test is about. */
export async function deliver(
  payload: { file: string; rows: number; bytes: number },
  options: Partial<SinkOptions<"database">> & { to: string },
  change: { id?: string; url?: string; ca?: string; signal?: AbortSignal } = {},
): Promise<{ location: string }> {
  const run = randomUUID();
  const parsed = sinkKinds.database.parse({
    table: "made",
    url: { secret: "url" },
    ca: { secret: "ca" },
    ...options,
  });
  const secrets: Record<string, string> = { url: change.url ?? url, ca: change.ca ?? authority };
  return databaseSink(parsed, "append").deliver(payload, {
    id: change.id ?? `${run}-0-database-made`,
    run,
    progress: null,
    save: async () => undefined,
    signal: change.signal ?? new AbortController().signal,
    secret: async (name) => secrets[name] ?? "",
  });
}

/** A session of a reader. */
export async function connect(): Promise<Client> {
  const client = new Client({ connectionString: url, ssl: { ca: authority } });
  await client.connect();
  return client;
}
