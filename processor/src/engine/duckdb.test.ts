import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { afterAll, beforeAll, expect, it } from "vitest";
import { testFolder } from "../processor-for-tests.ts";
import { openDuckDB, query } from "./duckdb.ts";
import { sqlText } from "./quote.ts";

let folder: string;
let connection: DuckDBConnection;
beforeAll(async () => {
  folder = await testFolder("duckdb");
  for (const name of ["run", "run2"]) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, "file.txt"), "content");
  }
  ({ connection } = await openDuckDB(join(folder, "run"), { memoryBytes: 100e6, tempBytes: 1e6, threads: 1 }));
});
afterAll(async () => {
  connection.closeSync();
  await rm(folder, { recursive: true });
});

// What a stack's SQL may say is checked before; this is the wall behind that check.
it("reaches its own folder only", async () => {
  const read = (path: string) => query(connection, `SELECT content FROM read_text(${sqlText(join(folder, path))})`);
  expect(await read("run/file.txt")).toEqual([{ content: "content" }]);
  await expect(read("run2/file.txt")).rejects.toThrow(/Permission Error/);
  await expect(
    query(connection, `SELECT * FROM read_text(${sqlText(`${folder}/run/../run2/file.txt`)})`),
  ).rejects.toThrow(/Permission Error/);
  await expect(query(connection, "SELECT * FROM read_text('/etc/passwd')")).rejects.toThrow(/Permission Error/);
  await expect(connection.run(`COPY (SELECT 1) TO ${sqlText(join(folder, "run2/out.csv"))}`)).rejects.toThrow(
    /Permission Error/,
  );
  await expect(connection.run(`ATTACH ${sqlText(join(folder, "run2/x.db"))}`)).rejects.toThrow(/Permission Error/);
});

it.each([
  "SET enable_external_access = true",
  "SET memory_limit = '1TB'",
  "SET threads = 64",
  "RESET lock_configuration",
])("lets nobody change its configuration: %s", async (sql) =>
  expect(connection.run(sql)).rejects.toThrow(/configuration has been locked/),
);

it.each(["INSTALL httpfs", "LOAD httpfs", "SELECT * FROM read_text('https://example.org/x')"])(
  "loads no code: %s",
  async (sql) => {
    await expect(connection.run(sql)).rejects.toThrow(/Permission Error|disabled|not found|Missing Extension/);
  },
);

it("has the limits that it was given", async () => {
  const names = "'memory_limit', 'threads', 'max_temp_directory_size', 'TimeZone'";
  expect(
    await query(connection, `SELECT name, value FROM duckdb_settings() WHERE name IN (${names}) ORDER BY name`),
  ).toEqual([
    { name: "TimeZone", value: "UTC" },
    { name: "max_temp_directory_size", value: "976.5 KiB" },
    { name: "memory_limit", value: "95.3 MiB" },
    { name: "threads", value: "1" },
  ]);
});

it("has no view of its own that a common table's name could stand for", async () => {
  const views = `SELECT view_name FROM duckdb_views() WHERE internal AND schema_name <> 'information_schema'
    AND NOT regexp_matches(view_name, '^(duckdb|pragma|sqlite|pg)_')`;
  expect(await query(connection, views)).toEqual([]);
});
