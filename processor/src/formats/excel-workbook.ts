import { posix } from "node:path";
import { Unreadable } from "../contract/records.ts";
import { isDateFormat } from "./excel-date.ts";
import { readXmlEvents } from "./xml-stream.ts";
import type { Member, Zip } from "./zip.ts";

/** What the cells of a workbook refer to. */
export interface Workbook {
  /** The rows' part. */
  sheet: Member;
  strings: SharedStrings;
  /** Whether a cell of this style shows a date. */
  isDate(style: number): boolean;
  since1904: boolean;
}

/** Most that a workbook's shared texts may take, in bytes of UTF-8: cells refer to them in any order, so they are held. */
const MAX_STRING_BYTES = 100e6;
const MAX_STRINGS = 10_000_000;

export const NOUN = "The Excel workbook";

/** Whether a zip is a workbook; the other kinds of office files are refused. */
export function isWorkbook({ members }: Zip): boolean {
  const has = (name: string) => members.some((member) => member.name === name);
  if (has("xl/workbook.xml")) return true;
  if (has("xl/workbook.bin")) throw new Unreadable("The file is a binary Excel workbook (.xlsb); save it as .xlsx.");
  if (has("word/document.xml")) throw new Unreadable("The file is a Word document; send its rows as a table.");
  if (has("content.xml") && has("mimetype"))
    throw new Unreadable("The file is an OpenDocument file; save it as .xlsx or CSV.");
  return false;
}

/** Reads what a workbook's rows refer to, and finds the sheet of this name (default: the first). */
export async function openWorkbook(zip: Zip, sheetName: string | undefined): Promise<Workbook> {
  const parts = new Map(zip.members.map((member) => [member.name, member]));
  const targets = await readRelations(parts.get("xl/_rels/workbook.xml.rels"));
  const sheets: { name: string; id: string }[] = [];
  let since1904 = false;
  await events(parts.get("xl/workbook.xml"), (name, attributes) => {
    if (name === "sheet")
      sheets.push({ name: attributes["name"] ?? "", id: attributes["r:id"] ?? attributes["id"] ?? "" });
    if (name === "workbookPr") since1904 = ["1", "true"].includes(attributes["date1904"] ?? "");
  });
  const found = sheetName === undefined ? sheets[0] : sheets.find(({ name }) => name === sheetName);
  if (found === undefined)
    throw new Unreadable(
      sheets.length === 0
        ? `${NOUN} has no sheet.`
        : `${NOUN} has no sheet "${sheetName}"; it has ${sheets
            .slice(0, 20)
            .map(({ name }) => `"${name}"`)
            .join(", ")}.`,
    );
  const sheet = parts.get(targets.get(found.id)?.path ?? "");
  if (sheet === undefined) throw new Unreadable(`${NOUN} lacks the rows of its sheet "${found.name}"; save it again.`);
  const partOf = (kind: string) =>
    parts.get([...targets.values()].find(({ type }) => type.endsWith(`/${kind}`))?.path ?? "");
  const strings = new SharedStrings();
  await readStrings(partOf("sharedStrings"), strings);
  const dates = await readStyles(partOf("styles"));
  return { sheet, strings, isDate: (style) => dates[style] === true, since1904 };
}

/** Names in the workbook's files without the prefix that some programs write. */
export const localName = (name: string) => name.slice(name.indexOf(":") + 1);

async function events(
  part: Member | undefined,
  open: (name: string, attributes: Record<string, string>) => void,
): Promise<void> {
  if (part === undefined) return;
  await readXmlEvents(part.open(), NOUN, {
    open: (name, attributes) => open(localName(name), attributes),
    text: () => undefined,
    close: () => undefined,
  });
}

async function readRelations(part: Member | undefined): Promise<Map<string, { path: string; type: string }>> {
  const targets = new Map<string, { path: string; type: string }>();
  await events(part, (name, { Id, Target, Type }) => {
    if (name !== "Relationship" || Id === undefined || Target === undefined) return;
    // A path in the zip, from its root or from the workbook's folder. It is looked up, never opened.
    const path = Target.startsWith("/") ? Target.slice(1) : posix.join("xl", Target);
    targets.set(Id, { path, type: Type ?? "" });
  });
  return targets;
}

async function readStyles(part: Member | undefined): Promise<boolean[]> {
  const codes = new Map<number, string>();
  const dates: boolean[] = [];
  let inCells = false;
  if (part === undefined) return dates;
  await readXmlEvents(part.open(), NOUN, {
    open(prefixed, attributes) {
      const name = localName(prefixed);
      if (name === "numFmt") codes.set(Number(attributes["numFmtId"]), attributes["formatCode"] ?? "");
      if (name === "cellXfs") inCells = true;
      // Excel itself has at most 65,490 styles.
      if (name !== "xf" || !inCells || dates.length > 65_490) return;
      const id = Number(attributes["numFmtId"] ?? 0);
      dates.push(isDateFormat(id, codes.get(id)));
    },
    text: () => undefined,
    close(name) {
      if (localName(name) === "cellXfs") inCells = false;
    },
  });
  return dates;
}

async function readStrings(part: Member | undefined, strings: SharedStrings): Promise<void> {
  if (part === undefined) return;
  let inText = false;
  let inReading = false;
  let text = "";
  await readXmlEvents(part.open(), NOUN, {
    open(prefixed) {
      const name = localName(prefixed);
      if (name === "rPh") inReading = true;
      inText = name === "t" && !inReading;
      if (name === "si") text = "";
    },
    text(piece) {
      if (inText) text += piece;
      if (text.length > MAX_STRING_BYTES) throw tooMany();
    },
    close(prefixed) {
      const name = localName(prefixed);
      inText = false;
      if (name === "rPh") inReading = false;
      if (name === "si") strings.add(text);
    },
  });
}

const tooMany = () =>
  new Unreadable(
    `${NOUN} holds more text than is taken (${(MAX_STRING_BYTES / 1e6).toLocaleString("en")} MB of different texts); save it as CSV and send that.`,
  );

/** A workbook's shared texts, held in UTF-8 outside JavaScript's own memory, which is small. */
export class SharedStrings {
  #bytes = Buffer.alloc(1 << 16);
  #used = 0;
  #ends = new Uint32Array(1 << 12);
  #count = 0;

  add(text: string): void {
    const length = Buffer.byteLength(text);
    if (this.#used + length > MAX_STRING_BYTES || this.#count === MAX_STRINGS) throw tooMany();
    if (this.#used + length > this.#bytes.length)
      this.#bytes = Buffer.concat([this.#bytes], Math.max(this.#used + length, this.#bytes.length * 2));
    if (this.#count === this.#ends.length) {
      const longer = new Uint32Array(this.#count * 2);
      longer.set(this.#ends);
      this.#ends = longer;
    }
    this.#used += this.#bytes.write(text, this.#used);
    this.#ends[this.#count++] = this.#used;
  }

  get(index: number): string | undefined {
    if (!(index >= 0 && index < this.#count)) return undefined;
    return this.#bytes.toString("utf8", index === 0 ? 0 : this.#ends[index - 1], this.#ends[index]);
  }
}
