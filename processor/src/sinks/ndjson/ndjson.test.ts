import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TableColumn } from "@cais/spec/api.ts";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, expect, it } from "vitest";
import { testFolder } from "../../processor-for-tests.ts";
import { ndjsonCopy, ndjsonRows, openNdjson, type RowForm } from "./index.ts";

let folder: string;
let connection: DuckDBConnection;
beforeAll(async () => {
  folder = await testFolder("ndjson");
  connection = await (await DuckDBInstance.create()).connect();
  await connection.run("SET TimeZone = 'UTC'");
});
afterAll(async () => {
  connection.closeSync();
  await rm(folder, { recursive: true });
});

async function written(query: string, form: RowForm) {
  await connection.run(`CREATE OR REPLACE TEMP TABLE made AS ${query}`);
  const described = await (await connection.run("DESCRIBE made")).getRows();
  const columns: TableColumn[] = described.map(([name, type]) => ({ name: String(name), type: String(type) }));
  const file = join(folder, "made.ndjson");
  await connection.run(ndjsonCopy(columns, "made", file, form));
  const { columns: read, lines } = await openNdjson(file);
  expect(read).toEqual(columns);
  return { columns: read, rows: await Array.fromAsync(lines) };
}

it.each([
  [
    "'a,\"b\\' || chr(10) || chr(0) || chr(1) || 'é'",
    '"a,\\"b\\\\\\n\\u0000\\u0001é"',
    '"a,\\"b\\\\\\n\\u0000\\u0001é"',
  ],
  ["NULL::INTEGER", "null", "null"],
  ["9007199254740993", '"9007199254740993"', "9007199254740993"],
  ["-12345678901234567890::HUGEINT", '"-12345678901234567890"', "-12345678901234567890"],
  ["1.50::DECIMAL(10, 2)", '"1.50"', "1.5"],
  ["'nan'::DOUBLE", '"nan"', "null"],
  ["'-inf'::FLOAT", '"-inf"', "null"],
  ["true", '"true"', "true"],
  ["DATE '2024-01-02'", '"2024-01-02"', '"2024-01-02"'],
  ["DATE 'infinity'", '"infinity"', "null"],
  ["TIMESTAMP '2024-01-02 03:04:05.6'", '"2024-01-02 03:04:05.6"', '"2024-01-02T03:04:05.600000Z"'],
  ["TIMESTAMPTZ '2024-01-02 03:04:05+02'", '"2024-01-02 01:04:05+00"', '"2024-01-02T01:04:05.000000Z"'],
  ["TIMESTAMP_NS '2024-01-02 03:04:05'", '"2024-01-02 03:04:05"', '"2024-01-02T03:04:05.000000Z"'],
  ["TIME '03:04:05'", '"03:04:05"', '"03:04:05"'],
  ["'a\\xFF'::BLOB", '"\\\\x61ff"', '"Yf8="'],
  ["[1, NULL]", '"[1,null]"', '"[1,null]"'],
  ["{'a': 'x'}", '"{\\"a\\":\\"x\\"}"', '"{\\"a\\":\\"x\\"}"'],
  [
    "'{\"a\": 12345678901234567890.5}'::JSON",
    '"{\\"a\\": 12345678901234567890.5}"',
    '"{\\"a\\": 12345678901234567890.5}"',
  ],
  ["'a' || chr(8232) || 'b'", '"a\u2028b"', '"a\u2028b"'],
])("writes %s as the text %s and the value %s", async (sql, text, value) => {
  expect((await written(`SELECT ${sql} AS cell`, "texts")).rows).toEqual([`[${text}]`]);
  expect((await written(`SELECT ${sql} AS cell`, "objects")).rows).toEqual([`{"cell":${value}}`]);
});

it("keeps the order of rows and the names of columns, and writes a table without rows", async () => {
  const query = `SELECT i AS "a ""b'", 1 AS "é" FROM range(5000) t(i)`;
  const { columns, rows } = await written(query, "objects");
  expect(columns.map(({ name }) => name)).toEqual([`a "b'`, "é"]);
  expect(rows).toEqual(Array.from({ length: 5000 }, (_, i) => `{"a \\"b'":${i},"é":1}`));
  expect((await written(`${query} WHERE false`, "texts")).rows).toEqual([]);
});

it("reads a row of any length about as fast as many rows", { timeout: 10_000 }, async () => {
  const file = join(folder, "long.ndjson");
  await writeFile(file, `{"columns":[]}\n["${"x".repeat(60_000_000)}"]\n["b"]\n`);
  const { lines } = await openNdjson(file);
  expect((await Array.fromAsync(lines)).map((line) => line.length)).toEqual([60_000_004, 5]);
  const pieces = (await Array.fromAsync(ndjsonRows(file))).map((piece) => piece.length);
  expect(pieces.reduce((sum, length) => sum + length, 0)).toBe(60_000_011);
  expect(Math.max(...pieces)).toBeLessThan(100_000);
});
