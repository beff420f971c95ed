import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Contract } from "@cais/spec/contract.ts";
import { Reading } from "@cais/spec/upload.ts";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import { readCsv } from "../formats/csv/index.ts";
import { testFolder } from "../processor-for-tests.ts";
import { checkRecords } from "./check.ts";
import { recordWriter, type Records } from "./records.ts";

let folder: string;
beforeAll(async () => {
  folder = await testFolder("demands");
});
afterAll(() => rm(folder, { recursive: true }));

type Input = z.input<typeof Contract>;

/** Checks files, members of one; gives clean rows and refused ones with their member, row and reasons. */
async function check(files: string[], input: Input, fast: boolean) {
  const own = await mkdtemp(join(folder, "file-"));
  const contract = Contract.parse(input);
  const records: Records[] = [];
  for (const [index, content] of files.entries()) {
    const member = { name: files.length > 1 ? `m${index}.csv` : null, index };
    const options = { reading: Reading.parse({}), contract, member, folder: own, tsv: false, fast, fastFrom: 0 };
    records.push(await readCsv(Readable.from([Buffer.from(content)]), options));
  }
  const connection = await (await DuckDBInstance.create()).connect();
  await connection.run("SET TimeZone = 'UTC'");
  try {
    const { file } = await checkRecords(connection, own, records, contract);
    const rows = async (sql: string) => (await connection.runAndReadAll(sql)).getRowsJson();
    const clean = await rows("SELECT COLUMNS(*)::VARCHAR FROM input ORDER BY ALL");
    const told = `SELECT member, "row"::INTEGER, list_transform(violations, lambda v: concat_ws('|', v."column", v.reason, v.value)) FROM '${file}'`;
    return { clean, rejected: file === null ? [] : await rows(told) };
  } finally {
    connection.closeSync();
  }
}

const one = async (content: string, input: Input) => check([content], input, false);

describe.each([true, false])("uniqueness, plain rows told apart: %s", (fast) => {
  it("takes the first row that holds otherwise, and names it to the others", async () => {
    const { clean, rejected } = await check(
      ["a,b,c\n1,x,bad\n1,x,1\n1,y,2\n,y,3\n2,y,3\n2,y,3\n"],
      {
        columns: [
          { name: "a", type: "integer", unique: true },
          { name: "b", type: "string" },
          { name: "c", type: "integer" },
        ],
        unique: [
          ["b", "c"],
          ["b", "a"],
        ],
      },
      fast,
    );
    expect(clean).toEqual([
      ["1", "x", "1"],
      [null, "y", "3"],
    ]);
    expect(rejected).toEqual([
      [null, 2, ["c|is not a whole number of at most 64 bits|bad"]],
      [null, 4, ["a|is in row 3 already|1"]],
      [null, 6, ["The values of b, c are in row 5 already."]],
      [
        null,
        7,
        [
          "a|is in row 6 already|2",
          "The values of b, c are in row 5 already.",
          "The values of b, a are in row 6 already.",
        ],
      ],
    ]);
  });

  it("is asked over all members of a zip", async () => {
    const input: Input = { columns: [{ name: "a", type: "string", unique: true }] };
    const { rejected } = await check(["a\nx\ny\n", "b,a\n1,z\n2,x\n"], input, fast);
    expect(rejected).toEqual([["m1.csv", 3, ["a|is in row 2 of m0.csv already|x"]]]);
  });
});

it("reads numbers as the contract or their column spells them", async () => {
  const { clean, rejected } = await one(
    "i;n;p;q\n1.234;1.234,5;1.234,50;1,234.5\n12;,5;-,25;.5\n1.23;1.5;1,005;1,5\n",
    {
      decimal: ",",
      thousands: ".",
      columns: [
        { name: "i", type: "integer" },
        { name: "n", type: "double" },
        { name: "p", type: "decimal" },
        { name: "q", type: "decimal", scale: 1, decimal: ".", thousands: "," },
      ],
    },
  );
  expect(clean).toEqual([
    ["12", "0.5", "-0.25", "0.5"],
    ["1234", "1234.5", "1234.50", "1234.5"],
  ]);
  expect(rejected).toEqual([
    [
      null,
      4,
      [
        "i|is not a whole number of at most 64 bits (such as 1.234)|1.23",
        "n|is not a number such as 1.234,5|1.5",
        "p|is not a number such as 1.234,5, with at most 2 digits after the comma|1,005",
        "q|is not a number such as 1,234.5, with at most 1 digit after the point|1,5",
      ],
    ],
  ]);
});

