import type { Contract } from "@cais/spec/contract.ts";
import type { Reading } from "@cais/spec/upload.ts";
import { label, titleOf } from "../../contract/columns.ts";
import { MAX_COLUMNS, MAX_ROW_BYTES, Unreadable } from "../../contract/records.ts";
import { parseRecord } from "./cells.ts";
import { type RowScan, startOfRow, step, withoutReturn } from "./row.ts";

/** What stands before a file's rows. */
export interface Head {
  delimiter: string;
  header: string[];
  preamble: Record<string, string>;
  /** Where the first row begins, and the number of the line or row before it. */
  rowsAt: number;
  number: number;
}

/** How far the header is looked for. INMET's files have eight lines before it. */
const MAX_PREAMBLE = 1000;
const LF = 0x0a;

/** Finds the header, and with it the delimiter: it is the first line that holds the contract's columns. */
export function findHead(bytes: Buffer, reading: Reading["csv"], contract: Contract, tsv: boolean): Head {
  const lines = linesOf(bytes, reading.preamble === "auto" ? MAX_PREAMBLE : reading.preamble);
  const asked = reading.delimiter === "tab" || tsv ? "\t" : reading.delimiter;
  const delimiters = asked === "auto" ? [",", ";", "\t", "|"] : [asked];
  if (!reading.header) return withoutHeader(bytes, lines, reading, contract, delimiters);
  const first = reading.preamble === "auto" ? 0 : reading.preamble;
  const candidates = lines.slice(first, reading.preamble === "auto" ? undefined : first + 1);
  const wanted = contract.columns.flatMap((column) => titleOf(column) ?? []);
  const needed = contract.columns.flatMap((column) => (column.optional ? [] : (titleOf(column) ?? [])));
  let best: (Candidate & { score: number; complete: boolean }) | undefined;
  for (const [index, at] of candidates.entries()) {
    for (const delimiter of delimiters) {
      const found = candidate(bytes, at, first + index, delimiter);
      if (found === undefined) continue;
      const titles = new Set(found.header);
      const score = wanted.filter((title) => titles.has(title)).length;
      const complete = needed.length > 0 && needed.every((title) => titles.has(title));
      const better =
        best === undefined ||
        (complete && !best.complete) ||
        (complete === best.complete && score > best.score) ||
        // Of lines that tell nothing, the first one, split into the most cells, is shown as the header.
        (complete === best.complete && score === best.score && at === best.at && found.scan.cells > best.scan.cells);
      if (better) best = { ...found, score, complete };
    }
    if (best?.complete) break;
  }
  if (best === undefined) throw new Unreadable("The file is empty; send one with a header row and at least one row.");
  return finish(bytes, lines, best);
}

interface Candidate {
  at: number;
  line: number;
  delimiter: string;
  header: string[];
  rowsAt: number;
  scan: RowScan;
  row: Buffer;
}

/** The row that begins at a line, as a header; undefined if it is blank. */
function candidate(bytes: Buffer, at: number, line: number, delimiter: string): Candidate | undefined {
  const scan = startOfRow();
  const mark = delimiter.charCodeAt(0);
  let end = at;
  // Beyond the longest row it is no header; each of a thousand lines may open a quote.
  const limit = Math.min(bytes.length, at + MAX_ROW_BYTES + 2);
  while (end < limit && !step(scan, bytes[end] ?? 0, mark)) end++;
  const row = withoutReturn(bytes.subarray(at, end), scan);
  if (row.length === 0 || row.toString("latin1").trim() === "") return undefined;
  const header =
    scan.cells > MAX_COLUMNS || row.length > MAX_ROW_BYTES
      ? []
      : parseRecord(row.toString("utf8"), delimiter).map((cell) => cell.trim().normalize("NFC"));
  return { at, line, delimiter, header, rowsAt: Math.min(end + 1, bytes.length), scan, row };
}

function finish(bytes: Buffer, lines: number[], { line, delimiter, header, rowsAt, scan, row }: Candidate): Head {
  if (row.includes(0)) throw new Unreadable("The file is not text: its first line holds a zero byte.");
  if (row.length > MAX_ROW_BYTES) throw new Unreadable("The file has no header row: its first line never ends.");
  if (scan.in === "quotes") throw new Unreadable("The file's header row opens a quote that is never closed.");
  if (scan.problem !== undefined) throw new Unreadable(`The file's header row ${scan.problem}.`);
  if (scan.cells > MAX_COLUMNS)
    throw new Unreadable(
      `The file has ${scan.cells.toLocaleString("en")} columns, but at most ${MAX_COLUMNS.toLocaleString("en")} are taken; send one with fewer.`,
    );
  return { delimiter, header, preamble: preambleOf(bytes, lines.slice(0, line), delimiter), rowsAt, number: line + 1 };
}

function withoutHeader(
  bytes: Buffer,
  lines: number[],
  reading: Reading["csv"],
  contract: Contract,
  delimiters: string[],
): Head {
  const line = reading.preamble === "auto" ? 0 : reading.preamble;
  const header = contract.columns.flatMap((column) => titleOf(column) ?? []);
  const rowsAt = lines[line] ?? bytes.length;
  const found = delimiters.map((delimiter) => candidate(bytes, rowsAt, line, delimiter));
  const fitting = found.find((row) => row?.header.length === header.length) ?? found[0];
  const delimiter = fitting?.delimiter ?? ",";
  return { delimiter, header, preamble: preambleOf(bytes, lines.slice(0, line), delimiter), rowsAt, number: line };
}

/** Where the first lines begin. */
function linesOf(bytes: Buffer, preamble: number): number[] {
  const lines = [0];
  while (lines.length <= preamble) {
    const end = bytes.indexOf(LF, lines.at(-1));
    if (end === -1 || end + 1 >= bytes.length) break;
    lines.push(end + 1);
  }
  return lines;
}

/** Labels and values of lines such as `ESTACAO:;BRASILIA` or `Station: A309`; of two with one label, the first. */
function preambleOf(bytes: Buffer, lines: number[], delimiter: string): Record<string, string> {
  const values = new Map<string, string>();
  for (const at of lines) {
    const end = bytes.indexOf(LF, at);
    const line = bytes.toString("utf8", at, end === -1 ? bytes.length : end).trim();
    const [first = "", ...others] = parseRecord(line, delimiter);
    const colon = /^([^:=]+)[:=](.*)$/.exec(first);
    const [name, value] =
      others.length > 0 || colon === null
        ? [first, others.find((cell) => cell.trim() !== "")]
        : [colon[1] ?? "", colon[2]];
    if (label(name) !== "" && !values.has(label(name))) values.set(label(name), (value ?? "").trim());
  }
  return Object.fromEntries(values);
}
