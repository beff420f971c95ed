import { closeSync, openSync, writeSync } from "node:fs";

const OUT_BYTES = 1 << 20;
const LF = 0x0a;
const ZERO = 0x30;
/** Digits of the largest safe integer. */
const NUMBER_BYTES = 16;

/** A new file of lines that is written in large pieces. Writing waits: this runs in the engine's own process. */
export interface LineFile {
  write(line: Buffer): void;
  /** Lines that stand in `bytes` already, with their ends. */
  range(bytes: Buffer, from: number, to: number): void;
  /** One such line, with a number and a one-byte delimiter before it. */
  numbered(number: number, delimiter: number, bytes: Buffer, from: number, to: number): void;
  /** Bytes of the longest line that was given to `write`. */
  longest(): number;
  /** May be called again. */
  close(): void;
}

export function lineFile(path: string): LineFile {
  const file = openSync(path, "wx", 0o600);
  let isOpen = true;
  let buffer = Buffer.allocUnsafe(OUT_BYTES);
  let used = 0;
  let longest = 0;
  function flush(): void {
    for (let written = 0; written < used;) written += writeSync(file, buffer, written, used - written);
    used = 0;
  }
  function makeRoom(needed: number): void {
    if (used + needed > buffer.length) flush();
    if (needed > buffer.length) buffer = Buffer.allocUnsafe(needed);
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
