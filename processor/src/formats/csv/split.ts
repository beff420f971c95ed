import { isUtf8 } from "node:buffer";
import { closeSync, createReadStream, openSync, writeSync } from "node:fs";
import { Unreadable } from "../../contract/records.ts";
import { parseRecord } from "./cells.ts";

/** What a file holds, as far as its form goes. */
export interface SplitRecords {
  header: string[];
  /** Rows written to `good`: as many cells as the header, in UTF-8. */
  good: number;
  /** Rows written to `refused`. */
  refused: number;
  /** Whether a cell holds a line break, so that lines and rows differ. */
  hasLineBreaks: boolean;
}

/** Longest row taken. DuckDB's own limit for a line is 2,097,152 bytes. */
const MAX_ROW_BYTES = 1_000_000;
/** Most columns taken. Each costs the engine memory and time, whether the contract names it or not. */
const MAX_COLUMNS = 4096;
/** How much of a refused row is kept to show. */
const MAX_SHOWN = 1000;
const OUT_BYTES = 1 << 20;

const COMMA = 0x2c;
const QUOTE = 0x22;
const LF = 0x0a;
const CR = 0x0d;

/**
 * Splits a CSV file (RFC 4180; LF or CRLF) into rows, numbered as a spreadsheet shows them: the header is row 1 and a
 * blank line counts, though it is no row. Good rows go to `goodFile` with their number as the first cell and LF ends;
 * others to `refusedFile` as number, reason, text. It only looks for the bytes that end cells and rows, because reading
 * rows into objects costs ten times as much; one row at most is held in memory.
 */
export async function splitRecords(file: string, goodFile: string, refusedFile: string): Promise<SplitRecords> {
  using good = output(goodFile);
  using refused = output(refusedFile);
  const records: SplitRecords = { header: [], good: 0, refused: 0, hasLineBreaks: false };
  let number = 0;
  let cells = 0;

  function take(row: Buffer, scan: RowScan, utf8: boolean): void {
    number += 1;
    if (row.length === 0) return;
    if (cells === 0) {
      records.header = readHeader(row, scan);
      cells = records.header.length;
      return;
    }
    const problem =
      scan.problem ??
      (utf8 || isUtf8(row) ? undefined : "is not in UTF-8") ??
      (row.includes(0) ? "holds a zero byte" : undefined) ??
      (scan.cells === cells ? undefined : `has ${scan.cells} cells where the header has ${cells}`);
    if (problem !== undefined) {
      records.refused += 1;
      const shown = row
        .toString("utf8", 0, MAX_SHOWN * 4)
        .replaceAll("\0", "\uFFFD")
        .slice(0, MAX_SHOWN);
      refused.write(number, Buffer.from(`"The row ${problem}.","${shown.replaceAll('"', '""')}"`));
      return;
    }
    records.good += 1;
    records.hasLineBreaks ||= scan.lineBreak;
    good.write(number, scan.rewrite ? requoted(row) : row);
  }

  let rest: Buffer = Buffer.alloc(0);
  let state = startOfRow();
  for await (const chunk of createReadStream(file, { highWaterMark: OUT_BYTES })) {
    const fresh = number === 0 && rest.length === 0 ? withoutMark(chunk) : chunk;
    const bytes: Buffer = rest.length === 0 ? fresh : Buffer.concat([rest, fresh]);
    const utf8 = isUtf8(bytes);
    let start = 0;
    for (let at = rest.length; at < bytes.length; at++) {
      if (!step(state, bytes[at] ?? 0)) continue;
      const end = at > start && bytes[at - 1] === CR && !state.skipped ? at - 1 : at;
      take(bytes.subarray(start, end), finished(state, end - start), utf8);
      start = at + 1;
      state = startOfRow();
    }
    rest = bytes.subarray(start);
    if (rest.length > MAX_ROW_BYTES) {
      if (cells === 0) throw new Unreadable("The file has no header row: its first line never ends.");
      state.problem = `is longer than ${MAX_ROW_BYTES.toLocaleString("en")} bytes`;
      state.skipped = true;
      rest = rest.subarray(0, MAX_SHOWN * 4);
    }
  }
  if (rest.length > 0) {
    const end = rest.at(-1) === CR && state.in !== "quotes" ? rest.length - 1 : rest.length;
    if (state.in === "quotes") state.problem ??= "opens a quote that is never closed";
    take(rest.subarray(0, end), finished(state, end), false);
  }
  if (cells === 0) throw new Unreadable("The file is empty; send one with a header row and at least one row.");
  if (records.good + records.refused === 0)
    throw new Unreadable("The file has a header row but no rows; send one with at least one row.");
  return records;
}

