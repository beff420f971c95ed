import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { StoreUnreachable } from "../index.ts";
import type { Client } from "./client.ts";
import { readHead } from "./head.ts";
import { passingCode, readText } from "./http.ts";
import { pauseBefore } from "./retry.ts";

/** Connections that may break one after the other without bringing a byte. */
const BREAKS = 5;

/** Read ahead, so that one piece is taken while the next ones arrive. */
const AHEAD = 1 << 20;

/** Streams an object, or a range of it. A connection that breaks is taken up where it broke. Undefined: there is none. */
export async function getObject(
  client: Client,
  key: string,
  range?: { start: number; end?: number },
): Promise<Readable | undefined> {
  const found = await getPieces(client, key, range);
  if (found === undefined) return undefined;
  const stream = Readable.from(found.pieces, { objectMode: false, highWaterMark: AHEAD });
  // Of what is never read, the pieces never end either.
  stream.once("close", () => found.response.readableEnded || found.response.destroy());
  return stream;
}

async function getPieces(
  client: Client,
  key: string,
  range?: { start: number; end?: number },
): Promise<{ pieces: AsyncIterable<Buffer>; response: IncomingMessage } | undefined> {
  const from = range?.start ?? 0;
  const headers = range === undefined ? {} : { range: `bytes=${from}-${range.end ?? ""}` };
  const { status, value: response } = await open(client, key, headers);
  if (status === 404 || status === 416) {
    await readText(response);
    // A range that begins behind the end has no bytes.
    return status === 404 ? undefined : { pieces: none(), response };
  }
  const head = readHead(client, key, response.headers);
  if (head === undefined) {
    response.destroy();
    return undefined;
  }
  const end = from + head.bytes;
  return { pieces: resumed(client, { key, etag: head.etag, from, end }, response), response };
}

const open = (client: Client, key: string, headers: Record<string, string>) =>
  client.ask({
    method: "GET",
    name: key,
    headers,
    accept: [404, 412, 416],
    take: async (response: IncomingMessage) => response,
  });

async function* resumed(
  client: Client,
  { key, etag, from, end }: { key: string; etag: string; from: number; end: number },
  first: IncomingMessage,
): AsyncGenerator<Buffer> {
  let position = from;
  let breaks = 0;
  for (let response = first; ;) {
    let failure: unknown;
    try {
      for await (const piece of response as AsyncIterable<Buffer>) {
        position += piece.length;
        breaks = 0;
        yield piece;
      }
    } catch (error) {
      if (passingCode(error) === undefined) throw error;
      failure = error;
    }
    if (position === end) return;
    if (++breaks > BREAKS)
      throw new StoreUnreachable(
        `The object ${JSON.stringify(key)} of the Swift container "${client.container}" breaks off after ${position} of ${end} bytes; does it lack a segment?`,
        { cause: failure },
      );
    await pauseBefore(breaks);
    const next = await open(client, key, { range: `bytes=${position}-${end - 1}`, "if-match": etag });
    if (next.status !== 206) {
      await readText(next.value);
      throw new Error(
        `The object ${JSON.stringify(key)} of the Swift container "${client.container}" was replaced while it was read; read it again.`,
      );
    }
    response = next.value;
  }
}

async function* none(): AsyncGenerator<Buffer> {
  // A range behind the end.
}

/** Brings an object into a new file; false if there is no such object. */
export async function fetchObject(client: Client, key: string, file: string): Promise<boolean> {
  const found = await getPieces(client, key);
  if (found === undefined) return false;
  try {
    await pipeline(found.pieces, createWriteStream(file, { flags: "wx", mode: 0o600, highWaterMark: AHEAD }));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) await rm(file, { force: true });
    throw error;
  }
  return true;
}
