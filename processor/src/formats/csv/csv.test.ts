import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Contract } from "@cais/spec/contract.ts";
import { Reading } from "@cais/spec/upload.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import { testFolder } from "../../processor-for-tests.ts";
import { readCsv } from "./index.ts";

let folder: string;
beforeAll(async () => {
  folder = await testFolder("csv");
});
afterAll(() => rm(folder, { recursive: true }));

const ab = { columns: ["a", "b"].map((name) => ({ name, type: "string" as const })) };

/** Reads a file as text rows; gives its records with what is in their files. */
async function read(
  content: string | Uint8Array,
  {
    contract = ab,
    csv = {},
    tsv = false,
    piece = 1 << 20,
  }: { contract?: z.input<typeof Contract>; csv?: z.input<typeof Reading>["csv"]; tsv?: boolean; piece?: number } = {},
) {
  const own = await mkdtemp(join(folder, "file-"));
  const bytes = Buffer.from(content);
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += piece) pieces.push(bytes.subarray(at, at + piece));
  const records = await readCsv(Readable.from(pieces), {
    reading: Reading.parse({ csv }),
    contract: Contract.parse(contract),
    member: { name: null, index: 0 },
    folder: own,
    tsv,
    fast: false,
  });
  const good = await readFile(records.file, "utf8");
  const refused = await readFile(records.refusedFile, "utf8");
  return { ...records, good, refused };
}

describe("rows", () => {
  it("are numbered as a spreadsheet does, and blank lines count but are no rows", async () => {
    const { header, good, refused } = await read("a,b\n1,2\n\n3,4\n");
    expect(header).toEqual(["a", "b"]);
    expect(good).toBe("2,,1,2\n4,,3,4\n");
    expect(refused).toBe("");
  });

  it.each([
    ["LF", "a,b\n1,2\n3,4"],
    ["CRLF", "a,b\r\n1,2\r\n3,4\r\n"],
    ["both", "a,b\r\n1,2\n3,4\r\n"],
    ["a byte order mark", "\u{FEFF}a,b\n1,2\n3,4\n"],
    ["a byte order mark and quotes", '\u{FEFF}"a","b"\n1,2\n3,4\n'],
  ])("end in %s", async (_, content) => {
    const { header, good, refused } = await read(content);
    expect({ header, good, refused }).toEqual({ header: ["a", "b"], good: "2,,1,2\n3,,3,4\n", refused: "" });
  });

  it("may hold delimiters, quotes and line breaks in quotes, and keep their text", async () => {
    const { good, hasLineBreaks } = await read('a,b\n"1,5","say ""hi"""\n"two\r\nlines",""\n3,4\n');
    expect(good).toBe(
      '2,"""1,5"",""say """"hi""""""","1,5","say ""hi"""\n3,"""two\r\nlines"",""""","two\r\nlines",""\n4,,3,4\n',
    );
    expect(hasLineBreaks).toBe(true);
  });

  it("may hold a quote in the middle of a cell", async () => {
    expect((await read('a,b\n5" pipe,x\n')).good).toBe('2,"5"" pipe,x","5"" pipe","x"\n');
  });

  it.each([
    ["too few cells", "1\n", "has 1 cells where the header has 2", "1"],
    ["too many cells", "1,2,3\n", "has 3 cells where the header has 2", "1,2,3"],
    ["text after a quote", '"1"x,2\n', "has text after a closing quote", '"1"x,2'],
    ["an open quote", '"1,2\n9,9\n', "opens a quote that is never closed", '"1,2\n9,9\n'],
    ["a zero byte", "1\0,2\n", "holds a zero byte", "1\u{FFFD},2"],
    ["a lone carriage return", "1\r1,2\n", "holds a carriage return outside quotes", "1\r1,2"],
  ])("are refused with %s, and the others go on", async (_, row, problem, shown) => {
    const { good, refused } = await read(`a,b\n7,8\n${row}`);
    expect(good).toBe("2,,7,8\n");
    expect(refused).toBe(`3,"The row ${problem}.","${shown.replaceAll('"', '""')}"\n`);
  });

  it("are refused if they are longer than a megabyte, and the others go on", async () => {
    const { good, refused } = await read(`a,b\n1,2\n${"x".repeat(3_500_000)},2\n"${"y".repeat(1_000_001)}",2\n5,6\n`);
    expect(good).toBe("2,,1,2\n5,,5,6\n");
    const lines = refused.trimEnd().split("\n");
    expect(lines.map((line) => [line.slice(0, 47), line.length])).toEqual([
      ['3,"The row is longer than 1,000,000 bytes.","xx', 1_000_046],
      ['4,"The row is longer than 1,000,000 bytes.","""', 1_000_047],
    ]);
  });

  it("cannot be told apart after a quote that takes a megabyte of them with it", async () => {
    const rows = "5,6\n".repeat(300_000);
    const reason = "Row 3 opens a quote that is not closed within 1,000,000 bytes, so the rows after it cannot be told";
    for (const content of [`"7,8\n${rows}`, `"7,8\n${rows}9,"10"\n${rows}`])
      await expect(read(`a,b\n1,2\n${content}`)).rejects.toThrow(reason);
    const { good, refused } = await read(`a,b\n1,2\n"${rows}",2\n5,6\n`);
    expect(good).toBe("2,,1,2\n4,,5,6\n");
    expect(refused).toContain('3,"The row is longer than 1,000,000 bytes."');
  });

  it("are the same wherever the pieces of a file end", async () => {
    const rows = Array.from({ length: 3000 }, (_, n) => `${n},"q""${"ção".repeat(n % 7)}\r\n,"`);
    const content = `a,b\r\n${rows.join("\r\n")}\r\n`;
    const whole = await read(content);
    expect(whole).toMatchObject({ refused: "", found: { encoding: "utf-8" } });
    for (const piece of [4097, 5001]) expect((await read(content, { piece })).good).toBe(whole.good);
  });
});

