import { createHash, randomUUID } from "node:crypto";
import { open as openFile } from "node:fs/promises";
import { type HandedOver, ObjectExists, StoreUnreachable, type StoredObject } from "../index.ts";
import { type Client, nothing } from "./client.ts";
import { headOf, PUT_HEADER, type SwiftHead } from "./head.ts";
import { type Body, BodyFailed } from "./http.ts";
import { entries } from "./list.ts";
import { segmentsOf } from "./names.ts";
import { deleteSegments, fileBody, MAX_SEGMENTS, pieces, putManifest, putSegments } from "./slo.ts";

export interface PutOptions {
  ifAbsent?: boolean;
  /** Whether the container keeps what is replaced, which then needs its segments. */
  isVersioned: boolean;
}

/** A body whose length is not known is held in memory by pieces of this size, five at a time at most. */
const SEGMENT = 8 << 20;
/** As a manifest holds so many segments, later ones are larger: 256 of 8 MiB, 256 of 32, then of 128, 71 GiB in all. */
const segmentBytes = (nth: number): number => SEGMENT << (2 * Math.min(2, Math.floor(nth / 256)));

/** What all such bodies together may hold. Beyond it pieces are sent while they are small, and one at a time of a body. */
const HELD = 256 << 20;
/** Small, yet growing: 256 of 1 MiB, 256 of 4, 256 of 16, then of 128, 34 GiB in all. */
const smallBytes = (nth: number): number => (nth < 768 ? 1 << (20 + 2 * Math.floor(nth / 256)) : 128 << 20);
let held = 0;
const isCrowded = (): boolean => held > HELD;

/** A file on this machine of more than this is sent as segments of this size, or larger ones if they were too many. */
const FILE_SEGMENT = 64 << 20;

/** Puts a body that comes only once. What can be lost on the way is held in memory until the store has it. */
export async function putStream(
  client: Client,
  key: string,
  body: AsyncIterable<Uint8Array>,
  options: PutOptions,
): Promise<StoredObject> {
  const hash = createHash("sha256");
  let bytes = 0;
  let own = 0;
  const hold = (more: number) => {
    own += more;
    held += more;
  };
  const onSent = (sent: Body) => hold(-sent.bytes);
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      hash.update(chunk);
      bytes += chunk.byteLength;
      hold(chunk.byteLength);
      yield chunk;
    }
  }
  const all = blocks(counted());
  const { version } = await inTurn(client, key, options, async (put) => {
    const ahead = await firstOf(all);
    if (ahead.length < 2) return { single: ahead[0] ?? { bytes: 0, open: () => pieces([]) } };
    return { segments: await putSegments(client, segmentsOf(key, put), joined(ahead, all), { isCrowded, onSent }) };
  }).finally(async () => {
    hold(-own);
    await all.return(undefined);
  });
  return { bytes, sha256: hash.digest("hex"), version };
}

/** The first two blocks, or as many as there are. */
async function firstOf(blocks: AsyncIterator<Body, undefined>): Promise<Body[]> {
  const first = (await blocks.next()).value;
  const second = first && (await blocks.next()).value;
  return [first, second].filter((block) => block !== undefined);
}

/** Lets go of each block as it is taken. */
async function* joined(ahead: Body[], rest: AsyncIterable<Body>): AsyncGenerator<Body> {
  for (let next = ahead.shift(); next !== undefined; next = ahead.shift()) yield next;
  yield* rest;
}

/** Puts a file of this machine. */
export async function putFile(client: Client, key: string, file: string, options: PutOptions): Promise<HandedOver> {
  const handle = await openFile(file);
  let bytes: number;
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new Error(`${file} is no file, so it cannot become an object.`);
    bytes = stats.size;
  } finally {
    await handle.close();
  }
  const size = Math.max(FILE_SEGMENT, Math.ceil(bytes / MAX_SEGMENTS));
  const { version } = await inTurn(client, key, options, async (put) => {
    if (bytes <= FILE_SEGMENT) return { single: fileBody(file, 0, bytes) };
    async function* parts(): AsyncGenerator<Body> {
      for (let start = 0; start < bytes; start += size) yield fileBody(file, start, Math.min(size, bytes - start));
    }
    return { segments: await putSegments(client, segmentsOf(key, put), parts()) };
  });
  return { bytes, version };
}

