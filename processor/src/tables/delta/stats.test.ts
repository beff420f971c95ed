import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { testFolder } from "../../processor-for-tests.ts";
import { partitionText, partitionValue } from "./partition.ts";
import { fileStats, readStats, type WrittenStatistics } from "./stats.ts";

let folder: string;
let connection: DuckDBConnection;
beforeAll(async () => {
  folder = await testFolder("delta-stats");
  connection = await (await DuckDBInstance.create()).connect();
  await connection.run("SET TimeZone = 'UTC'");
});
afterAll(async () => {
  connection.closeSync();
  await rm(folder, { recursive: true });
});

const Pairs = z.array(z.object({ key: z.string(), value: z.string() }));
const Written = z.object({
  count: z.coerce.number(),
  column_statistics: z.array(z.object({ key: z.string(), value: Pairs })),
});

/** The statistics of a file with the rows of a query. */
async function statsOf(query: string, options?: Parameters<typeof fileStats>[3]): Promise<string> {
  const described = await (await connection.run(`DESCRIBE ${query}`)).getRows();
  const columns = described.map(([name, type]) => ({ name: String(name), type: String(type) }));
  const copy = await connection.run(`COPY (${query}) TO '${join(folder, "x.parquet")}' (FORMAT parquet, RETURN_STATS)`);
  const [{ count, column_statistics }] = z.tuple([Written]).parse(await copy.getRowObjectsJson());
  const written: WrittenStatistics = Object.fromEntries(
    column_statistics.map(({ key, value }) => [key, Object.fromEntries(value.map(({ key, value }) => [key, value]))]),
  );
  return fileStats(count, columns, written, options);
}

const one = async (value: string) => {
  const { columns } = readStats(await statsOf(`SELECT ${value} AS x`));
  return columns.get("x");
};

describe("statistics", () => {
  it("are what the file holds", async () => {
    const stats = await statsOf(`SELECT * FROM (VALUES
      (1, 9007199254740993, 1.25::DOUBLE, 12.30::DECIMAL(10, 2), 'a', DATE '2024-02-29', {'k': 1, 'l "m': 'x'}, [1], true),
      (NULL, -9007199254740993, -1e300, -0.05, 'ü"\\', DATE '1999-12-31', NULL, NULL, false))
      AS t("i.i", l, f, d, s, day, st, list, b)`);
    expect(stats).toBe(
      '{"numRecords":2,"minValues":{"i.i":1,"l":-9007199254740993,"f":-1e+300,"d":-0.05,"s":"a","day":"1999-12-31",' +
        '"st":{"k":1,"l \\"m":"x"}},"maxValues":{"i.i":1,"l":9007199254740993,"f":1.25,"d":12.30,"s":"ü\\"\\\\",' +
        '"day":"2024-02-29","st":{"k":1,"l \\"m":"x"}},"nullCount":{"i.i":1,"l":0,"f":0,"d":0,"s":0,"day":0,' +
        '"st":{"k":1,"l \\"m":1},"b":0}}',
    );
    const { rows, columns } = readStats(stats);
    expect(rows).toBe(2);
    expect(columns.get("l")).toEqual({ min: "-9007199254740993", max: "9007199254740993", nulls: 0 });
    expect(columns.get("s")).toEqual({ min: "a", max: 'ü"\\', nulls: 0 });
    expect(columns.has("st")).toBe(false);
  });

  it("cut long strings so that they stay bounds", async () => {
    const long = "é".repeat(40);
    expect(await one(`'${long}'`)).toEqual({ min: "é".repeat(32), max: `${"é".repeat(32)}\u{10FFFF}`, nulls: 0 });
    expect(await one(`'${"🌲".repeat(32)}'`)).toEqual({ min: "🌲".repeat(32), max: "🌲".repeat(32), nulls: 0 });
    expect(await one(`'${"a".repeat(32)}' || chr(1114111)`)).toEqual({ min: "a".repeat(32), nulls: 0 });
    expect(await one("''")).toEqual({ min: "", max: "", nulls: 0 });
  });

  it("round times to milliseconds, outwards", async () => {
    expect(await one("TIMESTAMPTZ '2024-01-01 10:00:00.123456+00'")).toEqual({
      min: "2024-01-01T10:00:00.123Z",
      max: "2024-01-01T10:00:00.124Z",
      nulls: 0,
    });
    expect(await one("TIMESTAMPTZ '1960-01-01 00:00:00.5+00'")).toMatchObject({
      min: "1960-01-01T00:00:00.500Z",
      max: "1960-01-01T00:00:00.500Z",
    });
  });

  it.each([
    ["what is no number", "'nan'::DOUBLE"],
    ["truth values", "true"],
    ["bytes", "'a'::BLOB"],
    ["times out of reach", "DATE '0044-03-15 (BC)'"],
    ["an unending time", "'infinity'::TIMESTAMPTZ"],
    ["decimals beyond a double", "1234567890123456.7::DECIMAL(20, 1)"],
    ["nothing", "NULL::DOUBLE"],
  ])("bound nothing of %s", async (_, value) => {
    const nulls = value.startsWith("NULL") ? 1 : 0;
    expect(await one(value)).toEqual({ nulls });
  });

  it("know both zeros, and no infinity", async () => {
    expect(await one("0.0::DOUBLE")).toEqual({ min: "-0.0", max: "0.0", nulls: 0 });
    expect(await statsOf("SELECT unnest([1.5, 'inf'::DOUBLE]) AS x")).toBe(
      '{"numRecords":2,"minValues":{"x":1.5},"maxValues":{},"nullCount":{"x":0}}',
    );
  });

  it("are of the first 32 columns and of those that are asked for, but not of partitions", async () => {
    const query = `SELECT ${Array.from({ length: 40 }, (_, index) => `${index} AS c${index}`).join(", ")}`;
    const columns = [...readStats(await statsOf(query, { partitionBy: ["c3"], always: ["c39"] })).columns.keys()];
    expect(columns).toHaveLength(33);
    expect(columns).not.toContain("c3");
    expect(columns.slice(-2)).toEqual(["c32", "c39"]);
  });

  it("of others are read as far as they can be", () => {
    expect(readStats(null)).toEqual({ rows: undefined, columns: new Map() });
    expect(readStats("{broken")).toEqual({ rows: undefined, columns: new Map() });
    expect(readStats('{"numRecords":5,"minValues":7,"maxValues":{"a":12345678901234567890,"b":null}}')).toEqual({
      rows: 5,
      columns: new Map([["a", { max: "12345678901234567890" }]]),
    });
  });
});

