import { isAscii, isUtf8 } from "node:buffer";
import type { Reading } from "@cais/spec/upload.ts";

export type Encoding = "utf-8" | "utf-16le" | "utf-16be" | "windows-1252";

const LF = 0x0a;

/** Marks at a file's begin that tell its encoding (Unicode, section 23.8). */
const marks: { encoding: Encoding; bytes: number[] }[] = [
  { encoding: "utf-8", bytes: [0xef, 0xbb, 0xbf] },
  { encoding: "utf-16le", bytes: [0xff, 0xfe] },
  { encoding: "utf-16be", bytes: [0xfe, 0xff] },
];

/** What the first bytes of a file tell of its encoding. `sure`: by a mark, or because the stack says so. */
function encodingOf(
  head: Buffer,
  asked: Reading["csv"]["encoding"],
): { encoding: Encoding; mark: number; sure: boolean } {
  const mark = marks.find(({ bytes }) => bytes.every((byte, index) => head[index] === byte));
  const length = mark?.bytes.length ?? 0;
  if (asked === "windows-1252") return { encoding: asked, mark: 0, sure: true };
  if (asked === "utf-16")
    return {
      encoding: mark?.encoding === "utf-16be" ? "utf-16be" : (zeroSide(head) ?? "utf-16le"),
      mark: length,
      sure: true,
    };
  if (asked === "utf-8") return { encoding: asked, mark: mark?.encoding === asked ? length : 0, sure: true };
  if (mark !== undefined) return { encoding: mark.encoding, mark: length, sure: true };
  const wide = zeroSide(head);
  return { encoding: wide ?? "utf-8", mark: 0, sure: wide !== undefined };
}

/** UTF-16 without a mark: of the characters that end cells and rows, and of most others, one byte is zero. */
function zeroSide(head: Buffer): "utf-16le" | "utf-16be" | undefined {
  const end = Math.min(head.length, 4096) & ~1;
  const zeros = [0, 0];
  for (let at = 0; at < end; at++) if (head[at] === 0) zeros[at & 1] = (zeros[at & 1] ?? 0) + 1;
  const [even = 0, odd = 0] = zeros;
  if (odd * 4 > end / 2 && even * 20 < odd) return "utf-16le";
  return even * 4 > end / 2 && odd * 20 < even ? "utf-16be" : undefined;
}

/** Bytes of another encoding as UTF-8, piece by piece. */
function transcoder(encoding: Exclude<Encoding, "utf-8">): (piece: Buffer, last?: boolean) => Buffer {
  if (encoding === "windows-1252") return fromWindows1252;
  const decoder = new TextDecoder(encoding, { ignoreBOM: true });
  return (piece, last = false) => Buffer.from(decoder.decode(piece, { stream: !last }));
}

/**
 * What 0x80 to 0x9F are in Windows-1252 (https://encoding.spec.whatwg.org/index-windows-1252.txt). Node's decoder of that name
 * reads them as Latin-1, in which they are control characters.
 */
const upper = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008DŽ\u008F\u0090‘’“”•–—˜™š›œ\u009Džÿ".split("").slice(0, 31);
const letters = Array.from({ length: 256 }, (_, byte) =>
  Buffer.from(
    byte >= 0x80 && byte < 0x9f ? (upper[byte - 0x80] ?? "") : byte === 0x9f ? "Ÿ" : String.fromCharCode(byte),
  ),
);

function fromWindows1252(piece: Buffer): Buffer {
  if (isAscii(piece)) return piece;
  const out = Buffer.allocUnsafe(piece.length * 3);
  let used = 0;
  for (const byte of piece) {
    if (byte < 0x80) out[used++] = byte;
    else for (const unit of letters[byte] ?? []) out[used++] = unit;
  }
  return out.subarray(0, used);
}

/**
 * Looks at lines that should be UTF-8. `ascii`: nothing but ASCII; `utf-8`: that, with other characters; else the index
 * of the first line that is not UTF-8, and whether all before it is ASCII.
 */
function lookAt(lines: Buffer): "ascii" | "utf-8" | { at: number; plainBefore: boolean } {
  if (isAscii(lines)) return "ascii";
  if (isUtf8(lines)) return "utf-8";
  for (let at = 0; ;) {
    const next = lines.indexOf(LF, at);
    const end = next === -1 ? lines.length : next + 1;
    if (!isUtf8(lines.subarray(at, end))) return { at, plainBefore: isAscii(lines.subarray(0, at)) };
    at = end;
  }
}