type Sent = { single: Body } | { segments: Awaited<ReturnType<typeof putSegments>> };

/** Who creates which object now. Swift lets several pass `If-None-Match: *` that come at once, so here they go one by one. */
const creating = new Map<string, Promise<void>>();

async function inTurn(
  client: Client,
  key: string,
  options: PutOptions,
  send: (put: string) => Promise<Sent>,
): Promise<{ version: string }> {
  if (options.ifAbsent !== true) return putOnce(client, key, options, send);
  const place = `${client.address}/${key}`;
  for (let other = creating.get(place); other !== undefined; other = creating.get(place)) await other;
  const { promise, resolve } = Promise.withResolvers<void>();
  creating.set(place, promise);
  try {
    return await putOnce(client, key, options, send);
  } finally {
    creating.delete(place);
    resolve();
  }
}

async function putOnce(
  client: Client,
  key: string,
  { ifAbsent = false, isVersioned }: PutOptions,
  send: (put: string) => Promise<Sent>,
): Promise<{ version: string }> {
  const put = randomUUID();
  const headers = {
    "content-type": "application/octet-stream",
    [PUT_HEADER]: put,
    ...(ifAbsent && { "if-none-match": "*" }),
  };
  const before = await headOf(client, key);
  // Told before much is sent for nothing.
  if (ifAbsent && before !== undefined) throw exists(key);
  let sent: Sent;
  try {
    sent = await send(put);
  } catch (error) {
    throw error instanceof BodyFailed ? error.cause : error;
  }
  const status = await ("single" in sent
    ? putWhole(client, key, sent.single, headers)
    : putLarge(client, key, sent.segments, headers));
  const after = await headOf(client, key);
  // An earlier try was heard although its answer was lost, and this one met it.
  if (status === 412 && after?.put !== put) {
    if ("segments" in sent)
      await deleteSegments(
        client,
        sent.segments.map(({ name }) => name),
      );
    throw exists(key);
  }
  if (before?.isSegmented === true && !isVersioned && after?.put === put) await deleteOld(client, before);
  // Somebody else wrote it meanwhile: this version names what was written here, and is nowhere any more.
  return { version: after?.put === put ? after.version : `replaced-${put}` };
}

const exists = (key: string) => new ObjectExists(`There is an object ${JSON.stringify(key)} already.`);

async function putWhole(client: Client, key: string, body: Body, headers: Record<string, string>): Promise<number> {
  try {
    const { status } = await client.ask({ method: "PUT", name: key, headers, body, accept: [412], take: nothing });
    return status;
  } catch (error) {
    throw error instanceof BodyFailed ? error.cause : error;
  }
}

async function putLarge(
  client: Client,
  key: string,
  segments: Awaited<ReturnType<typeof putSegments>>,
  headers: Record<string, string>,
): Promise<number> {
  try {
    return await putManifest(client, key, segments, headers);
  } catch (error) {
    // It may be there although nobody heard of it: then it needs its segments, which are looked after later.
    const isKnown = !(error instanceof StoreUnreachable);
    if (isKnown)
      await deleteSegments(
        client,
        segments.map(({ name }) => name),
      );
    throw error;
  }
}

/** The segments of an object of ours that was replaced. */
async function deleteOld(client: Client, { key, put }: SwiftHead): Promise<void> {
  if (put === undefined) return;
  for await (const page of entries(client, segmentsOf(key, put)))
    await deleteSegments(
      client,
      page.map(({ name }) => name),
    );
}

/** A body in blocks that are held in memory, each until it is dropped. */
async function* blocks(body: AsyncIterable<Uint8Array>): AsyncGenerator<Body, undefined> {
  let chunks: Uint8Array[] = [];
  let bytes = 0;
  let count = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes < (isCrowded() ? smallBytes(count) : segmentBytes(count))) continue;
    yield block(chunks, bytes);
    [chunks, bytes, count] = [[], 0, count + 1];
  }
  if (bytes > 0) yield block(chunks, bytes);
  return undefined;
}

const block = (chunks: Uint8Array[], bytes: number): Body => ({ bytes, open: () => pieces(chunks) });
