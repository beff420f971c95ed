import type { Upload } from "@cais/spec/upload.ts";
import { label, titleOf } from "../contract/columns.ts";
import { MAX_COLUMNS, MAX_ROW_BYTES, type Records, recordWriter, Unreadable } from "../contract/records.ts";
import { dateOf } from "./excel-date.ts";
import { localName, NOUN, openWorkbook, type Workbook } from "./excel-workbook.ts";
import type { Reading } from "./keyed.ts";
import { SHOWN_BYTES, TOO_LONG, TOO_WIDE } from "./limits.ts";
import { nativeCells } from "./native.ts";
import { type Budget, expandsBeyond } from "./source.ts";
import { readXmlEvents } from "./xml-stream.ts";
import type { Zip } from "./zip.ts";

/** A cell's value, by what the workbook says it is. `problem` ends the sentence "The row holds … in column …". */
type Value = { text: string } | { number: string } | { date: string } | { problem: string };

/** A row of a sheet, by place; `problem` is a sentence. */
interface SheetRow {
  number: number;
  values: (Value | undefined)[];
  problem: string | undefined;
}

/**
 * Reads a sheet of an Excel workbook (.xlsx, ECMA-376) as a stream of rows, numbered as Excel shows them. Rows before the
 * header are a label and its value each. Numbers and dates are given as the contract expects them in text.
 */
export async function readExcel(
  zip: Zip,
  read: Upload["read"]["excel"],
  budget: Budget,
  { member, contract, folder }: Reading,
): Promise<Records> {
  const workbook = await openWorkbook(zip, read.sheet);
  const native = nativeCells(contract);
  const header: string[] = [];
  const preamble = new Map<string, string>();
  const writer = recordWriter(folder, member, header);
  const wanted = new Set(contract.columns.map(titleOf));
  let rows = 0;

  function take({ number, values, problem }: SheetRow): void {
    if (number < read.header) {
      const [name = "", value = ""] = Array.from(values, plainText);
      if (label(name) !== "") preamble.set(label(name), preamble.get(label(name)) ?? value.trim());
      return;
    }
    if (number === read.header) {
      if (problem !== undefined) throw new Unreadable(`The sheet's header, row ${number}: ${problem}`);
      header.push(...Array.from(values, (value) => plainText(value)?.trim().normalize("NFC") ?? ""));
      return;
    }
    if (header.length === 0)
      throw new Unreadable(
        `The sheet's row ${read.header}, where its header is expected, is empty; the stack's read.excel says where it is.`,
      );
    if (values.length === 0 && problem === undefined) return;
    rows += 1;
    const shown = Array.from(values, (value) => plainText(value) ?? "")
      .join(",")
      .slice(0, SHOWN_BYTES);
    if (problem !== undefined) return writer.refuse(number, problem, shown);
    if (values.length > header.length)
      return writer.refuse(number, `The row has ${values.length} cells where the header has ${header.length}.`, shown);
    const cells: (string | null)[] = [];
    for (const [place, title] of header.entries()) {
      const value = values[place];
      if (value === undefined) cells.push(null);
      else if ("text" in value) cells.push(value.text);
      else if ("number" in value) cells.push(native.number(title, value.number));
      else if ("date" in value) cells.push(native.date(title, value.date));
      else if (!wanted.has(title)) cells.push(null);
      else return writer.refuse(number, `The row holds ${value.problem} in column "${title}".`, shown);
    }
    writer.row(number, cells);
  }

  let records: Records | undefined;
  try {
    await readRows(workbook, budget, take);
  } finally {
    records = writer.close({ found: { format: "excel" }, preamble: Object.fromEntries(preamble) });
  }
  if (header.length === 0) throw new Unreadable("The sheet is empty; send one with a header row and at least one row.");
  if (rows === 0) throw new Unreadable("The sheet has a header row but no rows; send one with at least one row.");
  return records;
}

const plainText = (value: Value | undefined) => (value === undefined ? undefined : Object.values(value)[0]);

