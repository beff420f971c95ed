import type { Contract } from "@cais/spec/contract.ts";
import { describe, expect, it } from "vitest";
import { type Book, bookOf, plainBook } from "./excel-for-tests.ts";
import { contractOf, readAs } from "./reading-for-tests.ts";

const contract = contractOf({ day: "date", at: "timestamp", amount: "double", note: "string" });

const read = async (book: Book, excel: { sheet?: string; header?: number } = {}, change: Contract = contract) => {
  const [file] = await readAs(bookOf(book), "file.xlsx", change, { formats: ["excel"], read: { excel } });
  return file;
};

const text = (value: string) => `<c t="inlineStr"><is><t>${value}</t></is></c>`;
const header = `<row r="1">${["day", "at", "amount", "note"].map(text).join("")}</row>`;

describe("an Excel workbook", () => {
  it("has the rows of its first sheet, numbered as Excel shows them", async () => {
    const file = await read({
      strings:
        "<si><t>day</t></si><si><r><t>no</t></r><r><t xml:space='preserve'>te </t></r><rPh><t>x</t></rPh></si><si><t>a &lt; b</t></si>",
      sheet: `<row r="1"><c r="A1" t="s"><v>0</v></c>${text("at")}${text("amount")}<c r="D1" t="s"><v>1</v></c></row>
        <row r="3"><c r="A3" s="1"><v>45322</v></c><c r="B3" s="2"><v>45322.520833333336</v></c><c r="C3" s="3"><v>1.1000000000000001</v></c><c r="D3" t="s"><v>2</v></c></row>
        <row r="4"><c r="B4" s="1"><v>45322</v></c><c r="D4" t="b"><v>1</v></c></row>
        <row r="5"><c r="A5" s="1"/></row>
        <row><c t="d"><v>2024-01-31</v></c><c r="C6"><v>12345678901234567</v></c><c t="str"><f>A1</f><v>y</v></c></row>`,
    });
    expect(file?.header).toEqual(["day", "at", "amount", "note"]);
    expect(file?.rows).toEqual([
      [3, "2024-01-31", "2024-01-31 12:30:00", "1.1", "a < b"],
      [4, null, "2024-01-31 00:00:00", null, "true"],
      [6, "2024-01-31", null, "12345678901234567", "y"],
    ]);
    expect(file?.found).toEqual({ format: "excel" });
  });

  it("has its sheet, its header's row and its labels where the stack says", async () => {
    const sheet = `<row r="1">${text("Station:")}${text("A309")}</row><row r="3">${text("day")}${text("note")}</row><row r="4">${text("x")}${text("y")}</row>`;
    const book = {
      sheet: "",
      more: {
        "xl/worksheets/other.xml": `<x:worksheet xmlns:x="u"><x:sheetData>${sheet.replaceAll(/<(\/?)/g, "<$1x:")}</x:sheetData></x:worksheet>`,
      },
    };
    const file = await read(book, { sheet: "Other", header: 3 });
    expect(file?.preamble).toEqual({ Station: "A309" });
    expect(file?.header).toEqual(["day", "note"]);
    expect(file?.rows).toEqual([[4, "x", "y"]]);
  });

  it("gives numbers and dates as the contract writes them", async () => {
    const change = contractOf(
      {},
      {
        decimal: ",",
        columns: [
          { name: "day", type: "date", format: "%d/%m/%Y" },
          { name: "at", type: "timestamp", format: ["%-d %b %y %I:%M %p", "%x"] },
          { name: "amount", type: "double" },
          { name: "note", type: "string" },
        ],
      },
    );
    const file = await read(
      {
        sheet: `${header}<row r="2"><c s="1"><v>45322</v></c><c s="2"><v>45322.75</v></c><c><v>-1.5</v></c><c><v>1.5</v></c></row>`,
      },
      {},
      change,
    );
    expect(file?.rows).toEqual([[2, "31/01/2024", "31 Jan 24 06:00 PM", "-1,5", "1.5"]]);
  });

  it.each([
    ["0", 1, "00:00:00"],
    ["0.5", 1, "12:00:00"],
    ["1", 1, "1900-01-01"],
    ["59", 1, "1900-02-28"],
    ["61", 1, "1900-03-01"],
    ["45322.00001", 2, "2024-01-31 00:00:00.864"],
    ["2958466", 1, "2958466"],
    ["-1", 1, "-1"],
    ["12", 3, "12"],
  ])("shows serial %s in style %i as %s", async (serial, style, shown) => {
    const file = await read({
      sheet: `${header}<row r="2">${text("")}<c r="D2" s="${style}"><v>${serial}</v></c></row>`,
    });
    expect(file?.rows[0]?.[4]).toBe(shown);
  });

  it("may count its days from 1904", async () => {
    const workbook = plainBook.replace("<workbookPr/>", '<workbookPr date1904="1"/>');
    const file = await read({ workbook, sheet: `${header}<row r="2"><c s="1"><v>43860</v></c></row>` });
    expect(file?.rows).toEqual([[2, "2024-01-31", null, null, null]]);
  });

  it("has a row refused that cannot be taken, and the others go on", async () => {
    const file = await read({
      sheet: `${header}<row r="2"><c r="C2" t="e"><v>#N/A</v></c></row><row r="3"><c r="C3"><f>1/3</f></c></row>
        <row r="4"><c r="D4" t="s"><v>7</v></c></row><row r="5"><c r="F5"><v>1</v></c></row><row r="6"><c r="ZZZ6"><v>1</v></c></row>
        <row r="7">${text("x".repeat(1_000_001))}</row><row r="8">${text("ok")}</row>`,
    });
    expect(file?.rows).toEqual([[8, "ok", null, null, null]]);
    expect(file?.refused.map(([number, reason]) => [number, reason])).toEqual([
      [2, 'The row holds the error #N/A in column "amount".'],
      [
        3,
        'The row holds a formula whose result was not saved (open the file in Excel and save it) in column "amount".',
      ],
      [4, 'The row holds a text that the workbook lacks in column "note".'],
      [5, "The row has 6 cells where the header has 4."],
      [6, "The row has more than 4,096 columns."],
      [7, "The row is longer than 1,000,000 bytes."],
    ]);
  });

  it("does not multiply its shared texts without end", async () => {
    const wide = `<row r="2">${'<c t="s"><v>0</v></c>'.repeat(4)}</row>`;
    const file = await read({
      strings: `<si><t>${"x".repeat(400_000)}</t></si>`,
      sheet: `${header}${wide}<row r="3">${text("ok")}</row>`,
    });
    expect(file?.refused.map(([number, reason]) => [number, reason])).toEqual([
      [2, "The row is longer than 1,000,000 bytes."],
    ]);
    expect(file?.rows.map(([number]) => number)).toEqual([3]);
  });

  it.each([
    [
      "with rows out of order",
      { sheet: `${header}<row r="3"/><row r="2"/>` },
      {},
      /^The Excel workbook is damaged: row 3 is followed by row 2\.$/,
    ],
    ["with an empty sheet", { sheet: "" }, {}, /^The sheet is empty/],
    ["of a header alone", { sheet: header }, {}, /^The sheet has a header row but no rows/],
    [
      "without a header",
      { sheet: `<row r="2">${text("x")}</row>` },
      {},
      /^The sheet's row 1, where its header is expected, is empty/,
    ],
    [
      "without the sheet",
      { sheet: header },
      { sheet: "Nope" },
      /^The Excel workbook has no sheet "Nope"; it has "Sales", "Other"\.$/,
    ],
    [
      "without its rows",
      { sheet: header },
      { sheet: "Other" },
      /^The Excel workbook lacks the rows of its sheet "Other"/,
    ],
    [
      "with entities",
      { sheet: header, strings: "", workbook: `<!DOCTYPE x [<!ENTITY a "b">]>${plainBook}` },
      {},
      /^The Excel workbook declares entities/,
    ],
    ["cut off inside", { sheet: `${header}<row>` }, {}, /^The Excel workbook is not well-formed/],
  ])("%s cannot be read", async (_, book, excel, message) => {
    await expect(read(book, excel)).rejects.toThrow(
      expect.objectContaining({ name: "Unreadable", message: expect.stringMatching(message) }),
    );
  });

  it.each([
    [
      "an old workbook",
      Buffer.from("D0CF11E0A1B11AE1", "hex"),
      /^The file is an old or password-protected Excel or Word file/,
    ],
    ["a workbook of another stack", bookOf({ sheet: header }), /^The file is an Excel workbook; the stack takes csv/],
  ])("%s is told apart", async (_, content, message) => {
    await expect(readAs(content, "x.xlsx", contract, { formats: ["csv"] })).rejects.toThrow(message);
  });
});
