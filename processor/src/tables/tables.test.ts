import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { TableColumn } from "@cais/spec/api.ts";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openObjectStore } from "../object-store/index.ts";
import { testFolder } from "../processor-for-tests.ts";
import { type LakeFiles, openTableReader, type TableReader } from "./index.ts";

let folder: string;
let reader: TableReader;
beforeAll(async () => {
  folder = await testFolder("tables");
  reader = openTableReader(join(folder, "reads"));
});
afterAll(async () => {
  await reader.stop();
  await rm(folder, { recursive: true });
});

/** A lake with the rows of a query as its only file, and the columns that the query has. */
async function lakeOf(query: string): Promise<[LakeFiles, TableColumn[]]> {
  const connection = await (await DuckDBInstance.create()).connect();
  const file = join(folder, "made.parquet");
  await connection.run(`COPY (${query}) TO '${file}' (FORMAT parquet)`);
  const result = await connection.run(`DESCRIBE SELECT * FROM '${file}'`);
  const columns = (await result.getRows()).map(([name, type]) => ({ name: String(name), type: String(type) }));
  connection.closeSync();
  const lake = await openObjectStore({ driver: "fs", path: "lake" }, folder);
  await lake.put("made.parquet", createReadStream(file));
  return [{ lake, keys: async () => ["made.parquet"] }, columns];
}

it("gives every digit in JSON, as a number where a number keeps it", async () => {
  const [files, columns] = await lakeOf(`SELECT
    '12345678901234567.89'::DECIMAL(38, 2) AS wide, '-9999999999999.99'::DECIMAL(15, 2) AS narrow,
    '1.5'::DECIMAL(16, 1) AS typed, 9007199254740993 AS big, 9007199254740991 AS safe,
    '2024-01-01 00:00:00.123456'::TIMESTAMP AS at, '2024-01-01 02:00:00.1+02'::TIMESTAMPTZ AS zoned`);
  expect(await reader.rows(files, columns, { limit: 10, offset: 0 })).toEqual([
    {
      wide: "12345678901234567.89",
      narrow: -9_999_999_999_999.99,
      typed: "1.5",
      big: "9007199254740993",
      safe: Number.MAX_SAFE_INTEGER,
      at: "2024-01-01T00:00:00.123456Z",
      zoned: "2024-01-01T00:00:00.100000Z",
    },
  ]);
});

it("marks formulas in CSV, but not numbers", async () => {
  const cells = ["-9.9", "-9,9", "+5", "-1+1", "-9.9\n", "=1", "@x", "-", "+1.", "--5", "-1,2,3", "x-1"];
  const [files, columns] = await lakeOf(`SELECT unnest([${cells.map((cell) => `'${cell}'`).join(", ")}]) AS cell`);
  expect((await Array.fromAsync(reader.csv(files, columns))).join("").split("\r\n")).toEqual([
    "cell",
    "-9.9",
    '"-9,9"',
    "+5",
    "'-1+1",
    `"'-9.9\n"`,
    "'=1",
    "'@x",
    "'-",
    "'+1.",
    "'--5",
    `"'-1,2,3"`,
    "x-1",
    "",
  ]);
});
