import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { splitRecords } from "./split.ts";

let folder: string;
beforeEach(async () => {
  await mkdir(resolve(".cais/tests"), { recursive: true });
  folder = await mkdtemp(resolve(".cais/tests/records-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function split(content: string | Uint8Array) {
  const [file, good, refused] = ["file.csv", "good.csv", "refused.csv"].map((name) => join(folder, name));
  if (file === undefined || good === undefined || refused === undefined) throw new Error("unreachable");
  await writeFile(file, content);
  const records = await splitRecords(file, good, refused);
  return { ...records, good: await readFile(good, "utf8"), refused: await readFile(refused, "utf8") };
}

describe("rows", () => {
  it("are numbered as a spreadsheet does, and blank lines count but are no rows", async () => {
    const { header, good, refused } = await split("a,b\n1,2\n\n3,4\n");
    expect(header).toEqual(["a", "b"]);
    expect(good).toBe("2,1,2\n4,3,4\n");
    expect(refused).toBe("");
  });

  it.each([
    ["LF", "a,b\n1,2\n3,4"],
    ["CRLF", "a,b\r\n1,2\r\n3,4\r\n"],
    ["both", "a,b\r\n1,2\n3,4\r\n"],
    ["a byte order mark", "\u{FEFF}a,b\n1,2\n3,4\n"],
    ["a byte order mark and quotes", '\u{FEFF}"a","b"\n1,2\n3,4\n'],
  ])("end in %s", async (_, content) => {
    const { header, good, refused } = await split(content);
    expect({ header, good, refused }).toEqual({ header: ["a", "b"], good: "2,1,2\n3,3,4\n", refused: "" });
  });

  it("may hold commas, quotes and line breaks in quotes", async () => {
    const { good, hasLineBreaks } = await split('a,b\n"1,5","say ""hi"""\n"two\r\nlines",""\n3,4\n');
    expect(good).toBe('2,"1,5","say ""hi"""\n3,"two\r\nlines",""\n4,3,4\n');
    expect(hasLineBreaks).toBe(true);
  });

  it("may hold a quote in the middle of a cell", async () => {
    expect((await split('a,b\n5" pipe,x\n')).good).toBe('2,"5"" pipe","x"\n');
  });

  it.each([
    ["too few cells", "1\n", "has 1 cells where the header has 2", "1"],
    ["too many cells", "1,2,3\n", "has 3 cells where the header has 2", "1,2,3"],
    ["text after a quote", '"1"x,2\n', "has text after a closing quote", '"1"x,2'],
    ["an open quote", '"1,2\n9,9\n', "opens a quote that is never closed", '"1,2\n9,9\n'],
    ["a zero byte", "1\0,2\n", "holds a zero byte", "1\u{FFFD},2"],
    ["a lone carriage return", "1\r1,2\n", "holds a carriage return outside quotes", "1\r1,2"],
  ])("are refused with %s, and the others go on", async (_, row, problem, shown) => {
    const { good, refused } = await split(`a,b\n7,8\n${row}`);
    expect(good).toBe("2,7,8\n");
    expect(refused).toBe(`3,"The row ${problem}.","${shown.replaceAll('"', '""')}"\n`);
  });

  it("are refused if they are not in UTF-8, and the others go on", async () => {
    const latin1 = Buffer.concat([
      Buffer.from("a,b\n1,2\n"),
      Buffer.from("caf\u{E9},2\n", "latin1"),
      Buffer.from("é,4\n"),
    ]);
    const { good, refused } = await split(latin1);
    expect(good).toBe("2,1,2\n4,é,4\n");
    expect(refused).toBe('3,"The row is not in UTF-8.","caf\u{FFFD},2"\n');
  });

  it("are refused if they are longer than a megabyte, and the others go on", async () => {
    const { good, refused } = await split(`a,b\n1,2\n${"x".repeat(3_500_000)},2\n"${"y".repeat(1_000_001)}",2\n5,6\n`);
    expect(good).toBe("2,1,2\n5,5,6\n");
    const lines = refused.trimEnd().split("\n");
    expect(lines.map((line) => line.slice(0, 45))).toEqual([
      '3,"The row is longer than 1,000,000 bytes.","',
      '4,"The row is longer than 1,000,000 bytes.","',
    ]);
    expect(refused.length).toBeLessThan(2200);
  });

  it("are the same wherever the reader's pieces end", async () => {
    // A piece is a mebibyte, so rows of odd lengths are cut at every place of a row.
    const rows = Array.from({ length: 60_000 }, (_, n) => `${n},"q""${"z".repeat(n % 37)}\r\n,"`);
    const { good, refused } = await split(`a,b\r\n${rows.join("\r\n")}\r\n`);
    expect(refused).toBe("");
    expect(good).toBe(rows.map((row, n) => `${n + 2},${row}\n`).join(""));
  });
});

describe("a file", () => {
  it.each([
    ["empty", "", "The file is empty; send one with a header row and at least one row."],
    ["of blank lines", "\n\r\n\n", "The file is empty; send one with a header row and at least one row."],
    ["of a header", "a,b\n", "The file has a header row but no rows; send one with at least one row."],
    [
      "in Latin-1",
      Buffer.from("caf\u{E9},b\n1,2\n", "latin1"),
      "The file is not in UTF-8; save it as CSV in UTF-8 and send it again.",
    ],
    [
      "in UTF-16",
      Buffer.from("\u{FEFF}a,b\n1,2\n", "utf16le"),
      "The file is not in UTF-8; save it as CSV in UTF-8 and send it again.",
    ],
    ["of zero bytes", new Uint8Array(100), "The file is not text: its first line holds a zero byte."],
    [
      "without an end of line",
      new Uint8Array(3_000_000).fill(65),
      "The file has no header row: its first line never ends.",
    ],
    [
      "of 4,097 columns",
      `a${",a".repeat(4096)}\n1\n`,
      "The file has 4,097 columns, but at most 4,096 are taken; send one with fewer.",
    ],
    ["with lone carriage returns", "a,b\r1,2\r3,4\r", "The file's header row holds a carriage return outside quotes."],
  ])("%s cannot be read", async (_, content, message) => {
    await expect(split(content)).rejects.toThrow(expect.objectContaining({ name: "Unreadable", message }));
  });
  it("may have 4,096 columns", async () => {
    const { header, good } = await split(`a${",a".repeat(4095)}\n1${",".repeat(4095)}\n`);
    expect(header).toHaveLength(4096);
    expect(good).toBe(`2,1${",".repeat(4095)}\n`);
  });
});