describe("the encoding", () => {
  const text = "a,b\nação,€ “x”\n";
  const utf16 = (big: boolean, mark: string) => {
    const bytes = Buffer.from(mark + text, "utf16le");
    return big ? bytes.swap16() : bytes;
  };
  it.each([
    ["UTF-8", Buffer.from(text), "utf-8"],
    ["UTF-16 LE with a mark", utf16(false, "\u{FEFF}"), "utf-16le"],
    ["UTF-16 BE with a mark", utf16(true, "\u{FEFF}"), "utf-16be"],
    ["UTF-16 LE without one", utf16(false, ""), "utf-16le"],
    ["UTF-16 BE without one", utf16(true, ""), "utf-16be"],
    ["Windows-1252", Buffer.from("a,b\na\xE7\xE3o,\x80 \x93x\x94\n", "latin1"), "windows-1252"],
  ])("%s is found", async (_, content, encoding) => {
    const { good, found } = await read(content);
    expect({ good, found }).toEqual({ good: "2,,ação,€ “x”\n", found: { format: "csv", encoding, delimiter: "," } });
  });

  it("is Windows-1252 from the first line on that is not UTF-8, if all before it is ASCII", async () => {
    const rows = Array.from({ length: 2000 }, (_, n) => `${n},x\n`).join("");
    const content = Buffer.concat([Buffer.from(`a,b\n${rows}`), Buffer.from("caf\xE9,1\n\xC3\xA9,2\n", "latin1")]);
    for (const piece of [1 << 20, 5000]) {
      const { good, refused, found } = await read(content, { piece });
      expect(good.endsWith("2002,,café,1\n2003,,Ã©,2\n")).toBe(true);
      expect({ refused, encoding: found.encoding }).toEqual({ refused: "", encoding: "windows-1252" });
    }
  });

  it("is UTF-8 where other signs of it came before, and a row of another encoding is refused", async () => {
    const content = Buffer.concat([
      Buffer.from("a,b\né,1\n"),
      Buffer.from("caf\xE9,2\n", "latin1"),
      Buffer.from("ü,3\n"),
    ]);
    const { good, refused, found } = await read(content);
    expect(good).toBe("2,,é,1\n4,,ü,3\n");
    expect(refused).toBe('3,"The row is not in UTF-8.","caf\u{FFFD},2"\n');
    expect(found.encoding).toBe("utf-8");
  });

  it("is what the stack says", async () => {
    const latin = Buffer.from("a,b\n\xC3\xA9,\x80\n", "latin1");
    expect((await read(latin, { csv: { encoding: "windows-1252" } })).good).toBe("2,,Ã©,€\n");
    const { good, refused } = await read(latin, { csv: { encoding: "utf-8" } });
    expect({ good, refused }).toEqual({ good: "", refused: '2,"The row is not in UTF-8.","é,\u{FFFD}"\n' });
  });

  it("holds a row of broken UTF-16 back", async () => {
    const bytes = Buffer.from("\u{FEFF}a,b\n1,x\n2,y\n", "utf16le");
    bytes.writeUInt16LE(0xd800, 2 * 7);
    const { good, refused } = await read(bytes);
    expect({ good, refused }).toEqual({
      good: "3,,2,y\n",
      refused: '2,"The row holds what is no character in UTF-16.","1,\u{FFFD}"\n',
    });
  });
});