/** The text of a file as UTF-8, piece by piece, of which the caller drops what it has read. */
export interface EncodedText {
  /** Adds a piece. `read` is how far the text was read; true if bytes before that are others now. */
  add(piece: Buffer, read: number): boolean;
  /** No more comes; answers as `add`. */
  end(read: number): boolean;
  bytes(): Buffer;
  /** The bytes with a LF after `limit`, where loops over a row stop. */
  withStop(): Buffer;
  limit(): number;
  drop(to: number): void;
  /** Forgets what is after an index. */
  shorten(limit: number): void;
  /** Whether some line of the text is not UTF-8, so that each row must be looked at. */
  isSuspect(): boolean;
  /** Whether a row holds a sign that stands for broken UTF-16. */
  isDamaged(row: Buffer): boolean;
  encoding(): Encoding;
}

const REPLACEMENT = Buffer.from("\uFFFD");
/** Room for a small file; it grows with what is read. */
const FIRST_BYTES = 1 << 15;

/**
 * Reads text whose encoding is found by itself: by a mark, by the zeros of UTF-16, or UTF-8 until a line is not. If nothing but
 * ASCII came before that line the file is in Windows-1252 from there on; else only that row is not what it should be.
 */
export function encodedText(asked: Reading["csv"]["encoding"]): EncodedText {
  let work = Buffer.allocUnsafe(FIRST_BYTES);
  let limit = 0;
  /** Up to where the bytes were seen to be UTF-8: always the begin of a line. */
  let seen = 0;
  let first: Buffer | undefined = Buffer.alloc(0);
  let encoding: Encoding = "utf-8";
  let mayChange = false;
  let sawMore = false;
  let isSuspect = false;
  let convert: ReturnType<typeof transcoder> | undefined;

  function append(bytes: Buffer): void {
    if (limit + bytes.length + 1 > work.length) {
      const larger = Buffer.allocUnsafe(Math.max(work.length * 2, limit + bytes.length + 1));
      work.copy(larger, 0, 0, limit);
      work = larger;
    }
    limit += bytes.copy(work, limit);
  }

  /** Looks at the lines that are whole now. Gives where bytes have changed. */
  function look(to: number): number {
    const from = seen;
    const found = lookAt(work.subarray(from, to));
    seen = to;
    isSuspect = false;
    if (found === "ascii") return limit;
    if (found === "utf-8") {
      sawMore = true;
      return limit;
    }
    if (mayChange && !sawMore && found.plainBefore) {
      const changed = from + found.at;
      encoding = "windows-1252";
      convert = fromWindows1252;
      const rest = Buffer.from(work.subarray(changed, limit));
      limit = changed;
      append(fromWindows1252(rest));
      return changed;
    }
    isSuspect = true;
    return limit;
  }

  function open(head: Buffer): Buffer {
    const found = encodingOf(head, asked);
    encoding = found.encoding;
    mayChange = !found.sure;
    if (encoding !== "utf-8") convert = transcoder(encoding);
    first = undefined;
    return head.subarray(found.mark);
  }

  function take(piece: Buffer, read: number, isLast: boolean): boolean {
    if (convert !== undefined) {
      append(convert(piece, isLast));
      return false;
    }
    append(piece);
    const to = isLast ? limit : work.subarray(0, limit).lastIndexOf(LF) + 1;
    return to > seen && look(to) < read;
  }

  return {
    add(piece, read) {
      if (first === undefined) return take(piece, read, false);
      first = Buffer.concat([first, piece]);
      // A mark, and enough to see the zeros of UTF-16.
      return first.length >= 4096 && take(open(first), read, false);
    },
    end: (read) => take(first === undefined ? Buffer.alloc(0) : open(first), read, true),
    bytes: () => work.subarray(0, limit),
    withStop() {
      work[limit] = LF;
      return work;
    },
    limit: () => limit,
    drop(to) {
      work.copy(work, 0, to, limit);
      limit -= to;
      seen = Math.max(0, seen - to);
    },
    shorten(to) {
      limit = to;
      seen = Math.max(seen, to);
    },
    isSuspect: () => isSuspect,
    isDamaged: (row) => encoding.startsWith("utf-16") && row.includes(REPLACEMENT),
    encoding: () => encoding,
  };
}
