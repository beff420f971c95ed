import { MAX_ROW_BYTES, Unreadable } from "../contract/records.ts";
import type { KeyedRows } from "./keyed.ts";
import { MAX_DEPTH, SHOWN_BYTES, TOO_DEEP, TOO_LONG } from "./limits.ts";
import { shown, takeJson } from "./ndjson.ts";

const [QUOTE, BACKSLASH, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST, COMMA] = [0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d, 0x2c];
const isSpace = (byte: number) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** What may stand beside the rows: it is held, because only the whole of it can be checked. */
const MAX_BESIDE_BYTES = 1_000_000;

/** A list or an object that is open around the rows. */
interface Level {
  list: boolean;
  /** The key or the place of the value that comes next. */
  at: string | number;
}

/**
 * Reads a JSON document (RFC 8259) whose rows are the objects of the array at `pointer` (RFC 6901), the first being row
 * 1. A row is held alone; what is beside the rows is put together and must be a JSON document by itself.
 */
export async function readJson(content: AsyncIterable<Buffer>, pointer: string, rows: KeyedRows): Promise<void> {
  const path = pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const beside: number[] = [];
  const open: Level[] = [];
  let found = false;
  let string: number[] | undefined;
  let escaped = false;
  let row: RowBytes | undefined;
  let number = 0;

  const isRows = () => open.length === path.length && open.every(({ at }, index) => String(at) === path[index]);

  /** Takes a byte that is not of the rows. */
  function outside(byte: number): void {
    if (beside.push(byte) > MAX_BESIDE_BYTES)
      throw new Unreadable(
        `The JSON document holds more than ${MAX_BESIDE_BYTES.toLocaleString("en")} bytes beside its rows${found ? "" : `, before ${placeOf(pointer)}`}; send the rows alone.`,
      );
    if (string !== undefined) {
      string.push(byte);
      if (escaped) escaped = false;
      else if (byte === BACKSLASH) escaped = true;
      else if (byte === QUOTE) {
        const level = open.at(-1);
        if (level?.list === false) level.at = keyOf(string, level.at);
        string = undefined;
      }
      return;
    }
    if (byte === QUOTE) string = [QUOTE];
    else if (byte === OPEN || byte === OPEN_LIST) {
      if (isRows()) {
        if (byte === OPEN)
          throw new Unreadable(
            `${placeOf(pointer)} of the JSON document is an object, not an array of rows; the stack's read.json.rows says where they are.`,
          );
        if (found) throw new Unreadable(`The JSON document has ${placeOf(pointer)} twice.`);
        found = true;
        row = new RowBytes();
      }
      open.push(byte === OPEN ? { list: false, at: "" } : { list: true, at: 0 });
      if (open.length > MAX_DEPTH) throw new Unreadable(`The JSON document is ${TOO_DEEP}.`);
    } else if (byte === CLOSE || byte === CLOSE_LIST) open.pop();
    else if (byte === COMMA) {
      const level = open.at(-1);
      if (level !== undefined && typeof level.at === "number") level.at += 1;
    }
  }

  for await (const chunk of content) {
    for (let at = 0; at < chunk.length;) {
      if (row === undefined) {
        outside(chunk[at++] ?? 0);
        continue;
      }
      at = row.take(chunk, at);
      if (row.ended === undefined) continue;
      if (row.size > 0) {
        number += 1;
        if (row.size > MAX_ROW_BYTES) rows.refuse(number, TOO_LONG, shown(row.bytes()));
        else takeJson(number, row.bytes(), rows);
      } else if (row.ended === COMMA || row.afterComma)
        throw new Unreadable(`The JSON document has a comma too many after row ${number}.`);
      if (row.ended === COMMA) row = new RowBytes(true);
      else {
        outside(row.ended);
        row = undefined;
      }
    }
  }
  if (row !== undefined)
    throw new Unreadable(`The JSON document is cut off in or after row ${number + 1}; send it again.`);
  checkRest(Buffer.from(beside).toString("utf8"));
  if (!found)
    throw new Unreadable(
      `${placeOf(pointer)} of the JSON document is not an array of rows; the stack's read.json.rows says where they are.`,
    );
}

const placeOf = (pointer: string) => (pointer === "" ? "The top" : `"${pointer}"`);

/** The document without its rows. */
function checkRest(rest: string): void {
  try {
    JSON.parse(rest);
  } catch (error) {
    throw new Unreadable("The JSON document is damaged or cut off; send it again.", { cause: error });
  }
}

/** A key's text. What is no string is found out at the end, with all that is beside the rows. */
function keyOf(string: number[], before: string | number): string | number {
  try {
    return String(JSON.parse(Buffer.from(string).toString("utf8")));
  } catch (error) {
    if (error instanceof SyntaxError) return before;
    throw error;
  }
}

/** The bytes of one element of the array of rows, taken in pieces until the comma or bracket after it. */
class RowBytes {
  /** Without the white space around it. */
  size = 0;
  /** The byte that ended it. */
  ended: number | undefined;
  readonly afterComma: boolean;
  #pieces: Buffer[] = [];
  #depth = 0;
  #inString = false;
  #escaped = false;

  constructor(afterComma = false) {
    this.afterComma = afterComma;
  }

  /** Takes bytes from `at` on; returns where it stopped. */
  take(chunk: Buffer, at: number): number {
    let start = at;
    if (this.size === 0) while (start < chunk.length && isSpace(chunk[start] ?? 0)) start += 1;
    let end = start;
    for (; end < chunk.length; end++) {
      const byte = chunk[end];
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
      } else if (byte === QUOTE) this.#inString = true;
      else if (byte === OPEN || byte === OPEN_LIST) this.#depth += 1;
      else if (this.#depth > 0) {
        if (byte === CLOSE || byte === CLOSE_LIST) this.#depth -= 1;
      } else if (byte === COMMA || byte === CLOSE_LIST || byte === CLOSE) {
        this.ended = byte;
        break;
      }
    }
    this.#add(chunk.subarray(start, end));
    return this.ended === undefined ? end : end + 1;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  #add(piece: Buffer): void {
    this.size += piece.length;
    // Of a row that is too long only its beginning is held.
    if (this.size > MAX_ROW_BYTES && this.#pieces.length > 0) this.#pieces = [this.bytes().subarray(0, SHOWN_BYTES)];
    else if (piece.length > 0) this.#pieces.push(this.size > MAX_ROW_BYTES ? piece.subarray(0, SHOWN_BYTES) : piece);
  }
}
