import { isUtf8 } from "node:buffer";
import { cellsOf, RowRefused } from "./json-row.ts";
import type { KeyedRows } from "./keyed.ts";
import { MAX_ROW_BYTES } from "../contract/records.ts";
import { SHOWN_BYTES, TOO_LONG } from "./limits.ts";

const LF = 0x0a;

/** Reads newline-delimited JSON (https://github.com/ndjson/ndjson-spec): each line is a row; blank lines count, but are none. */
export async function readNdjson(content: AsyncIterable<Buffer>, rows: KeyedRows): Promise<void> {
  let number = 0;
  let pieces: Buffer[] = [];
  let length = 0;
  function take(): void {
    number += 1;
    if (length > MAX_ROW_BYTES) rows.refuse(number, TOO_LONG, shown(Buffer.concat(pieces)));
    else takeJson(number, Buffer.concat(pieces), rows);
    pieces = [];
    length = 0;
  }
  function add(piece: Buffer): void {
    length += piece.length;
    if (length <= MAX_ROW_BYTES) pieces.push(piece);
    // Of a row that is too long only its beginning is held.
    else if (pieces.length === 0) pieces = [Buffer.from(piece.subarray(0, SHOWN_BYTES))];
    else pieces = [Buffer.concat(pieces).subarray(0, SHOWN_BYTES)];
  }
  for await (const chunk of content) {
    let start = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      add(chunk.subarray(start, end));
      take();
      start = end + 1;
    }
    if (start < chunk.length) add(chunk.subarray(start));
  }
  if (length > 0) take();
}

/** Takes one row's bytes: white space alone is no row. */
export function takeJson(number: number, bytes: Buffer, rows: KeyedRows): void {
  const text = bytes.toString("utf8");
  if (text.trim() === "") return;
  if (!isUtf8(bytes)) return rows.refuse(number, "The row is not in UTF-8.", shown(bytes));
  if (bytes.includes(0)) return rows.refuse(number, "The row holds a zero byte.", shown(bytes));
  let cells;
  try {
    cells = cellsOf(text);
  } catch (error) {
    if (!(error instanceof RowRefused)) throw error;
    return rows.refuse(number, error.message, text);
  }
  rows.row(number, cells, text);
}

export const shown = (bytes: Buffer) => bytes.toString("utf8", 0, SHOWN_BYTES).replaceAll("\0", "�");