describe("the header", () => {
  it.each([";", "\t", "|", ","])("tells that %j separates the cells", async (delimiter) => {
    const { good, found, header } = await read(
      `"a, x;y|z\tw"${delimiter}a${delimiter}b\n1${delimiter}2${delimiter}3\n`,
    );
    expect(header).toEqual(["a, x;y|z\tw", "a", "b"]);
    expect(good).toBe(`2${delimiter}${delimiter}1${delimiter}2${delimiter}3\n`);
    expect(found.delimiter).toBe(delimiter);
  });

  it("is the first line that holds the columns, and lines before it give values", async () => {
    const { header, preamble, good } = await read('Report; of "x\nStation:;A1;\nHeight: 12,5\n\nx;a;b\n1;2;3\n');
    expect({ header, good }).toEqual({ header: ["x", "a", "b"], good: "6;;1;2;3\n" });
    expect(preamble).toEqual({ Report: 'of "x', Station: "A1", Height: "12,5" });
  });

  it("stands after as many lines as the stack says, even if one before holds the columns", async () => {
    const { good, preamble } = await read("a,b\nb,a\n1,2\n", { csv: { preamble: 1 } });
    expect({ good, preamble }).toEqual({ good: "3,,1,2\n", preamble: { a: "b" } });
  });

  it("may be missing where the stack says so", async () => {
    const { header, good } = await read("x\n1;2\n3;4\n", { csv: { header: false, preamble: 1 } });
    expect({ header, good }).toEqual({ header: ["a", "b"], good: "2;;1;2\n3;;3;4\n" });
  });

  it("may end in cells without a title, where no row may have a value", async () => {
    const { good, refused } = await read('a;b;\n1;2;\n3;4;5\n6;7;""\n8;9\n');
    expect(good).toBe('2;;1;2;\n4;"6;7;""""";6;7;""\n');
    expect(refused).toBe(
      '3,"The row has a value after the last column of the header.","3;4;5"\n5,"The row has 2 cells where the header has 3.","8;9"\n',
    );
  });

  it("may be quoted over several lines", async () => {
    const contract = { columns: [{ name: "a", from: "a\nx", type: "string" as const }] };
    expect((await read('"a\nx",b\n1,2\n', { contract })).good).toBe("2,,1,2\n");
  });
});

describe("a file", () => {
  it.each([
    ["empty", "", "The file is empty; send one with a header row and at least one row."],
    ["of blank lines", "\n\r\n\n", "The file is empty; send one with a header row and at least one row."],
    ["of a header", "a,b\n", "The file has a header row but no rows; send one with at least one row."],
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
    ["with a column twice", "a,b,a\n1,2,3\n", 'The header row has "a" more than once; name each column once.'],
    [
      "with other columns",
      "x,y\n1,2\n",
      'The header row has none of the 2 columns expected; is it the right file? It has "x", "y".',
    ],
  ])("%s cannot be read", async (_, content, message) => {
    await expect(read(content)).rejects.toThrow(expect.objectContaining({ name: "Unreadable", message }));
  });

  it("may have 4,096 columns, and others twice", async () => {
    const { header, good } = await read(`a,b${",x".repeat(4094)}\n1${",".repeat(4095)}\n`);
    expect(header).toHaveLength(4096);
    expect(good).toBe(`2,,1${",".repeat(4095)}\n`);
  });

  it("of tabs is read as one", async () => {
    const { good, found } = await read("a\tb\n1,5\t2\n", { tsv: true });
    expect({ good, format: found.format }).toEqual({ good: "2\t\t1,5\t2\n", format: "tsv" });
  });
});
