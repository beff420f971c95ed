import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ZipFile } from "yazl";
import { bookOf } from "@cais/processor/src/formats/excel-for-tests.ts";
import { handMade, zipOf } from "@cais/processor/src/formats/zip-for-tests.ts";
import { type Attacked, filesBelow, outcome, startAttacked } from "./attacked.ts";
import { parquetBomb } from "./parquet-bomb.ts";

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked("archives");
});
afterEach(() => attacked.check());
afterAll(() => attacked?.stop());

const csv = "day,amount,note\n2024-01-31,1,x\n";
const row = "2024-01-31,1,x\n";
const tooMuch =
  /^quarantined: The file holds more than the 100,000,000 bytes that the stack takes once a file is decompressed/;
/** Ten megabytes of rows in some kilobytes. */
const rows = row.repeat(700_000);
const gzipped = gzipSync(rows);
const zeros = gzipSync(Buffer.alloc(10_000_000));
const letters = gzipSync(Buffer.alloc(10_000_000, "x"));
const many = csv + row.repeat(70_000);

/** A Parquet file whose pages are noise. */
function swapped(file: Buffer): Buffer {
  return Buffer.concat([file.subarray(0, 12), Buffer.alloc(30, 0xa5), file.subarray(42)]);
}

function* pieces(start: string, piece: string, times: number, end: string) {
  yield Buffer.from(start);
  for (let n = 0; n < times; n++) yield Buffer.from(piece);
  yield Buffer.from(end);
}

/** Writes a zip whose one file repeats a piece, deflated as it goes. */
const zipOfMany = (name: string, start: string, piece: string, times: number, end: string) => (path: string) => {
  const zip = new ZipFile();
  zip.addReadStream(Readable.from(pieces(start, piece, times, end)), name);
  zip.end();
  return pipeline(zip.outputStream, createWriteStream(path));
};

