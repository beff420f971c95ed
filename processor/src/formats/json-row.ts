import { MAX_DEPTH, TOO_DEEP } from "./limits.ts";
import type { Cell } from "./keyed.ts";

/** A row that is not what a row must be. The message is a sentence for the person who sent it. */
export class RowRefused extends Error {
  override name = "RowRefused";
}

/**
 * The cells of one row of JSON, by key: text as it is, numbers with the digits they are written with (a double would
 * change them), true and false as words, null as no value, and what is nested as JSON without white space.
 */
export function cellsOf(row: string): Map<string, Cell> {
  checkDepth(row);
  let parsed: unknown;
  try {
    parsed = JSON.parse(row);
  } catch (error) {
    throw new RowRefused(`The row is not JSON: ${error instanceof Error ? error.message : String(error)}.`, {
      cause: error,
    });
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw new RowRefused(
      `The row is ${Array.isArray(parsed) ? "an array" : `the single value ${row.trim().slice(0, 20)}`}, not an object with a key for each column.`,
    );
  return walk(row);
}

const [QUOTE, BACKSLASH, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST, COLON, COMMA] = [
  0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d, 0x3a, 0x2c,
];

const isSpace = (code: number) => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
const isMark = (code: number) =>
  code === OPEN || code === CLOSE || code === OPEN_LIST || code === CLOSE_LIST || code === COLON || code === COMMA;

/** Before it is parsed, because a parser's answer to a million brackets costs a million objects. */
function checkDepth(row: string): void {
  let depth = 0;
  for (let at = 0; at < row.length; at++) {
    const code = row.charCodeAt(at);
    if (code === QUOTE) at = stringEnd(row, at) - 1;
    else if (code === OPEN || code === OPEN_LIST) {
      depth += 1;
      if (depth > MAX_DEPTH) throw new RowRefused(`The row is ${TOO_DEEP}.`);
    } else if (code === CLOSE || code === CLOSE_LIST) depth -= 1;
  }
}

/** Where the string that begins at `at` has ended. */
function stringEnd(row: string, at: number): number {
  for (let end = at + 1; end < row.length; end++) {
    const code = row.charCodeAt(end);
    if (code === BACKSLASH) end += 1;
    else if (code === QUOTE) return end + 1;
  }
  return row.length;
}

/** Goes through an object that is known to be JSON. */
function walk(row: string): Map<string, Cell> {
  const cells = new Map<string, Cell>();
  /** The keys of each object that is open; null for a list. */
  const open: (Set<string> | null)[] = [];
  let key = "";
  let nested = "";
  let afterColon = false;
  for (let at = 0; at < row.length;) {
    const code = row.charCodeAt(at);
    if (isSpace(code)) {
      at += 1;
      continue;
    }
    const end = code === QUOTE ? stringEnd(row, at) : isMark(code) ? at + 1 : literalEnd(row, at);
    const token = row.slice(at, end);
    at = end;
    const inside = open.length > 1;
    if (code === OPEN || code === OPEN_LIST) {
      if (open.length > 0) nested += token;
      open.push(code === OPEN ? new Set() : null);
      afterColon = false;
    } else if (code === CLOSE || code === CLOSE_LIST) {
      open.pop();
      if (!inside) continue;
      nested += token;
      if (open.length > 1) continue;
      cells.set(key, nested);
      nested = "";
    } else if (code === COLON || code === COMMA) {
      afterColon = code === COLON;
      if (inside) nested += token;
    } else if (!afterColon && open.at(-1) instanceof Set) {
      const name = textOf(token).trim().normalize("NFC");
      const keys = open.at(-1);
      if (keys?.has(name) === true) throw new RowRefused(`The row has the key "${name}" twice.`);
      keys?.add(name);
      if (inside) nested += token;
      else key = name;
    } else if (inside) nested += token;
    else cells.set(key, valueOf(token));
  }
  return cells;
}

function literalEnd(row: string, at: number): number {
  let end = at + 1;
  while (end < row.length && !isMark(row.charCodeAt(end)) && !isSpace(row.charCodeAt(end))) end += 1;
  return end;
}

function valueOf(token: string): Cell {
  if (token.startsWith('"')) return textOf(token);
  if (token === "null") return null;
  return token === "true" || token === "false" ? token : { number: token };
}

function textOf(token: string): string {
  if (!token.includes("\\")) return token.slice(1, -1);
  const text = String(JSON.parse(token));
  // Neither can be kept: one ends strings in many programs, the other is no character.
  if (text.includes("\0")) throw new RowRefused("The row holds a zero byte.");
  if (!text.isWellFormed()) throw new RowRefused("The row holds half a character (a lone surrogate).");
  return text;
}
