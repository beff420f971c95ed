import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Contract } from "@cais/spec/contract.ts";
import { Reading } from "@cais/spec/upload.ts";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, expect, it } from "vitest";
import { sqlText } from "../engine/quote.ts";
import { readCsv } from "../formats/csv/index.ts";
import { testFolder } from "../processor-for-tests.ts";
import { checkRecords } from "./check.ts";

let folder: string;
let connection: DuckDBConnection;
beforeAll(async () => {
  folder = await testFolder("rejected");
  connection = await (await DuckDBInstance.create(":memory:", { threads: "2" })).connect();
});
afterAll(async () => {
  connection.closeSync();
  await rm(folder, { recursive: true });
});

const ROWS = 90_000;
/** A row of each kind: clean; broken; broken with a line break and quotes; with a cell too many; clean with quotes; broken with a stray one. */
const kinds = [
  (n: number) => `${n},plain`,
  (n: number) => `x${n},plain`,
  (n: number) => `x${n},"two\n""lines"" ${n}"`,
  (n: number) => `${n},one,more`,
  (n: number) => `${n},"a ""quote"""`,
  (n: number) => `x${n},sa"id`,
];
const line = (n: number) => kinds[n % kinds.length]?.(n) ?? "";
const note = (n: number) => ["", "plain", `two\n"lines" ${n}`, null, "", 'sa"id'][n % 6];

it("keeps so many refused rows that they are sorted in parts, each as it was in the file and in its order", async () => {
  const contract = Contract.parse({
    columns: [
      { name: "n", type: "integer" },
      { name: "note", type: "string" },
    ],
  });
  const content = `n,note\n${Array.from({ length: ROWS }, (_, n) => `${line(n + 1)}\n`).join("")}`;
  const read = async (text: string, own: string) => {
    const options = { reading: Reading.parse({}), contract, member: { name: null, index: 0 }, folder: own, tsv: false };
    return readCsv(Readable.from([Buffer.from(text)]), options);
  };
  const records = await read(content, folder);
  // As of a file that was corrected, whose new rows are records of the same member.
  const more = await mkdtemp(join(folder, "more-"));
  const corrected = await read(`n,note\n${"\n".repeat(ROWS)}still,wrong\n`, more);
  const checked = await checkRecords(connection, folder, [records, corrected], contract);
  const refused = Array.from({ length: ROWS }, (_, n) => n + 1).filter((n) => n % 6 !== 0 && n % 6 !== 4);
  const clean = ROWS - refused.length;
  expect(checked).toMatchObject({ read: ROWS + 1, clean, rejected: refused.length + 1 });
  const rows = (
    await connection.runAndReadAll(
      `SELECT "row"::INTEGER, text, cells[2] FROM read_parquet(${sqlText(checked.file ?? "")})`,
    )
  ).getRows();
  // The header is the first row.
  expect(rows).toEqual([...refused.map((n) => [n + 1, line(n), note(n)]), [ROWS + 2, "still,wrong", "wrong"]]);
});
