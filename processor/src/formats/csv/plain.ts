import { LITERAL } from "../../contract/layout.ts";
import type { PlainCell } from "../../contract/plain.ts";

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const MINUS = 0x2d;
const NINE = 9;
const ZERO = 0x30;

const [ANY, EMPTY, TEXT, INTEGER, NUMBER, BOOLEAN, DATE] = [0, 1, 2, 3, 4, 5, 6] as const;
const kindCodes: Record<PlainCell["kind"], number> = {
  any: ANY,
  empty: EMPTY,
  text: TEXT,
  integer: INTEGER,
  number: NUMBER,
  boolean: BOOLEAN,
  date: DATE,
};

/** The index after the row that begins at `at`, if that row is plain; else -1. Bytes must end in LF, as a stop. */
export type PlainScan = (bytes: Uint8Array, at: number) => number;

/** First bytes of a cell that may be white space: ASCII's, and those of Unicode's separators in UTF-8. */
const mayBeBlank = (byte: number) => byte <= 0x20 || byte === 0xc2 || (byte >= 0xe1 && byte <= 0xe3);

const daysOf = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * Looks at the bytes of a row once, cell by cell. It is the innermost loop of all: a closure over typed arrays is what V8
 * runs fastest, and objects for cells, or calls for each byte, cost several times as much.
 */
