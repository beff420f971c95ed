import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { TableColumn } from "@cais/spec/api.ts";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openObjectStore } from "../object-store/index.ts";
import { testFolder } from "../processor-for-tests.ts";
import { type LakeFiles, neededFor, openTableReader, type TableReader } from "./index.ts";

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
  return [{ lake, files: async () => [{ key: "made.parquet" }] }, columns];
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

const partitioned = async () => [
  { key: "old.parquet", partition: { day: "2024-01-31" }, rows: 1 },
  { key: "new.parquet", partition: { day: null }, rows: 1 },
];

it("reads files that lack a column, and partitions' values that stand beside the file", async () => {
  const connection = await (await DuckDBInstance.create()).connect();
  const lake = await openObjectStore({ driver: "fs", path: "parts" }, folder);
  for (const [name, query] of [
    ["old", "SELECT 1 AS id"],
    ["new", "SELECT 2 AS id, 'x' AS note"],
  ]) {
    await connection.run(`COPY (${query}) TO '${folder}/${name}.parquet' (FORMAT parquet)`);
    await lake.put(`${name}.parquet`, createReadStream(join(folder, `${name}.parquet`)));
  }
  connection.closeSync();
  const columns = [
    { name: "id", type: "INTEGER" },
    { name: "note", type: "VARCHAR" },
    { name: "day", type: "DATE" },
  ];
  const rows = (limit: number, offset: number) => reader.rows({ lake, files: partitioned }, columns, { limit, offset });
  const [first, second] = [
    { id: 1, note: null, day: "2024-01-31" },
    { id: 2, note: "x", day: null },
  ];
  expect(await rows(10, 0)).toEqual([first, second]);
  // Of a page, only the files that it is in.
  expect(await rows(1, 1)).toEqual([second]);
  expect((await Array.fromAsync(reader.csv({ lake, files: partitioned }, columns))).join("")).toBe(
    "id,note,day\r\n1,,2024-01-31\r\n2,x,\r\n",
  );
});

it("finds the files that a page is in", () => {
  const files = [10, 0, 5, 20].map((rows, index) => ({ key: String(index), rows }));
  const needed = (limit: number, offset: number) => {
    const found = neededFor(files, { limit, offset });
    return [found.files.map(({ key }) => key).join(), found.offset];
  };
  expect(needed(5, 0)).toEqual(["0", 0]);
  expect(needed(5, 10)).toEqual(["2", 0]);
  expect(needed(6, 9)).toEqual(["0,1,2", 9]);
  expect(needed(100, 14)).toEqual(["2,3", 4]);
  expect(needed(10, 35)).toEqual(["", 0]);
  expect(neededFor([{ key: "a", rows: 3 }, { key: "b" }], { limit: 1, offset: 5 })).toEqual({
    files: [{ key: "a", rows: 3 }, { key: "b" }],
    offset: 5,
  });
});