async function readRows(workbook: Workbook, budget: Budget, take: (row: SheetRow) => void): Promise<void> {
  let row: SheetRow | undefined;
  let last = 0;
  let bytes = 0;
  let place = 0;
  let cell: { type: string; style: number; text: string | undefined; formula: boolean } | undefined;
  let inValue = false;
  let inReading = false;

  function end(row: SheetRow): void {
    if (cell === undefined) return;
    const value = valueOf(cell, workbook);
    if (value === undefined) return;
    const length = Buffer.byteLength(plainText(value) ?? "");
    bytes += length;
    // One shared text may stand in a million cells.
    budget.left -= length;
    if (budget.left < 0) throw expandsBeyond(budget.limit);
    if (bytes > MAX_ROW_BYTES) row.problem ??= TOO_LONG;
    else if (place >= MAX_COLUMNS) row.problem ??= TOO_WIDE;
    else row.values[place] = value;
  }

  await readXmlEvents(workbook.sheet.open(), NOUN, {
    open(prefixed, attributes) {
      const name = localName(prefixed);
      if (name === "row") {
        const number = Number(attributes["r"] ?? last + 1);
        if (!Number.isSafeInteger(number) || number <= last || number > MAX_ROWS)
          throw new Unreadable(`${NOUN} is damaged: row ${last} is followed by row ${attributes["r"]}.`);
        row = { number, values: [], problem: undefined };
        last = number;
        bytes = 0;
        place = -1;
      } else if (name === "c" && row !== undefined) {
        place = placeOf(attributes["r"]) ?? place + 1;
        cell = { type: attributes["t"] ?? "n", style: Number(attributes["s"] ?? 0), text: undefined, formula: false };
      } else if (name === "f" && cell !== undefined) cell.formula = true;
      else if (name === "rPh") inReading = true;
      inValue = cell !== undefined && !inReading && (name === "v" || name === "t");
      if (inValue && cell !== undefined) cell.text ??= "";
    },
    text(piece) {
      if (!inValue || cell === undefined) return;
      // What is longer than a row may be is refused by then.
      if ((cell.text ?? "").length <= MAX_ROW_BYTES) cell.text += piece;
    },
    close(prefixed) {
      const name = localName(prefixed);
      inValue = false;
      if (name === "rPh") inReading = false;
      else if (name === "c" && row !== undefined) {
        end(row);
        cell = undefined;
      } else if (name === "row" && row !== undefined) {
        take(row);
        row = undefined;
      }
    },
  });
}

/** Most rows of a sheet (https://support.microsoft.com/office/excel-specifications-and-limits). */
const MAX_ROWS = 1_048_576;

/** The place of the column of a reference such as AB12; at most a place that is too far. */
function placeOf(reference: string | undefined): number | undefined {
  const letters = /^[A-Z]{1,3}(?=\d)/.exec(reference ?? "")?.[0];
  if (letters === undefined) return undefined;
  let place = 0;
  for (const letter of letters) place = place * 26 + letter.charCodeAt(0) - 64;
  return place - 1;
}

function valueOf(
  { type, style, text, formula }: { type: string; style: number; text: string | undefined; formula: boolean },
  { strings, isDate, since1904 }: Workbook,
): Value | undefined {
  if (text === undefined || (text === "" && type !== "str" && type !== "inlineStr"))
    return formula
      ? { problem: "a formula whose result was not saved (open the file in Excel and save it)" }
      : undefined;
  switch (type) {
    case "s": {
      const shared = strings.get(Number(text));
      return shared === undefined
        ? { problem: "a text that the workbook lacks" }
        : shared === ""
          ? undefined
          : { text: shared };
    }
    case "str":
    case "inlineStr":
      return text === "" ? undefined : { text };
    case "b":
      return { text: text === "1" ? "true" : "false" };
    case "e":
      return { problem: `the error ${text.slice(0, 20)}` };
    case "d":
      return { date: text.replace("T", " ").replace(/Z$/, "") };
    default: {
      if (!isDate(style)) return { number: numberText(text) };
      const date = dateOf(Number(text), since1904);
      return date === null ? { number: numberText(text) } : { date };
    }
  }
}

/**
 * A number of a workbook is a double, which some programs write with digits that are none of the number's: 1.1 as
 * 1.1000000000000001. The shortest text of the same double is what people see. Whole numbers keep all their digits.
 */
function numberText(text: string): string {
  if (/^-?\d+$/.test(text)) return text;
  const number = Number(text);
  return Number.isFinite(number) && text.trim() !== "" ? String(number) : text;
}