/** What is known of the row that is being read. */
interface RowScan {
  in: "start" | "plain" | "quotes" | "after";
  cells: number;
  lineBreak: boolean;
  /** A quote in the middle of a cell, which DuckDB would not take as it stands. */
  rewrite: boolean;
  /** A CR that may be the first half of the row's end. */
  returned: boolean;
  skipped: boolean;
  problem: string | undefined;
}

const startOfRow = (): RowScan => ({
  in: "start",
  cells: 1,
  lineBreak: false,
  rewrite: false,
  returned: false,
  skipped: false,
  problem: undefined,
});

/** Takes one byte; true if it ends the row. */
function step(row: RowScan, byte: number): boolean {
  if (row.in === "quotes") {
    if (byte === QUOTE) row.in = "after";
    else if (byte === LF || byte === CR) row.lineBreak = true;
    return false;
  }
  if (byte === LF) return true;
  if (row.returned) row.problem ??= "holds a carriage return outside quotes";
  row.returned = byte === CR;
  if (byte === COMMA) {
    row.cells += 1;
    row.in = "start";
  } else if (byte === QUOTE) {
    if (row.in === "plain") row.rewrite = true;
    else row.in = "quotes";
  } else if (byte !== CR) {
    if (row.in === "after") row.problem ??= "has text after a closing quote";
    else row.in = "plain";
  }
  return false;
}

function finished(row: RowScan, length: number): RowScan {
  if (length > MAX_ROW_BYTES) row.problem ??= `is longer than ${MAX_ROW_BYTES.toLocaleString("en")} bytes`;
  return row;
}

function readHeader(row: Buffer, scan: RowScan): string[] {
  if (!isUtf8(row)) throw new Unreadable("The file is not in UTF-8; save it as CSV in UTF-8 and send it again.");
  if (row.includes(0)) throw new Unreadable("The file is not text: its first line holds a zero byte.");
  if (scan.problem !== undefined) throw new Unreadable(`The file's header row ${scan.problem}.`);
  if (scan.cells > MAX_COLUMNS)
    throw new Unreadable(
      `The file has ${scan.cells.toLocaleString("en")} columns, but at most ${MAX_COLUMNS.toLocaleString("en")} are taken; send one with fewer.`,
    );
  return parseRecord(row.toString("utf8")).map((cell) => cell.trim().normalize("NFC"));
}

/** A byte order mark is no part of the first header. */
const withoutMark = (bytes: Buffer) =>
  bytes.toString("latin1", 0, 3) === "\u00EF\u00BB\u00BF" ? bytes.subarray(3) : bytes;

const requoted = (row: Buffer) =>
  Buffer.from(
    parseRecord(row.toString("utf8"))
      .map((cell) => (cell === "" ? "" : `"${cell.replaceAll('"', '""')}"`))
      .join(","),
  );

/** A file of numbered rows that is written in large pieces. Writing waits: this runs in the engine's own process. */
function output(path: string) {
  const file = openSync(path, "wx", 0o600);
  let buffer = Buffer.allocUnsafe(OUT_BYTES);
  let used = 0;
  function flush(): void {
    for (let written = 0; written < used;) written += writeSync(file, buffer, written, used - written);
    used = 0;
  }
  return {
    write(number: number, row: Buffer): void {
      const needed = row.length + 20;
      if (used + needed > buffer.length) flush();
      if (needed > buffer.length) buffer = Buffer.allocUnsafe(needed);
      used += buffer.write(`${number},`, used, "latin1");
      used += row.copy(buffer, used);
      buffer[used++] = LF;
    },
    [Symbol.dispose](): void {
      flush();
      closeSync(file);
    },
  };
}
