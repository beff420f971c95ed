import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { Unreadable } from "../contract/records.ts";

/** The content of a file, or of a member of a zip, decompressed. It may be read more than once. */
export interface Source {
  /** The member's name in the zip and its place among the members; the name is null for a file that is no zip. */
  member: { name: string | null; index: number };
  open(): AsyncIterable<Buffer>;
}

/** What a file may still hold once it is decompressed, over all of its members. */
export interface Budget {
  limit: number;
  left: number;
}

/** Content that is taken off the budget, what is read again only once. More than is left is refused while it streams. */
export function budgeted(open: () => AsyncIterable<Buffer>, budget: Budget): () => AsyncIterable<Buffer> {
  let counted = 0;
  return async function* () {
    let bytes = 0;
    for await (const chunk of open()) {
      bytes += chunk.length;
      if (bytes > counted) {
        budget.left -= bytes - counted;
        counted = bytes;
      }
      if (budget.left < 0) throw expandsBeyond(budget.limit);
      yield chunk;
    }
  };
}

export const expandsBeyond = (limit: number) =>
  new Unreadable(
    `The file holds more than the ${limit.toLocaleString("en")} bytes that the stack takes once a file is decompressed; send it in parts.`,
  );

/** Longer pieces would cost the readers that decode them twice that memory, shorter ones time. */
const PIECE_BYTES = 1 << 18;

/** A file as it is. */
export const readFile = (path: string): AsyncIterable<Buffer> => createReadStream(path, { highWaterMark: PIECE_BYTES });

/** The first bytes of some content; all of it if it is shorter. */
export async function headOf(source: Pick<Source, "open">, bytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of source.open()) {
    pieces.push(piece);
    length += piece.length;
    if (length >= bytes) break;
  }
  return Buffer.concat(pieces).subarray(0, bytes);
}

/** Writes the content to a new file, for readers that cannot stream. */
export const writeTo = (path: string, source: Source): Promise<void> =>
  pipeline(source.open(), createWriteStream(path, { flags: "wx", mode: 0o600 }));
