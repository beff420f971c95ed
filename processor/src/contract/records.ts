import { join } from "node:path";
import type { Format } from "@cais/spec/upload.ts";
import { lineFile } from "./line-file.ts";
import type { PlainPlan } from "./plain.ts";

/** A file that cannot be read as what the stack takes. Its message is for the person who sent it. */
export class Unreadable extends Error {
  override name = "Unreadable";
}

/** Longest row taken, in bytes of UTF-8. */
export const MAX_ROW_BYTES = 1_000_000;
/** A row longer than this is kept cut, without its cells, where a file has more than `MAX_LONG_BYTES` of such rows. */
export const LONG_ROW_BYTES = 16_000;
export const MAX_LONG_BYTES = 32e6;
/** Most columns taken. Each costs the engine memory and time, whether the contract names it or not. */
export const MAX_COLUMNS = 4096;
/** Most members of a zip: a row's identity is `index * 2 ** 40 + row`, which must stay below 2 ** 53. */
export const MAX_MEMBERS = 8000;
const MEMBER = 2 ** 40;

/** The identity of a row in its file: its number, and which member of a zip it is in. */
export const rowId = (memberIndex: number, row: number): number => memberIndex * MEMBER + row;

/** What was found out about a file's form; shown in the run. */
export interface Found {
  format: Format;
  encoding?: string;
  delimiter?: string;
}

/** The rows of a file, or of a member of a zip, in the one form that the contract checks. */
export interface Records {
  /** The member's name in its zip; null for a file of its own. */
  member: string | null;
  memberIndex: number;
  /** Titles of the columns as in the file, trimmed and in NFC. */
  header: string[];
  /** Values of the lines before the header, by their label. */
  preamble: Record<string, string>;
  /**
   * The rows. `csv`: UTF-8, LF, no header; first cell the row's identity, second the row's text where that is not
   * its cells joined by `delimiter`, then the cells; empty is null. `parquet`: a BIGINT, the identity, then VARCHAR cells.
   */
  file: string;
  /** CSV that goes on where `file` ends, if rows are long. */
  moreFiles: string[];
  kind: "csv" | "parquet";
  /** Rows that have no cells: identity, reason, text (CSV). */
  refusedFile: string;
  moreRefusedFiles: string[];
  /** Rows in `file` and in `plain` together. */
  good: number;
  refused: number;
  /** Whether a cell of `file` holds a line break, so that its lines and rows differ. */
  hasLineBreaks: boolean;
  /** Whether rows of `file` have fewer cells than the header; those that lack are null. */
  isRagged: boolean;
  /** Rows that are surely as demanded, apart from `file`; null where they are not told apart. */
  plain: PlainRows | null;
  /** Bytes of the longest line of `file` or `refusedFile`. */
  longestLine: number;
  /** Bytes of all rows that are longer than `LONG_ROW_BYTES`. */
  longBytes: number;
  /** Separates the cells of `file` and of `plain`, and joins a row's cells to its text. */
  delimiter: string;
  found: Found;
}

/** Rows as they were in the file, one a line, in UTF-8; before each its identity where the plan says so. */
export interface PlainRows {
  file: string;
  rows: number;
  crlf: boolean;
  plan: PlainPlan;
}

/** Takes the rows of one member. Writing waits: this runs in the engine's own process. */
export interface RecordWriter {
  /**
   * A row by its number, with at most as many cells as the header (which may grow until `close`). `text` is the row as it
   * was in the file; default: its cells as CSV. A row that is too long or holds a zero byte is refused.
   */
  row(number: number, cells: (string | null)[], text?: string): void;
  /** A row that has no cells, such as a line of NDJSON that is no JSON. `reason` is a sentence. */
  refuse(number: number, reason: string, text: string): void;
  /** Ends the files. Must be called also when reading failed, so that they are closed. */
  close(more: { found: Found; preamble?: Record<string, string> }): Records;
}

/** Makes the files of a member's rows in a run's folder. `header` is read when it is closed. */
export function recordWriter(
  folder: string,
  member: { name: string | null; index: number },
  header: string[],
): RecordWriter {
  const file = join(folder, `records-${member.index}.csv`);
  const refusedFile = join(folder, `refused-${member.index}.csv`);
  const rows = lineFile(file);
  const refusedRows = lineFile(refusedFile);
  let good = 0;
  let refused = 0;
  let longBytes = 0;
  let hasLineBreaks = false;
  let narrowest = Number.POSITIVE_INFINITY;
  const refuse = (number: number, reason: string, text: string) => {
    refused += 1;
    longBytes += longBytesOf(text.length);
    const id = rowId(member.index, number);
    refusedRows.write(Buffer.from(`${id},${quoted(reason)},${quoted(shownText(text))}`));
  };
  return {
    row(number, cells, text) {
      const line = cells.map((cell) => (cell === null ? "" : cellText(cell))).join(",");
      const bytes = Buffer.byteLength(line);
      const problem =
        bytes > MAX_ROW_BYTES
          ? `is longer than ${MAX_ROW_BYTES.toLocaleString("en")} bytes`
          : line.includes("\0") || text?.includes("\0")
            ? "holds a zero byte"
            : undefined;
      if (problem !== undefined) return refuse(number, `The row ${problem}.`, text ?? line);
      good += 1;
      longBytes += longBytesOf(Math.max(bytes, text?.length ?? 0));
      hasLineBreaks ||= /[\r\n]/.test(line) || (text !== undefined && /[\r\n]/.test(text));
      narrowest = Math.min(narrowest, cells.length);
      // A row without quotes has its text in its cells.
      const told = text ?? (line.includes('"') ? line : undefined);
      const kept = told === undefined || told === cells.join(",") ? "" : quoted(shownText(told));
      rows.write(Buffer.from(`${rowId(member.index, number)},${kept},${line}`));
    },
    refuse,
    close({ found, preamble = {} }) {
      rows.close();
      refusedRows.close();
      if (header.length > MAX_COLUMNS)
        throw new Unreadable(
          `The file has ${header.length.toLocaleString("en")} columns, but at most ${MAX_COLUMNS.toLocaleString("en")} are taken; send one with fewer.`,
        );
      return {
        member: member.name,
        memberIndex: member.index,
        header: header.map((title) => title.trim().normalize("NFC")),
        preamble,
        file,
        moreFiles: rows.moreFiles(),
        kind: "csv",
        refusedFile,
        moreRefusedFiles: refusedRows.moreFiles(),
        good,
        refused,
        hasLineBreaks,
        isRagged: narrowest < header.length,
        plain: null,
        longestLine: Math.max(rows.longest(), refusedRows.longest()),
        longBytes,
        delimiter: ",",
        found,
      };
    },
  };
}

/** What a row adds to `longBytes`. */
export const longBytesOf = (bytes: number): number => (bytes > LONG_ROW_BYTES ? bytes : 0);

/** A text as a cell of CSV that is surely read as it is. */
export const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;

const cellText = (cell: string) => (/[",\r\n]/.test(cell) ? quoted(cell) : cell);

/** A row's text as it is kept: at most a megabyte, without zero bytes, which no text has. */
export function shownText(text: string): string {
  const kept =
    Buffer.byteLength(text) <= MAX_ROW_BYTES
      ? text
      : Buffer.from(text.slice(0, MAX_ROW_BYTES))
          .subarray(0, MAX_ROW_BYTES)
          .toString()
          .replace(/\uFFFD$/, "");
  return kept.replaceAll("\0", "\uFFFD");
}