const written = async (value: string) => {
  const result = await connection.run(`SELECT (${value})::VARCHAR, typeof(${value})`);
  const [text, type] = z.tuple([z.string().nullable(), z.string()]).parse((await result.getRows())[0]);
  return partitionValue(text, type);
};

describe("a partition value", () => {
  it.each([
    ["'a/b c=%ü'", "a/b c=%ü"],
    ["''", null],
    ["NULL::DATE", null],
    ["DATE '2024-02-29'", "2024-02-29"],
    ["TIMESTAMP '2024-01-01 10:00:00.1234'", "2024-01-01T10:00:00.123400Z"],
    ["TIMESTAMPTZ '2024-01-01 10:00:00+02'", "2024-01-01T08:00:00.000000Z"],
    ["-1.50::DECIMAL(5, 2)", "-1.50"],
    ["'-inf'::DOUBLE", "-Infinity"],
    ["'nan'::FLOAT", "NaN"],
    ["1e20::DOUBLE", "1e+20"],
    ["true", "true"],
    ["9007199254740993", "9007199254740993"],
  ])("of %s comes back as the same", async (value, text) => {
    expect(await written(value)).toBe(text);
    const back = partitionText(text);
    const same = `SELECT (${back === null ? "NULL" : `'${back}'`})::VARCHAR IS NOT DISTINCT FROM nullif((${value})::VARCHAR, '')
      OR '${back}'::${(await connection.run(`SELECT typeof(${value})`).then((result) => result.getRows()))[0]?.[0]} = ${value}`;
    expect((await (await connection.run(same)).getRows())[0]).toEqual([true]);
  });

  it("is refused where the log has no form for it", async () => {
    for (const time of ["'infinity'::TIMESTAMP", "'-infinity'::DATE", "DATE '0044-03-15 (BC)'", "DATE '10000-01-01'"])
      await expect(written(time)).rejects.toThrow(
        "it must be of the years 0000 to 9999; leave such rows out in the SQL",
      );
    expect(partitionText("")).toBeNull();
    expect(partitionText(undefined)).toBeNull();
  });
});
