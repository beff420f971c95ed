import { hash } from "node:crypto";

/** 128 bits that stand for one version of one object. */
export type Mark = Uint32Array;

/** Of two versions with the same mark the later would not be seen, and no one finds two: SHA-256 was cut to half. */
export function markOf({ key, version }: { key: string; version: string }): Mark {
  const bytes = hash("sha256", `${key}\0${version}`, "buffer");
  return Uint32Array.from({ length: WORDS }, (_, word) => bytes.readUInt32LE(4 * word));
}

/** Versions of objects that need no look any more. */
export interface Seen {
  has(mark: Mark): boolean;
  add(mark: Mark): void;
  readonly size: number;
}

const WORDS = 4;
const LEAST = 1024;

/**
 * A set of marks without an object for each: 21 to 43 bytes a mark, where a `Map` of keys and versions takes about 200.
 * It is a table with open addressing: https://en.wikipedia.org/wiki/Linear_probing
 */
export function seen(): Seen {
  let places = LEAST;
  let table = new Uint32Array(places * WORDS);
  let size = 0;

  /** Where the mark stands, or the empty place where it would. */
  function placeOf(mark: Mark): number {
    let place = (mark[0] ?? 0) & (places - 1);
    for (; ; place = (place + 1) & (places - 1)) {
      const start = place * WORDS;
      if (isEmpty(start)) return start;
      let same = true;
      for (let word = 0; same && word < WORDS; word++) same = table[start + word] === mark[word];
      if (same) return start;
    }
  }

  const isEmpty = (start: number) =>
    table[start] === 0 && table[start + 1] === 0 && table[start + 2] === 0 && table[start + 3] === 0;

  function grow(): void {
    const before = table;
    places *= 2;
    table = new Uint32Array(places * WORDS);
    for (let start = 0; start < before.length; start += WORDS) {
      const mark = before.subarray(start, start + WORDS);
      if (mark.some((word) => word !== 0)) table.set(mark, placeOf(mark));
    }
  }

  return {
    has: (mark) => !isEmpty(placeOf(mark)),
    add(mark) {
      const start = placeOf(mark);
      if (!isEmpty(start)) return;
      table.set(mark, start);
      size++;
      if (size > places * 0.75) grow();
    },
    get size() {
      return size;
    },
  };
}
