import { closeSync, openSync, writeSync } from "node:fs";

const OUT_BYTES = 1 << 20;
/** What a file begins with: megabytes that a small file does not need cost more to collect than its rows to read. */
const FIRST_BYTES = 1 << 15;
const LF = 0x0a;
const ZERO = 0x30;
/**
 * Where lines are longer than this, a file ends at so many bytes and the next one begins: the engine holds 2,048 lines of
 * a file at a time, but never of two.
 */
const LONG_LINE_BYTES = 16_000;
const MAX_LONG_FILE_BYTES = 16e6;
/** Digits of the largest safe integer. */
const NUMBER_BYTES = 16;

/** A new file of lines that is written in large pieces. Writing waits: this runs in the engine's own process. */
export interface LineFile {
  write(line: Buffer): void;
  /** Lines that stand in `bytes` already, with their ends. */
  range(bytes: Buffer, from: number, to: number): void;
  /** One such line, with a number and a one-byte delimiter before it. */
  numbered(number: number, delimiter: number, bytes: Buffer, from: number, to: number): void;
  /** The files after the first, where lines are long. */
  moreFiles(): string[];
  /** Bytes of the longest line that was given to `write`. */
  longest(): number;
  /** May be called again. */
  close(): void;
}

export function lineFile(path: string): LineFile {
  let file = openSync(path, "wx", 0o600);
  const moreFiles: string[] = [];
  let written = 0;
  let isOpen = true;
  let buffer = Buffer.allocUnsafe(FIRST_BYTES);
  let used = 0;
  let longest = 0;
  function flush(): void {
    for (let done = 0; done < used;) done += writeSync(file, buffer, done, used - done);
    used = 0;
  }
  function beginNext(): void {
    flush();
    closeSync(file);
    const next = `${path}.${moreFiles.length + 1}`;
    file = openSync(next, "wx", 0o600);
    moreFiles.push(next);
    written = 0;
  }
  function makeRoom(needed: number): void {
    if (used + needed <= buffer.length) return;
    if (used + needed <= OUT_BYTES) {
      const larger = Buffer.allocUnsafe(Math.min(OUT_BYTES, Math.max(used + needed, 4 * buffer.length)));
      buffer.copy(larger, 0, 0, used);
      buffer = larger;
      return;
    }
    flush();
    if (needed > buffer.length) buffer = Buffer.allocUnsafe(Math.max(needed, OUT_BYTES));
  }
  function writeNumber(number: number): void {
    let end = used + 1;
    for (let rest = number; rest >= 10; rest = Math.floor(rest / 10)) end++;
    let rest = number;
    for (let at = end - 1; at >= used; at--) {
      const tens = Math.floor(rest / 10);
      buffer[at] = ZERO + (rest - tens * 10);
      rest = tens;
    }
    used = end;
  }
  return {
    write(line) {
      const needed = line.length + 1;
      longest = Math.max(longest, needed);
      if (longest > LONG_LINE_BYTES && written + needed > MAX_LONG_FILE_BYTES) beginNext();
      written += needed;
      makeRoom(needed);
      used += line.copy(buffer, used);
      buffer[used++] = LF;
    },
    range(bytes, from, to) {
      makeRoom(to - from);
      used += bytes.copy(buffer, used, from, to);
    },
    numbered(number, delimiter, bytes, from, to) {
      makeRoom(to - from + NUMBER_BYTES + 1);
      writeNumber(number);
      buffer[used++] = delimiter;
      used += bytes.copy(buffer, used, from, to);
    },
    moreFiles: () => moreFiles,
    longest: () => longest,
    close() {
      if (!isOpen) return;
      isOpen = false;
      try {
        flush();
      } finally {
        closeSync(file);
      }
    },
  };
}
