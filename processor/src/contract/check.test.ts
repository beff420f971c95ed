import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type Column, Contract } from "@cais/spec/contract.ts";
import { Reading } from "@cais/spec/upload.ts";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { z } from "zod";
import { readCsv } from "../formats/csv/index.ts";
import { testFolder } from "../processor-for-tests.ts";
import { checkRecords } from "./check.ts";
import { placeColumns } from "./columns.ts";

let folder: string;
beforeAll(async () => {
  folder = await testFolder("check");
});
afterAll(() => rm(folder, { recursive: true }));

/** Checks a file; gives the clean rows as text and the refused ones with the reasons why. */
async function check(
  content: string | Buffer,
  contract: z.input<typeof Contract>,
  reading: z.input<typeof Reading> = {},
) {
  const own = await mkdtemp(join(folder, "file-"));
  const parsed = Contract.parse(contract);
  const options = {
    reading: Reading.parse(reading),
    contract: parsed,
    member: { name: null, index: 0 },
    folder: own,
    tsv: false,
  };
  const connection = await (await DuckDBInstance.create()).connect();
  await connection.run("SET TimeZone = 'UTC'");
  const records = await readCsv(Readable.from([Buffer.from(content)]), options);
  const checked = await checkRecords(connection, own, [records], parsed);
  const rows = async (sql: string) => (await connection.runAndReadAll(sql)).getRowsJson();
  const result = {
    counts: [checked.read, checked.clean, checked.rejected],
    clean: await rows("SELECT COLUMNS(*)::VARCHAR FROM input"),
    rejected:
      checked.file === null
        ? []
        : await rows(
            `SELECT "row"::INTEGER, text, cells, list_transform(violations, lambda v: [v."column", v.reason, v.value]) FROM '${checked.file}'`,
          ),
  };
  connection.closeSync();
  return result;
}

/** Checks one cell by one column; gives its value as text and the reasons why it is refused. */
async function checkCell(cell: string, column: Omit<z.input<typeof Column>, "name">) {
  const { clean, rejected } = await check(`c\n"${cell.replaceAll('"', '""')}"\n`, {
    columns: [{ name: "c", ...column }],
  });
  const told = rejected[0]?.[3];
  const reasons = Array.isArray(told) ? told.map((each) => (Array.isArray(each) ? each[1] : each)) : null;
  return { value: clean[0]?.[0] ?? null, reasons };
}

const titled = (...from: string[]) =>
  Contract.parse({ columns: from.map((title, n) => ({ name: `c${n}`, from: title, type: "string" })) });

const places = (contract: Contract, header: string[]) =>
  placeColumns(contract, header).columns.map(({ place }) => place);

it("finds columns by their title, whatever their order and the way their accents are written", () => {
  expect(places(titled(" Preço", "b"), ["x", "b", "Pre\u{E7}o"])).toEqual([2, 1]);
  expect(places(titled("Prec\u{327}o"), ["Pre\u{E7}o"])).toEqual([0]);
});

it.each([
  [["c", "b"], 'The header row lacks "d"; it has "c", "b".'],
  [["c", "D"], 'The header row lacks "d" (is it "D"?); it has "c", "D".'],
  [
    ["v", "w", "x", "y", "z", "q"],
    'The header row has none of the 2 columns expected; is it the right file? It has "v", "w", "x", "y", "z", ….',
  ],
  [["c;d"], 'The file separates its cells by ";"; save it as CSV with commas and send it again.'],
  [["c\td"], "The file separates its cells by tabs; save it as CSV with commas and send it again."],
  [["c", "d", "c"], 'The header row has "c" more than once; name each column once.'],
])("cannot read a file with the header %j", (header, message) => {
  expect(() => placeColumns(titled("c", "d"), header)).toThrow(
    expect.objectContaining({ name: "Unreadable", message }),
  );
});

it.each([
  ["2024-01-01T00:00", "2024-01-01 00:00:00"],
  ["2024-01-01T00:00Z", "2024-01-01 00:00:00"],
  [" 2024-01-01 00:00-03:00 ", "2024-01-01 03:00:00"],
  ["2024-01-01T00:00+0530", "2023-12-31 18:30:00"],
  ["2024-01-01T00:00:01.25-03", "2024-01-01 03:00:01.25"],
])("takes the date and time %s", async (cell, value) => {
  expect(await checkCell(cell, { type: "timestamp" })).toEqual({ value, reasons: null });
});

it.each(["2024-01-01", "2024-01-01T00Z", "2024-01-01T25:00Z", "2024-01-01T00:00 UTC"])(
  "refuses %s as a date and time and names what is taken",
  async (cell) => {
    expect(await checkCell(cell, { type: "timestamp" })).toEqual({
      value: null,
      reasons: ["is not a date and time (YYYY-MM-DD HH:MM or HH:MM:SS, and a zone such as Z or -03:00 if it has one)"],
    });
  },
);

it.each(["string", "integer", "double", "boolean", "date", "timestamp"] as const)(
  "takes white space for empty where a column of type %s is required",
  async (type) => {
    for (const cell of [" ", "\t \u{A0}", "\n"])
      expect(await checkCell(cell, { type, required: true })).toMatchObject({ reasons: ["is required, but empty"] });
  },
);

it("takes white space for text where nothing is required", async () => {
  expect(await checkCell(" ", { type: "string" })).toEqual({ value: " ", reasons: null });
});

it("keeps more refused rows than it sorts at a time, each once and in the order of the file", async () => {
  const lines = Array.from({ length: 120_000 }, (_, n) => (n % 3 === 0 ? `x${n}` : n % 3 === 1 ? `${n},more` : `${n}`));
  const { counts, rejected } = await check(`n\n${lines.join("\n")}\n`, { columns: [{ name: "n", type: "integer" }] });
  expect(counts).toEqual([120_000, 40_000, 80_000]);
  const expected = lines.flatMap((line, n) => (n % 3 === 2 ? [] : [[n + 2, line]]));
  expect(rejected.map(([row, text]) => [row, text])).toEqual(expected);
}, 60_000);
