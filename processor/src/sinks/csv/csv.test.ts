import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { TableColumn } from "@cais/spec/api.ts";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testFolder } from "../../processor-for-tests.ts";
import { write } from "../write.ts";
import { csvCopy, csvHeader, csvLines } from "./index.ts";

let folder: string;
let connection: DuckDBConnection;
beforeAll(async () => {
  folder = await testFolder("csv");
  connection = await (await DuckDBInstance.create()).connect();
  await connection.run("SET TimeZone = 'UTC'");
});
afterAll(async () => {
  connection.closeSync();
  await rm(folder, { recursive: true });
});

/** The rows of a query as the sink writes them and as the API streams them. */
async function bothOf(query: string): Promise<{ written: string; streamed: string }> {
  await connection.run(`CREATE OR REPLACE TEMP TABLE made AS ${query}`);
  const described = await (await connection.run("DESCRIBE made")).getRows();
  const columns: TableColumn[] = described.map(([name, type]) => ({ name: String(name), type: String(type) }));
  const file = join(folder, "made.csv");
  await connection.run(csvCopy(columns, "made", file));
  const lines = await (await connection.run(csvLines(columns, "made"))).getRows();
  return {
    written: await readFile(file, "utf8"),
    streamed: csvHeader(columns) + lines.map(([line]) => String(line)).join(""),
  };
}

const texts: [cell: string, csv: string][] = [
  ["", ""],
  [" ", " "],
  [" a ", " a "],
  ["a,b", '"a,b"'],
  ['a"b', '"a""b"'],
  ["a\nb", '"a\nb"'],
  ["a\rb", '"a\rb"'],
  ["a#b", '"a#b"'],
  ["a;b", "a;b"],
  ["NULL", "NULL"],
  ["'", "'"],
  ["\\", "\\"],
  ["é\u00a0", "é\u00a0"],
  ["-9.9", "-9.9"],
  ["-9,9", '"-9,9"'],
  ["-", "'-"],
  ["-1+1", "'-1+1"],
  ["=1", "'=1"],
  ["@x", "'@x"],
  ["+x", "'+x"],
  ["\tx", "'\tx"],
  ["\rx", `"'\rx"`],
];

it("writes each text once as a cell of many and once alone", async () => {
  const list = texts.map(([cell]) => `'${cell.replaceAll("'", "''")}'`).join(", ");
  const many = await bothOf(`SELECT 1 AS n, unnest([${list}, NULL]) AS cell, 2 AS m`);
  expect(many.written).toBe(["n,cell,m", ...texts.map(([, csv]) => `1,${csv},2`), "1,,2", ""].join("\r\n"));
  expect(many.streamed).toBe(many.written);
  const alone = await bothOf(`SELECT unnest([${list}, NULL]) AS cell`);
  expect(alone.written).toBe(["cell", ...texts.map(([, csv]) => csv), "", ""].join("\r\n"));
  expect(alone.streamed).toBe(alone.written);
});

it("writes titles that are formulas or need quotes", async () => {
  const { written, streamed } = await bothOf(
    `SELECT 1 AS "=x", 2 AS "@x", 3 AS "a,b", 4 AS "a""b", 5 AS " ", 6 AS "#x", 7 AS "1", 8 AS "+1", 9 AS "NULL"`,
  );
  expect(written).toBe(`'=x,'@x,"a,b","a""b", ,"#x",1,'+1,NULL\r\n1,2,3,4,5,6,7,8,9\r\n`);
  expect(streamed).toBe(written);
});

it("writes the header of a table without rows", async () => {
  const { written, streamed } = await bothOf("SELECT 1 AS n, 'x' AS cell WHERE false");
  expect(written).toBe("n,cell\r\n");
  expect(streamed).toBe(written);
});

it.each([
  ["DATE '2024-01-02'", "2024-01-02"],
  ["TIMESTAMP '2024-01-02 03:04:05.6'", "2024-01-02 03:04:05.6"],
  ["TIMESTAMPTZ '2024-01-02 03:04:05+02'", "2024-01-02 01:04:05+00"],
  ["TIME '03:04:05'", "03:04:05"],
  ["[TIMESTAMP '2024-01-02', '2024-01-03 04:05']", "\"['2024-01-02 00:00:00', '2024-01-03 04:05:00']\""],
  ["-1.5::DOUBLE", "-1.5"],
  ["'-infinity'::DOUBLE", "-inf"],
  ["-1.50::DECIMAL(10, 2)", "-1.50"],
  ["-12345678901234567890::HUGEINT", "-12345678901234567890"],
  ["true", "true"],
  ["NULL::INTEGER", ""],
  ["['=a', 'b']", `"['=a', b]"`],
  ["{'a': 'x\"y'}", `"{'a': 'x""y'}"`],
  ["'=a'::BLOB", "'=a"],
  ["INTERVAL '-1 day'", "'-1 day"],
  ["'=x'::ENUM('=x')", "'=x"],
])("writes %s", async (sql, csv) => {
  const { written, streamed } = await bothOf(`SELECT ${sql} AS cell, 1 AS n`);
  expect(written).toBe(`cell,n\r\n${csv},1\r\n`);
  expect(streamed).toBe(written);
});

describe("with a semicolon and a decimal comma", () => {
  const form = { delimiter: ";", decimal: "," } as const;
  const cells: [sql: string, csv: string][] = [
    ["-9.9::DOUBLE", "-9,9"],
    ["1e-7::DOUBLE", "1e-07"],
    ["2.5e-7::DOUBLE", "2,5e-07"],
    ["'-infinity'::DOUBLE", "-inf"],
    ["0.1::FLOAT", "0,1"],
    ["-1.50::DECIMAL(10, 2)", "-1,50"],
    ["-5", "-5"],
    ["DATE '2024-01-02'", "2024-01-02"],
    ["TIMESTAMP '2024-01-02 03:04:05.6'", "2024-01-02 03:04:05.6"],
    ["NULL::DOUBLE", ""],
    // A text is nobody's number: only what could run is changed.
    ["'1.5'", "1.5"],
    ["'-9,9'", "-9,9"],
    ["'-9,9,9'", "'-9,9,9"],
    ["'a,b'", "a,b"],
    ["'a;b'", '"a;b"'],
    ["'=1;2'", `"'=1;2"`],
    ["'a\"b'", '"a""b"'],
    ["'@x'", "'@x"],
  ];

  it.each(cells)("writes %s as %s", async (sql, csv) => {
    await connection.run(`CREATE OR REPLACE TEMP TABLE made AS SELECT 1 AS n, ${sql} AS cell, 'z' AS last`);
    const file = join(folder, "form.csv");
    await write(connection, { table: "made", file, writes: { as: "csv", ...form } });
    expect(await readFile(file, "utf8")).toBe(`n;cell;last\r\n1;${csv};z\r\n`);
  });
});

it("takes a tab between cells, and quotes what holds one", async () => {
  await connection.run(
    "CREATE OR REPLACE TEMP TABLE made AS SELECT 'a' || chr(9) || 'b' AS x, chr(9) AS y, 1.5::DOUBLE AS z",
  );
  const file = join(folder, "tab.csv");
  const written = await write(connection, {
    table: "made",
    file,
    writes: { as: "csv", delimiter: "\t", decimal: "," },
  });
  expect(await readFile(file, "utf8")).toBe(`x\ty\tz\r\n"a\tb"\t"'\t"\t1,5\r\n`);
  expect(written).toEqual({ file, rows: 1, bytes: 23 });
});
