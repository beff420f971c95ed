import { createHash, randomUUID } from "node:crypto";
import { open as openFile } from "node:fs/promises";
import type { IncomingHttpHeaders } from "node:http";
import { type HandedOver, ObjectExists, StoreUnreachable, type StoredObject } from "../index.ts";
import { type Client, nothing } from "./client.ts";
import { headOf, PUT_HEADER, type SwiftHead } from "./head.ts";
import { type Body, BodyFailed } from "./http.ts";
import { entries } from "./list.ts";
import { segmentsOf, versionOfHeader } from "./names.ts";
import { deleteSegments, fileBody, MAX_SEGMENTS, pieces, putManifest, putSegments, type Segment } from "./slo.ts";

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
  const contentOf = async (): Promise<Content> => {
    const ahead = await firstOf(all);
    if (ahead.length < 2) return { single: ahead[0] ?? { bytes: 0, open: () => pieces([]) } };
    return { segments: (folder) => putSegments(client, folder, joined(ahead, all), { isCrowded, onSent }) };
  };
  const written = await inTurn(client, key, options, contentOf).finally(async () => {
    hold(-own);
    await all.return(undefined);
  });
  return { bytes, sha256: hash.digest("hex"), version: await written.version() };
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
  async function* parts(): AsyncGenerator<Body> {
    for (let start = 0; start < bytes; start += size) yield fileBody(file, start, Math.min(size, bytes - start));
  }
  await inTurn(client, key, options, async () =>
    bytes <= FILE_SEGMENT
      ? { single: fileBody(file, 0, bytes) }
      : { segments: (folder) => putSegments(client, folder, parts()) },
  );
  return { bytes };
}

/** What is to be an object: in one piece, or segments that are sent to a folder. */
type Content = { single: Body } | { segments: (folder: string) => Promise<Segment[]> };

/** An object that was written. Its version costs a request more, as Swift tells of a put only to the second. */
interface Written {
  version(): Promise<string>;
}

/** Who creates which object now. Swift lets several pass `If-None-Match: *` that come at once, so here they go one by one. */
const creating = new Map<string, Promise<void>>();

async function inTurn(
  client: Client,
  key: string,
  options: PutOptions,
  contentOf: () => Promise<Content>,
): Promise<Written> {
  if (options.ifAbsent !== true) return putOnce(client, key, options, contentOf);
  const place = `${client.address}/${key}`;
  for (let other = creating.get(place); other !== undefined; other = creating.get(place)) await other;
  const { promise, resolve } = Promise.withResolvers<void>();
  creating.set(place, promise);
  try {
    return await putOnce(client, key, options, contentOf);
  } finally {
    creating.delete(place);
    resolve();
  }
}

async function putOnce(
  client: Client,
  key: string,
  options: PutOptions,
  contentOf: () => Promise<Content>,
): Promise<Written> {
  try {
    const content = await contentOf();
    return await ("single" in content
      ? putSmall(client, key, content.single, options)
      : putLarge(client, key, content.segments, options));
  } catch (error) {
    throw error instanceof BodyFailed ? error.cause : error;
  }
}

/** By this a put is known again, whatever became of its answers. */
const headersOf = (put: string) => ({ "content-type": "application/octet-stream", [PUT_HEADER]: put });
const absent = { "if-none-match": "*" };

/** Most objects are new, which one request asks and does. Only of one that is there more must be known. */
async function putSmall(
  client: Client,
  key: string,
  body: Body,
  { ifAbsent = false, isVersioned }: PutOptions,
): Promise<Written> {
  const put = randomUUID();
  const etag = await md5Of(body);
  const send = (more: Record<string, string>) =>
    client.ask({
      method: "PUT",
      name: key,
      headers: { ...headersOf(put), etag, ...more },
      body,
      accept: [412],
      take: nothing,
    });
  // What is replaced stays there with all that it needs, so nothing must be known of it.
  const first = await send(isVersioned && !ifAbsent ? {} : absent);
  if (first.status !== 412) return { version: () => versionOf(client, key, put, first.headers) };
  await dropRefused(client, key, first.headers);
  const before = await headOf(client, key);
  // An earlier try was heard although its answer was lost, and this one met it.
  // Where versions are kept, Swift 2.30 takes what came of one that broke off for the whole: that is written over.
  if (before?.put === put && before.bytes === body.bytes) return { version: async () => before.version };
  if (ifAbsent && before?.put !== put) throw exists(key);
  const { headers } = await send({});
  await dropOld(client, before, put, isVersioned);
  return { version: () => versionOf(client, key, put, headers) };
}

/**
 * Where a container keeps versions, Swift 2.30 keeps also what it refuses by `If-None-Match`, and says in its answer as which one.
 * Who may not delete there leaves it.
 */
async function dropRefused(client: Client, key: string, headers: IncomingHttpHeaders): Promise<void> {
  const id = headers["x-object-version-id"];
  if (typeof id !== "string") return;
  await client.ask({ method: "DELETE", name: key, query: { "version-id": id }, accept: [403, 404], take: nothing });
}

/**
 * By this Swift refuses what is not the whole, which it does not by its length where it keeps versions (2.30): a processor
 * that is killed while it sends would leave half a file, to be found and loaded.
 */
async function md5Of(body: Body): Promise<string> {
  const hash = createHash("md5");
  for await (const chunk of body.open()) hash.update(chunk);
  return hash.digest("hex");
}

async function putLarge(
  client: Client,
  key: string,
  segmentsIn: (folder: string) => Promise<Segment[]>,
  { ifAbsent = false, isVersioned }: PutOptions,
): Promise<Written> {
  const put = randomUUID();
  const before = await headOf(client, key);
  // Told before much is sent for nothing.
  if (ifAbsent && before !== undefined) throw exists(key);
  const segments = await segmentsIn(segmentsOf(key, put));
  const drop = () =>
    deleteSegments(
      client,
      segments.map(({ name }) => name),
    );
  let status: number;
  try {
    status = await putManifest(client, key, segments, { ...headersOf(put), ...(ifAbsent && absent) });
  } catch (error) {
    // It may be there although nobody heard of it: then it needs its segments, which are looked after later.
    if (!(error instanceof StoreUnreachable)) await drop();
    throw error;
  }
  // As above: it may have been this one that an earlier try wrote.
  if (status === 412 && (await headOf(client, key))?.put !== put) {
    await drop();
    throw exists(key);
  }
  await dropOld(client, before, put, isVersioned);
  return { version: () => versionOf(client, key, put, {}) };
}
const exists = (key: string) => new ObjectExists(`There is an object ${JSON.stringify(key)} already.`);

/** Only a container that keeps versions says in its answer which one it made; of any other the object is asked. */
async function versionOf(client: Client, key: string, put: string, headers: IncomingHttpHeaders): Promise<string> {
  const id = headers["x-object-version-id"];
  if (typeof id === "string") return versionOfHeader(id);
  const found = await headOf(client, key);
  // Somebody else wrote it meanwhile: this version names what was written here, and is nowhere any more.
  return found?.put === put ? found.version : `replaced-${put}`;
}

/** Deletes the segments of what an object was before, if the put has replaced it for good. */
async function dropOld(
  client: Client,
  before: SwiftHead | undefined,
  put: string,
  isVersioned: boolean,
): Promise<void> {
  if (before?.put === undefined || !before.isSegmented || isVersioned) return;
  if ((await headOf(client, before.key))?.put !== put) return;
  for await (const page of entries(client, segmentsOf(before.key, before.put)))
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
