import { join } from "node:path";
import type { Contract } from "@cais/spec/contract.ts";
import type { Reading } from "@cais/spec/upload.ts";
import { placeColumns } from "../../contract/columns.ts";
import { type LineFile, lineFile } from "../../contract/line-file.ts";
import { plainPlan } from "../../contract/plain.ts";
import { MAX_ROW_BYTES, type PlainRows, type Records, rowId, Unreadable } from "../../contract/records.ts";
import { encodedText } from "./encoding.ts";
import { findHead, type Head } from "./head.ts";
import { type PlainScan, plainScan } from "./plain.ts";
import { startOfRow, step } from "./row.ts";
import { type CarefulRows, carefulRows } from "./careful.ts";

export interface CsvOptions {
  reading: Reading;
  contract: Contract;
  member: { name: string | null; index: number };
  /** The run's folder, for the files of records. */
  folder: string;
  /** Whether cells are separated by tabs, whatever the reading says. */
  tsv: boolean;
  /** Whether plain rows may be told apart, which is faster and otherwise the same. Default: true. */
  fast?: boolean;
  /** Whether plain rows have their numbers, whoever may be refused. Default: where it is needed to tell who is. */
  numbered?: boolean;
  /** Bytes from which on they are. In a smaller file there is nothing to win, and all its rows stay in their order. */
  fastFrom?: number;
}

const LF = 0x0a;
const CR = 0x0d;
/** 40,000 rows of a hundred bytes: reading all of them as text takes a fifth of a second. */
const FAST_BYTES = 4 << 20;
/** A row that is cut by the end of a piece is looked at again from its start while it is shorter than this. */
const SHORT_BYTES = 4096;

/**
 * Reads CSV (RFC 4180; LF or CRLF) of any usual encoding and delimiter into records. Rows are numbered as a spreadsheet
 * shows them: the lines before the header count, and a blank line counts, though it is no row. It only looks at bytes,
 * because reading rows into objects costs ten times as much; it holds one row at most beside a piece of the file.
 */
export async function readCsv(source: AsyncIterable<Buffer>, options: CsvOptions): Promise<Records> {
  const { contract, member, folder, fast = true, numbered = false, fastFrom = FAST_BYTES } = options;
  const reading = options.reading.csv;
  const text = encodedText(reading.encoding);
  const opened: LineFile[] = [];
  const open = (name: string) => {
    const path = join(folder, `${name}-${member.index}.csv`);
    const file = lineFile(path);
    opened.push(file);
    return { path, file };
  };

  let head: Head | undefined;
  let careful: CarefulRows | undefined;
  let plain: (PlainRows & { scan: PlainScan; out: LineFile }) | undefined;
  let delimiter = 0;
  let number = 0;
  let start = 0;
  let at = 0;
  let state = startOfRow();

  function begin(): void {
    head = findHead(text.bytes(), reading, contract, options.tsv);
    delimiter = head.delimiter.charCodeAt(0);
    number = head.number;
    at = start = head.rowsAt;
    const placed = placeColumns(contract, head.header, head.preamble);
    const plan =
      fast && text.limit() >= fastFrom ? plainPlan(contract, placed, head.header.length, numbered) : undefined;
    if (plan !== undefined) {
      const crlf = endsInReturn(text.bytes(), head.rowsAt);
      const { path, file } = open("plain");
      plain = { file: path, rows: 0, crlf, plan, scan: plainScan(plan.cells, delimiter, crlf), out: file };
    }
    careful = carefulRows(open("records").file, open("refused").file, head, member.index);
  }

  function readRows(isLast: boolean): void {
    if (head === undefined || careful === undefined) return;
    const bytes = text.withStop();
    const limit = text.limit();
    let run = start;
    const endRun = () => {
      if (plain !== undefined && !plain.plan.numbered) plain.out.range(bytes, run, start);
    };
    // A last row without an end may have been looked at already.
    const hasMore = () => at < limit || (isLast && start < limit);
    while (hasMore()) {
      if (plain !== undefined && at === start && !text.isSuspect()) {
        const end = plain.scan(bytes, start);
        if (end !== -1 && end <= limit) {
          number += 1;
          plain.rows += 1;
          if (plain.plan.numbered) plain.out.numbered(rowId(member.index, number), delimiter, bytes, start, end);
          at = start = end;
          continue;
        }
      }
      while (at < limit && !step(state, bytes[at] as number, delimiter)) at++;
      if (at === limit && !isLast) break;
      endRun();
      if (state.in === "quotes") state.problem ??= "opens a quote that is never closed";
      number += 1;
      careful.take(number, bytes.subarray(start, at), state, text);
      at += 1;
      run = start = at;
      state = startOfRow();
    }
    endRun();
    if (isLast) return;
    if (limit - start > MAX_ROW_BYTES) {
      state.skipped = true;
      text.shorten(start + MAX_ROW_BYTES);
      at = text.limit();
    } else if (limit - start < SHORT_BYTES) {
      at = start;
      state = startOfRow();
    }
    text.drop(start);
    at -= start;
    start = 0;
  }

  try {
    for await (const piece of source) {
      // A row that was cut must be looked at again if its bytes have changed.
      if (text.add(piece, at)) {
        at = start;
        state = startOfRow();
      }
      if (head === undefined && text.limit() > Math.max(MAX_ROW_BYTES, fastFrom)) begin();
      readRows(false);
    }
    if (text.end(at)) {
      at = start;
      state = startOfRow();
    }
    if (head === undefined) begin();
    readRows(true);
  } finally {
    for (const file of opened) file.close();
  }
  if (head === undefined || careful === undefined) throw new Unreadable("The file is empty.");
  const { good, refused, ...counts } = careful.counts();
  const rows = plain?.rows ?? 0;
  if (good + refused + rows === 0)
    throw new Unreadable(
      reading.header
        ? "The file has a header row but no rows; send one with at least one row."
        : "The file is empty; send one with at least one row.",
    );
  return {
    member: member.name,
    memberIndex: member.index,
    header: head.header,
    preamble: head.preamble,
    file: join(folder, `records-${member.index}.csv`),
    kind: "csv",
    refusedFile: join(folder, `refused-${member.index}.csv`),
    ...counts,
    good: good + rows,
    refused,
    isRagged: false,
    plain: plain === undefined || rows === 0 ? null : { file: plain.file, rows, crlf: plain.crlf, plan: plain.plan },
    delimiter: head.delimiter,
    found: { format: options.tsv ? "tsv" : "csv", encoding: text.encoding(), delimiter: head.delimiter },
  };
}

/** Whether the line before the rows, or else the first of them, ends in CRLF. */
function endsInReturn(bytes: Buffer, rowsAt: number): boolean {
  const end = rowsAt > 0 ? rowsAt - 1 : bytes.indexOf(LF);
  return end > 0 && bytes[end] === LF && bytes[end - 1] === CR;
}