export function plainScan(cells: PlainCell[], delimiter: number, crlf: boolean): PlainScan {
  const width = cells.length;
  const kinds = Uint8Array.from(cells, ({ kind }) => kindCodes[kind]);
  const required = Uint8Array.from(cells, (cell) => ("required" in cell && cell.required ? 1 : 0));
  const min = Float64Array.from(cells, (cell) => ("min" in cell ? cell.min : Number.NEGATIVE_INFINITY));
  const max = Float64Array.from(cells, (cell) => ("max" in cell ? cell.max : Number.POSITIVE_INFINITY));
  const most = Uint8Array.from(cells, (cell) => ("digits" in cell ? cell.digits : 0));
  const whole = Uint8Array.from(cells, (cell) => (cell.kind === "number" ? cell.whole : 0));
  const fraction = Uint8Array.from(cells, (cell) => (cell.kind === "number" ? cell.fraction : 0));
  const written = cells.find((cell) => cell.kind === "number")?.point.charCodeAt(0);
  // Where commas separate cells, one in a number stands in quotes, which is left to the careful way.
  const point = written === delimiter ? -1 : written;
  const layouts = cells.map((cell) =>
    Uint8Array.from(
      cell.kind === "date" ? cell.layout.parts.flatMap(({ part, digits, literal }) => [part, digits, literal]) : [],
    ),
  );
  const nulls = [...new Set(cells.flatMap((cell) => ("nulls" in cell ? cell.nulls : [])))].map((text) =>
    Buffer.from(text),
  );
  const mayBeNull = new Uint8Array(256);
  for (const text of nulls) mayBeNull[text[0] ?? 0] = 1;
  /** Bytes that end a plain cell or are no part of one. */
  const stops = new Uint8Array(256);
  for (const byte of [delimiter, LF, CR, QUOTE, 0]) stops[byte] = 1;
  const powers = Float64Array.from({ length: 23 }, (_, n) => 10 ** n);

  /** The end of a spelling of no value that is the whole cell at `p`; 0 if there is none, -1 in doubt. */
  function nullAt(bytes: Uint8Array, p: number): number {
    for (const text of nulls) {
      let i = 0;
      while (i < text.length && bytes[p + i] === text[i]) i++;
      if (i < text.length) continue;
      const after = bytes[p + i] as number;
      if (after === delimiter || after === LF || after === CR || after === QUOTE) return p + i;
      if (mayBeBlank(after)) return -1;
    }
    return 0;
  }

  /** A date's end, or -1; its day as YYYYMMDD must be in the cell's range. */
  function dateAt(bytes: Uint8Array, start: number, c: number): number {
    const layout = layouts[c] as Uint8Array;
    let p = start;
    let [year, month, day, hour, minute, second] = [0, 0, 0, 0, 0, 0];
    for (let i = 0; i < layout.length; i += 3) {
      const part = layout[i] as number;
      if (part === LITERAL) {
        if (bytes[p++] !== layout[i + 2]) return -1;
        continue;
      }
      let value = 0;
      for (let digits = layout[i + 1] as number; digits > 0; digits--) {
        const digit = (bytes[p++] as number) - ZERO;
        if (digit < 0 || digit > NINE) return -1;
        value = value * 10 + digit;
      }
      if (part === 0) year = value;
      else if (part === 1) month = value;
      else if (part === 2) day = value;
      else if (part === 3) hour = value;
      else if (part === 4) minute = value;
      else second = value;
    }
    if (year < 1000 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) return -1;
    // The 29th of February is rare enough for the careful way.
    if (day > (daysOf[month] as number)) return -1;
    const value = year * 10_000 + month * 100 + day;
    return value < (min[c] as number) || value > (max[c] as number) ? -1 : p;
  }

  /** A number's end, or -1 if it is none, is not surely exact, or is out of range. */
  function numberAt(bytes: Uint8Array, start: number, c: number): number {
    let p = start;
    let b = bytes[p] as number;
    const negative = b === MINUS;
    if (negative) b = bytes[++p] as number;
    let value = 0;
    const from = p;
    let digit = b - ZERO;
    while (digit >= 0 && digit <= NINE) {
      value = value * 10 + digit;
      digit = (bytes[++p] as number) - ZERO;
    }
    let digits = p - from;
    if (kinds[c] === INTEGER) {
      if (digits === 0 || digits > (most[c] as number)) return -1;
    } else {
      if (digits > (whole[c] as number) || digits > (most[c] as number)) return -1;
      if (bytes[p] === point) {
        const dot = ++p;
        digit = (bytes[p] as number) - ZERO;
        while (digit >= 0 && digit <= NINE) {
          value = value * 10 + digit;
          digit = (bytes[++p] as number) - ZERO;
        }
        const places = p - dot;
        digits += places;
        if (places === 0 || places > (fraction[c] as number) || digits > (most[c] as number)) return -1;
        value /= powers[places] as number;
      } else if (digits === 0) return -1;
    }
    if (negative) value = -value;
    return value < (min[c] as number) || value > (max[c] as number) ? -1 : p;
  }

  return (bytes, at) => {
    let p = at;
    for (let c = 0; c < width; c++) {
      if (c > 0) {
        if (bytes[p] !== delimiter) return -1;
        p++;
      }
      const kind = kinds[c];
      let b = bytes[p] as number;
      const isQuoted = b === QUOTE;
      if (isQuoted) b = bytes[++p] as number;
      const isEmpty = isQuoted ? b === QUOTE && bytes[p + 1] !== QUOTE : b === delimiter || b === LF || b === CR;
      if (isEmpty) {
        if (required[c] === 1) return -1;
      } else if (kind === EMPTY) return -1;
      else {
        let end = kind !== ANY && mayBeNull[b] === 1 ? nullAt(bytes, p) : 0;
        if (end === -1 || (end > 0 && required[c] === 1)) return -1;
        if (end === 0) {
          if (kind === TEXT || kind === ANY) {
            if (kind === TEXT && (required[c] === 1 || nulls.length > 0) && mayBeBlank(b)) return -1;
            if (isQuoted) end = closingQuote(bytes, p);
            else {
              end = p;
              while (stops[bytes[end] as number] === 0) end++;
            }
          } else if (kind === DATE) end = dateAt(bytes, p, c);
          else if (kind === BOOLEAN) end = booleanAt(bytes, p);
          else end = numberAt(bytes, p, c);
          if (end === -1) return -1;
        }
        p = end;
      }
      if (isQuoted && bytes[p++] !== QUOTE) return -1;
    }
    // A lone empty cell is a blank line, which is no row.
    if (width === 1 && p === at) return -1;
    if (crlf && bytes[p++] !== CR) return -1;
    return bytes[p] === LF ? p + 1 : -1;
  };
}

function booleanAt(bytes: Uint8Array, p: number): number {
  const b = bytes[p];
  if (b === 0x30 || b === 0x31) return p + 1;
  const word = b === 0x74 ? "true" : b === 0x66 ? "false" : "";
  for (let i = 0; i < word.length; i++) if (bytes[p + i] !== word.charCodeAt(i)) return -1;
  return word === "" ? -1 : p + word.length;
}

/** The index of the quote that closes the cell begun before `p`, or -1. Lines in cells are left to the careful way. */
function closingQuote(bytes: Uint8Array, start: number): number {
  for (let p = start; ; p++) {
    const b = bytes[p] as number;
    if (b === QUOTE) {
      if (bytes[p + 1] !== QUOTE) return p;
      p++;
    } else if (b === LF || b === CR || b === 0) return -1;
  }
}