it("takes spellings of no value, with white space around, and a column's own in place of the contract's", async () => {
  const { clean, rejected } = await one("a,b,c\nNULL, -9999 ,-9999\n-9999,NULL,\nx,1,2\n", {
    nulls: ["NULL", "-9999"],
    columns: [
      { name: "a", type: "string", nulls: ["-9999"] },
      { name: "b", type: "integer", min: 0 },
      { name: "c", type: "integer", required: true },
    ],
  });
  expect(clean).toEqual([["x", "1", "2"]]);
  expect(rejected).toEqual([
    [null, 2, ["c|is required, but empty|-9999"]],
    [null, 3, ["c|is required, but empty"]],
  ]);
});

it("puts times of a zone's clocks into UTC, and refuses one that they skip", async () => {
  const { clean, rejected } = await one(
    "t,d\n04/11/2018 02:00,3/1/24\n2018-11-04 02:00:00-05:00,\n04/11/2018 00:30,\n01/01/2018 12:00,01/13/24\n",
    {
      columns: [
        {
          name: "t",
          type: "timestamp",
          format: ["%d/%m/%Y %H:%M", "%Y-%m-%d %H:%M:%S%z"],
          timezone: "America/Sao_Paulo",
          min: "2018-02-01",
        },
        { name: "d", type: "date", format: "%d/%m/%y", max: "2024-12-31" },
      ],
    },
  );
  expect(clean).toEqual([
    ["2018-11-04 04:00:00", "2024-01-03"],
    ["2018-11-04 07:00:00", null],
  ]);
  const notTime =
    "t|is not a date and time (%d/%m/%Y %H:%M or %Y-%m-%d %H:%M:%S%z), or is skipped by the clocks of America/Sao_Paulo|";
  expect(rejected).toEqual([
    [null, 4, [`${notTime}04/11/2018 00:30`]],
    [null, 5, ["t|is below 2018-02-01|01/01/2018 12:00", "d|is not a date (%d/%m/%y)|01/13/24"]],
  ]);
});

it("keeps columns that are not named, drops them, or refuses the file", async () => {
  const columns: Input["columns"] = [
    { name: "a", type: "integer" },
    { name: "b", type: "date", optional: true },
  ];
  const content = "x,a,x,\n1,2,,\n";
  expect((await one(content, { columns })).clean).toEqual([["2", null]]);
  expect((await one(content, { columns, unknownColumns: "keep" })).clean).toEqual([["2", null, "{x=1, 'x (2)'=NULL}"]]);
  await expect(one("aa,a,B\n1,2,3\n", { columns, unknownColumns: "reject" })).rejects.toThrow(
    'The header row has "aa", "B" (is it "b"?), which is not expected; leave it out.',
  );
});

it("checks rows that a format has written, of which some are short", async () => {
  const own = await mkdtemp(join(folder, "written-"));
  const header = ["a"];
  const writer = recordWriter(own, { name: "m.json", index: 3 }, header);
  writer.row(1, ["1"]);
  header.push(" b ");
  writer.row(2, [null, 'say "hi",\nyou'], '{"b":…}');
  writer.row(3, ["x", "\0"]);
  writer.row(4, ["y", null]);
  writer.refuse(5, "The line is not JSON.", "{");
  const records = writer.close({ found: { format: "json" } });
  const contract = Contract.parse({
    columns: [
      { name: "a", type: "integer" },
      { name: "b", type: "string" },
    ],
  });
  const connection = await (await DuckDBInstance.create()).connect();
  const { file, ...counts } = await checkRecords(connection, own, [records], contract);
  const rows = async (sql: string) => (await connection.runAndReadAll(sql)).getRowsJson();
  expect(counts).toEqual({ read: 5, clean: 2, rejected: 3, header: ["a", "b"], found: { format: "json" } });
  expect(await rows("SELECT * FROM input")).toEqual([
    ["1", null],
    [null, 'say "hi",\nyou'],
  ]);
  expect(await rows(`SELECT "row"::INTEGER, member, text, cells, violations[1].reason FROM '${file}'`)).toEqual([
    [3, "m.json", "x,\u{FFFD}", null, "The row holds a zero byte."],
    [4, "m.json", "y,", ["y", null], "is not a whole number of at most 64 bits"],
    [5, "m.json", "{", null, "The line is not JSON."],
  ]);
  connection.closeSync();
});
