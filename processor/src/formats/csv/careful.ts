import { isUtf8 } from "node:buffer";
import type { LineFile } from "../../contract/line-file.ts";
import {
  longBytesOf,
  MAX_ROW_BYTES,
  quoted,
  type Records,
  rowId,
  shownText,
  Unreadable,
} from "../../contract/records.ts";
import { parseRecord } from "./cells.ts";
import type { EncodedText } from "./encoding.ts";
import type { Head } from "./head.ts";
import { type RowScan, withoutReturn } from "./row.ts";

/** Takes the rows that are not plain, or refuses them where they have no cells. */
export interface CarefulRows {
  take(number: number, line: Buffer, scan: RowScan, text: EncodedText): void;
  counts(): Pick<
    Records,
    "good" | "refused" | "hasLineBreaks" | "longestLine" | "longBytes" | "moreFiles" | "moreRefusedFiles"
  >;
}

export function carefulRows(out: LineFile, refusedOut: LineFile, head: Head, memberIndex: number): CarefulRows {
  const { delimiter, header } = head;
  const unnamed = header.length - 1 - header.findLastIndex((title) => title !== "");
  const noTail = Buffer.from(delimiter.repeat(unnamed));
  let good = 0;
  let refused = 0;
  let longBytes = 0;
  let hasLineBreaks = false;

  /** What a stray quote takes with it is too much to be kept with one row, and would be missed in the tables. */
  function checkEnd(number: number, scan: RowScan): void {
    if (!scan.lineBreak || (scan.problem === undefined && scan.cells === header.length)) return;
    throw new Unreadable(
      `Row ${number} opens a quote that is not closed within ${MAX_ROW_BYTES.toLocaleString("en")} bytes, so the rows after it cannot be told apart; close or double it and send the file again.`,
    );
  }

  function problemOf(number: number, row: Buffer, scan: RowScan, text: EncodedText): string | undefined {
    if (scan.skipped || row.length > MAX_ROW_BYTES) {
      checkEnd(number, scan);
      return `is longer than ${MAX_ROW_BYTES.toLocaleString("en")} bytes`;
    }
    if (scan.problem !== undefined) return scan.problem;
    if (!isUtf8(row)) return "is not in UTF-8";
    if (text.isDamaged(row)) return "holds what is no character in UTF-16";
    if (row.includes(0)) return "holds a zero byte";
    if (scan.cells !== header.length) return `has ${scan.cells} cells where the header has ${header.length}`;
    if (unnamed === 0 || row.subarray(-unnamed).equals(noTail)) return undefined;
    const tail = parseRecord(row.toString("utf8"), delimiter).slice(-unnamed);
    return tail.every((cell) => cell === "") ? undefined : "has a value after the last column of the header";
  }

  return {
    take(number, line, scan, text) {
      const row = withoutReturn(line, scan);
      if (row.length === 0) return;
      longBytes += longBytesOf(row.length);
      const id = rowId(memberIndex, number);
      const problem = problemOf(number, row, scan, text);
      if (problem !== undefined) {
        refused += 1;
        const reason = `The row ${problem}.`;
        refusedOut.write(Buffer.from(`${id},${quoted(reason)},${quoted(shownText(row.toString("utf8")))}`));
        return;
      }
      good += 1;
      hasLineBreaks ||= scan.lineBreak;
      // A row without quotes is its cells, joined; of any other its text is kept beside them.
      const own = scan.hasQuotes ? quoted(row.toString("latin1")) : "";
      const start = Buffer.from(`${id}${delimiter}${own}${delimiter}`, "latin1");
      out.write(Buffer.concat([start, scan.rewrite ? requoted(row, delimiter) : row]));
    },
    counts: () => ({
      good,
      refused,
      hasLineBreaks,
      longestLine: Math.max(out.longest(), refusedOut.longest()),
      longBytes,
      moreFiles: out.moreFiles(),
      moreRefusedFiles: refusedOut.moreFiles(),
    }),
  };
}

const requoted = (row: Buffer, delimiter: string) =>
  Buffer.from(
    parseRecord(row.toString("utf8"), delimiter)
      .map((cell) => (cell === "" ? "" : quoted(cell)))
      .join(delimiter),
  );