describe("a bomb", () => {
  it.each([
    [
      "of 10 GB in a gzip of many members",
      Buffer.concat([gzipSync(csv), ...Array.from({ length: 1000 }, () => gzipped)]),
      "bomb.csv.gz",
      tooMuch,
    ],
    [
      "of 10 GB of zeros in a gzip",
      Buffer.concat(Array.from({ length: 1000 }, () => zeros)),
      "bomb.csv.gz",
      /^quarantined: /,
    ],
    [
      "of 10 GB in a gzip, in one row",
      Buffer.concat([gzipSync(csv), ...Array.from({ length: 1000 }, () => letters)]),
      "bomb.csv.gz",
      tooMuch,
    ],
    ["of 150 MB in a zip", zipOfMany("a.csv", csv, rows, 15, ""), "bomb.zip", tooMuch],
    [
      "of 10 MB in a zip that says 10 bytes",
      handMade([{ content: `${csv}${rows}`, size: 10 }]),
      "bomb.zip",
      /^quarantined: "a\.csv" in the zip cannot be read: The zip is damaged or cut off \(too many bytes/,
    ],
    [
      "of 4 GB a file in a zip whose files share their bytes",
      handMade([
        { content: csv + rows },
        ...Array.from({ length: 1000 }, (_, n) => ({ content: csv, name: `${n}.csv`, offset: 0 })),
      ]),
      "bomb.zip",
      /^quarantined: The zip lays ".*" over another of its files/,
    ],
    [
      "of 8,000 files of 1 MB each in a zip",
      handMade(Array.from({ length: 8000 }, (_, n) => ({ content: many, name: `${n}.csv` }))),
      "bomb.zip",
      tooMuch,
    ],
    [
      "of 8,001 files in a zip",
      handMade(Array.from({ length: 8001 }, (_, n) => ({ content: "", name: `${n}.csv` }))),
      "bomb.zip",
      /^quarantined: The zip holds 8,001 files/,
    ],
    [
      "of a zip in a zip in a zip",
      zipOf({ "a.zip": handMade([{ content: "x", name: "b.zip" }]) }),
      "bomb.zip",
      /^quarantined: "a\.zip" in the zip cannot be read: The file holds a zip inside a compressed file/,
    ],
    [
      "of a gzip in a gzip",
      gzipSync(gzipSync(rows)),
      "bomb.csv.gz",
      /^quarantined: The file holds a gzip inside a compressed file/,
    ],
    [
      "of 27 GB of one shared text in a workbook",
      bookOf({
        strings: `<si><t>${"x".repeat(900_000)}</t></si>`,
        sheet: `<row r="1">${["day", "amount", "note"].map((title) => `<c t="inlineStr"><is><t>${title}</t></is></c>`).join("")}</row>${'<row><c t="s"><v>0</v></c><c t="s"><v>0</v></c><c t="s"><v>0</v></c></row>'.repeat(10_000)}`,
      }),
      "bomb.xlsx",
      tooMuch,
    ],
    ["of 5 TB in a Parquet file", parquetBomb("note", 1_000_000, 5_000_000), "bomb.parquet", tooMuch],
    ["of 2 PB in a Parquet file", parquetBomb("note", 1_000_000, 2 ** 31 - 1), "bomb.parquet", tooMuch],
  ])(
    "%s is quarantined",
    async (_, content, name, expected) => {
      expect(outcome(await attacked.send(content, name))).toMatch(expected);
    },
    120_000,
  );
});

it("takes a workbook of 60 MB of shared texts within its memory", async () => {
  const strings = `<si><t>${"x".repeat(10_000)}</t></si>`.repeat(6000);
  const titles = ["day", "amount", "note"].map((title) => `<c t="inlineStr"><is><t>${title}</t></is></c>`).join("");
  const sheet = `<row r="1">${titles}</row><row><c t="d"><v>2024-01-31</v></c><c><v>1</v></c><c t="s"><v>5999</v></c></row>`;
  expect(outcome(await attacked.send(bookOf({ strings, sheet }), "large.xlsx"))).toBe("done: 1 read, 1 clean");
}, 60_000);

describe("an archive", () => {
  it.each([
    ["cut off in a gzip", gzipSync(csv + rows).subarray(0, 5000), "a.csv.gz", /^quarantined: The gzip file is cut off/],
    ["cut off in a gzip's head", gzipSync(csv).subarray(0, 5), "a.csv.gz", /^quarantined: The gzip file is cut off/],
    [
      "cut off in a zip",
      handMade([{ content: csv + rows }]).subarray(0, 5000),
      "a.zip",
      /^quarantined: The zip is damaged or cut off/,
    ],
    [
      "cut off in a workbook",
      handMade([{ content: "<workbook/>", name: "xl/workbook.xml" }]).subarray(0, -5),
      "a.xlsx",
      /^quarantined: The zip is damaged or cut off/,
    ],
    [
      "cut off in a Parquet file",
      parquetBomb("note", 10, 10).subarray(0, -9),
      "a.parquet",
      /^quarantined: The Parquet file is cut off/,
    ],
    [
      "with other pages than a Parquet file's footer says",
      swapped(parquetBomb("note", 1000, 10)),
      "a.parquet",
      /^quarantined: The Parquet file is damaged/,
    ],
    [
      "with a wrong checksum",
      handMade([{ content: csv, crc: 7 }]),
      "a.zip",
      /^quarantined: .*the checksum of "a\.csv" is wrong/,
    ],
    [
      "with a symbolic link",
      handMade([{ content: "/etc/passwd", mode: 0o120_777 }]),
      "a.zip",
      /^quarantined: The zip holds "a\.csv", which is no ordinary file/,
    ],
    [
      "with a device",
      handMade([{ content: csv, mode: 0o020_666 }]),
      "a.zip",
      /^quarantined: The zip holds "a\.csv", which is no ordinary file/,
    ],
    [
      "with an encrypted file",
      handMade([{ content: csv, flags: 0x801 }]),
      "a.zip",
      /^quarantined: The zip holds "a\.csv", which is encrypted/,
    ],
    [
      "with a name upwards",
      handMade([{ content: csv, name: "../../../evil.csv" }]),
      "a.zip",
      /^quarantined: The zip holds a file whose name leads out/,
    ],
    [
      "with a name upwards, by backslashes",
      handMade([{ content: csv, name: "..\\..\\evil.csv" }]),
      "a.zip",
      /^quarantined: The zip holds a file whose name leads out/,
    ],
    [
      "with an absolute name",
      handMade([{ content: csv, name: "/tmp/evil.csv" }]),
      "a.zip",
      /^quarantined: The zip holds a file whose name leads out/,
    ],
    [
      "with a name of 1,000 characters",
      handMade([{ content: csv, name: `${"n".repeat(996)}.csv` }]),
      "a.zip",
      /^quarantined: .*longer than 500 characters/,
    ],
    [
      "with a name twice",
      handMade([{ content: csv }, { content: csv }]),
      "a.zip",
      /^quarantined: The zip holds "a\.csv" twice/,
    ],
    [
      "with a file of another kind",
      zipOf({ "a.csv": csv, "b.exe": Buffer.from("7f454c46", "hex") }),
      "a.zip",
      /^quarantined: "b\.exe" in the zip cannot be read: The file is a program/,
    ],
    ["with nothing", zipOf({}), "a.zip", /^quarantined: The zip holds no file/],
    [
      "with names that look alike",
      zipOf({ "a.csv": csv, "\u0430.csv": csv, "A.csv": csv, "\uFF41.csv": csv }),
      "a.zip",
      /^done: 4 read, 4 clean/,
    ],
    [
      "with names that are SQL, or go where they must not",
      zipOf({ "'); DROP TABLE sold; --.csv": csv, "%2e%2e%2fevil.csv": csv, "~/evil.csv": csv, con: csv }),
      "a.zip",
      /^done: 4 read, 4 clean/,
    ],
  ])("%s ends well", async (_, content, name, expected) => {
    expect(outcome(await attacked.send(content, name))).toMatch(expected);
  });

  it("never wrote anything by a name that was in it", async () => {
    const names = [...(await filesBelow(attacked.folder)).keys()];
    expect(names.filter((name) => /evil|passwd|con$/.test(name))).toEqual([]);
  });
});
