import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { Contract } from "@cais/spec/contract.ts";
import { describe, expect, it } from "vitest";
import { testFolder } from "../processor-for-tests.ts";
import { contractOf, readAs } from "./reading-for-tests.ts";

/** A Parquet file of a SELECT. */
async function parquetOf(select: string, options = ""): Promise<Buffer> {
  const folder = await testFolder("parquet");
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  try {
    await mkdir(folder, { recursive: true });
    const file = join(folder, "made.parquet");
    await connection.run("SET TimeZone = 'UTC'");
    await connection.run(`COPY (${select}) TO '${file}' (FORMAT parquet ${options})`);
    return await readFile(file);
  } finally {
    connection.closeSync();
    instance.closeSync();
    await rm(folder, { recursive: true });
  }
}

const read = async (content: Buffer, contract: Contract, upload = {}) => {
  const [file] = await readAs(content, "file.parquet", contract, { formats: ["parquet"], ...upload });
  return file;
};

const strings = (...names: string[]) => contractOf(Object.fromEntries(names.map((name) => [name, "string"])));

describe("a Parquet file", () => {
  it("has its rows in their order, across its row groups", async () => {
    const content = await parquetOf("SELECT i AS a, 'v' || i AS b FROM range(10000) AS t(i)", ", ROW_GROUP_SIZE 2048");
    const file = await read(content, strings("a", "b"));
    expect(file?.header).toEqual(["a", "b"]);
    expect(file?.rows).toHaveLength(10_000);
    expect(
      file?.rows.every(([number, a, b], index) => number === index + 1 && a === `${index}` && b === `v${index}`),
    ).toBe(true);
    expect(file?.found).toEqual({ format: "parquet" });
  });

  it.each([
    ["NULL::INTEGER", "integer", null],
    ["17014118346046923173168730371588410572::DECIMAL(38,0)", "string", "17014118346046923173168730371588410572"],
    ["-9007199254740993::BIGINT", "integer", "-9007199254740993"],
    ["12345678901234.5678::DECIMAL(18,4)", "decimal", "12345678901234.5678"],
    ["0.1::DOUBLE", "double", "0.1"],
    ["-9999::DOUBLE", "double", "-9999"],
    ["7::FLOAT", "integer", "7"],
    ["7::DOUBLE", "string", "7.0"],
    ["1.50::DECIMAL(9,2)", "double", "1.50"],
    ["7::DECIMAL(9,2)", "decimal", "7"],
    ["1.1::FLOAT", "double", "1.1"],
    ["true", "boolean", "true"],
    ["DATE '2024-01-31'", "date", "2024-01-31"],
    ["DATE '2024-01-31'", "string", "2024-01-31"],
    ["DATE '2024-01-31'", "timestamp", "2024-01-31 00:00:00"],
    ["TIMESTAMP '2024-01-31 00:00:00'", "date", "2024-01-31"],
    ["TIMESTAMP '2024-01-31 10:11:12'", "date", "2024-01-31 10:11:12"],
    ["TIMESTAMP '2024-01-31 10:11:12.5'", "timestamp", "2024-01-31 10:11:12.5"],
    ["TIMESTAMP_NS '2024-01-31 10:11:12.123456789'", "timestamp", "2024-01-31 10:11:12.123456"],
    ["TIMESTAMPTZ '2024-01-31 10:11:12+02'", "timestamp", "2024-01-31 08:11:12+00"],
    ["'a\"b,c\nd'", "string", 'a"b,c\nd'],
    ["''", "string", ""],
    ["'ab'::BLOB", "string", "ab"],
    ["'\\xFF'::BLOB", "string", "\\xFF"],
    ["{'x': 1, 'y': [1.50, NULL]}", "string", '{"x":1,"y":[1.5,null]}'],
    ["[DATE '2024-01-31']", "string", '["2024-01-31"]'],
    ["MAP {'k': 'v'}", "string", '{"k":"v"}'],
  ] as const)("gives %s as %s: %j", async (value, type, text) => {
    const file = await read(await parquetOf(`SELECT ${value} AS a`), contractOf({ a: type }));
    expect(file?.rows).toEqual([[1, text]]);
  });

  it("has no value where a number is the sentinel, with a fraction or without", async () => {
    const content = await parquetOf("SELECT -9999::DOUBLE AS a, -1::DOUBLE AS b");
    const contract = contractOf({ a: "double", b: "double" }, { nulls: ["-9999", "-1.0"], decimal: "," });
    expect((await read(content, contract))?.rows).toEqual([[1, "-9999", "-1.0"]]);
  });

  it("gives numbers and dates as the contract writes them", async () => {
    const contract = contractOf(
      {},
      {
        decimal: ",",
        columns: [
          { name: "a", type: "double" },
          { name: "d", type: "date", format: "%d/%m/%Y" },
          { name: "t", type: "timestamp", format: "%d/%m/%Y %H:%M", timezone: "America/Sao_Paulo" },
          { name: "s", type: "string" },
        ],
      },
    );
    const content = await parquetOf(
      "SELECT 1.5::DOUBLE AS a, DATE '2024-01-31' AS d, TIMESTAMPTZ '2024-01-31 10:11:00+00' AS t, 1.5::DOUBLE AS s",
    );
    expect((await read(content, contract))?.rows).toEqual([[1, "1,5", "31/01/2024", "31/01/2024 07:11", "1.5"]]);
  });

  it("has a row refused that is too long or holds a zero byte, and the others go on", async () => {
    const content = await parquetOf(
      "SELECT CASE i WHEN 1 THEN repeat('x', 1000001) WHEN 2 THEN 'a' || chr(0) WHEN 3 THEN NULL ELSE 'ok' END AS a FROM range(5) AS t(i)",
    );
    const file = await read(content, strings("a"));
    expect(file?.rows).toEqual([
      [1, "ok"],
      [4, null],
      [5, "ok"],
    ]);
    expect(file?.refused.map(([number, reason]) => [number, reason])).toEqual([
      [2, "The row is longer than 1,000,000 bytes."],
      [3, "The row holds a zero byte."],
    ]);
  });

  it("keeps the titles that it has, also hostile ones", async () => {
    const content = await parquetOf(`SELECT 1 AS "a""; DROP TABLE x; --", 2 AS "=1+1", {'x': 1} AS n, 3 AS "é\u0301"`);
    expect((await read(content, strings("n")))?.header).toEqual([
      'a"; DROP TABLE x; --',
      "=1+1",
      "n",
      "é\u0301".normalize("NFC"),
    ]);
  });

  it.each([
    ["cut off", async () => (await parquetOf("SELECT 1 AS a")).subarray(0, -20), /^The Parquet file is cut off/],
    [
      "with a footer that lies",
      async () =>
        Buffer.concat([
          (await parquetOf("SELECT 1 AS a")).subarray(0, -8),
          Buffer.from("FFFFFF7F", "hex"),
          Buffer.from("PAR1"),
        ]),
      /^The Parquet file is damaged: its footer is longer than the file/,
    ],
    [
      "of noise",
      async () =>
        Buffer.concat([
          Buffer.from("PAR1"),
          Buffer.alloc(1000, 0xa7),
          Buffer.from("E8030000", "hex"),
          Buffer.from("PAR1"),
        ]),
      /^The Parquet file is damaged or of a kind that is not read \(/,
    ],
    ["without rows", () => parquetOf("SELECT 1 AS a WHERE false"), /^The Parquet file has no rows/],
    [
      "of 4,097 columns",
      () => parquetOf(`SELECT ${Array.from({ length: 4097 }, (_, n) => `${n} AS c${n}`).join(", ")}`),
      /^The file has 4,097 columns, but at most 4,096 are taken/,
    ],
    [
      "of more rows than the stack takes",
      () => parquetOf("SELECT NULL::INTEGER AS a FROM range(3000000)"),
      /^The file holds more than the 2,000,000 bytes/,
    ],
    [
      "of longer texts than the stack takes",
      () => parquetOf("SELECT repeat('x', 90000) AS a FROM range(100)"),
      /^The file holds more than the 2,000,000 bytes/,
    ],
    [
      "of longer lists than the stack takes",
      () => parquetOf("SELECT range(100000) AS a FROM range(10)"),
      /^The file holds more than the 2,000,000 bytes/,
    ],
  ])("%s cannot be read", async (_, content, message) => {
    await expect(
      read(await content(), strings("a"), { maxBytes: 1_000_000, maxExpandedBytes: 2_000_000 }),
    ).rejects.toThrow(expect.objectContaining({ name: "Unreadable", message: expect.stringMatching(message) }));
  });
});
