const QUOTE = 0x22;
const LF = 0x0a;
const CR = 0x0d;

/** What is known of the row that is being read. */
export interface RowScan {
  in: "start" | "plain" | "quotes" | "after";
  cells: number;
  /** A line break in a cell, so that lines and rows differ. */
  lineBreak: boolean;
  hasQuotes: boolean;
  /** A quote in the middle of a cell, which DuckDB would not take as it stands. */
  rewrite: boolean;
  /** A CR that may be the first half of the row's end. */
  returned: boolean;
  /** Bytes that were left out, because the row is too long to be held. */
  skipped: boolean;
  /** Why the row cannot be taken, as the end of a sentence about it. */
  problem: string | undefined;
}

export const startOfRow = (): RowScan => ({
  in: "start",
  cells: 1,
  lineBreak: false,
  hasQuotes: false,
  rewrite: false,
  returned: false,
  skipped: false,
  problem: undefined,
});

/** Takes one byte; true if it ends the row. */
export function step(row: RowScan, byte: number, delimiter: number): boolean {
  if (row.in === "quotes") {
    if (byte === QUOTE) row.in = "after";
    else if (byte === LF || byte === CR) row.lineBreak = true;
    return false;
  }
  if (byte === LF) return true;
  if (row.returned) row.problem ??= "holds a carriage return outside quotes";
  row.returned = byte === CR;
  if (byte === delimiter) {
    row.cells += 1;
    row.in = "start";
  } else if (byte === QUOTE) {
    row.hasQuotes = true;
    if (row.in === "plain") row.rewrite = true;
    else row.in = "quotes";
  } else if (byte !== CR) {
    if (row.in === "after") row.problem ??= "has text after a closing quote";
    else row.in = "plain";
  }
  return false;
}

/** A row's bytes without the CR of its end; the LF is no part of them. */
export const withoutReturn = (row: Buffer, scan: RowScan) =>
  row.at(-1) === CR && scan.in !== "quotes" && !scan.skipped ? row.subarray(0, -1) : row;
