import { createReadStream } from "node:fs";
import { z } from "zod";
import { StoreFull, StoreUnreachable } from "../index.ts";
import { type Client, nothing } from "./client.ts";
import { type Body, BrokenAnswer, readText } from "./http.ts";
import { isTransient } from "./retry.ts";

/** A segment that is in the container. */
export interface Segment {
  name: string;
  bytes: number;
  etag: string;
}

/** Segments of one object that are sent at a time. */
const AT_A_TIME = 3;

/** As many as a manifest holds by default (`max_manifest_segments` of Swift's slo filter). */
export const MAX_SEGMENTS = 1000;

/** What the bodies of segments take of memory, if they do. */
interface Memory {
  /** Whether they should be few. */
  isCrowded(): boolean;
  /** One is not needed any more. */
  onSent(body: Body): void;
}

/**
 * Sends segments as they come, some at a time. On any failure it waits for those on their way, deletes all of them, and
 * throws the error.
 */
export async function putSegments(
  client: Client,
  folder: string,
  bodies: AsyncIterable<Body>,
  { isCrowded, onSent }: Memory = { isCrowded: () => false, onSent: () => undefined },
): Promise<Segment[]> {
  const segments: Promise<Segment>[] = [];
  const names: string[] = [];
  const lost: string[] = [];
  const sending = new Set<Promise<unknown>>();
  try {
    for await (const body of bodies) {
      const name = `${folder}${String(segments.length).padStart(5, "0")}`;
      names.push(name);
      const sent = putSegment(client, name, body);
      segments.push(sent);
      const done = sent.finally(() => {
        sending.delete(done);
        onSent(body);
      });
      done.catch(() => lost.push(name));
      sending.add(done);
      while (sending.size >= (isCrowded() ? 1 : AT_A_TIME)) await Promise.race(sending);
      // What follows would be sent for nothing.
      if (lost.length > 0) break;
    }
    return await Promise.all(segments);
  } catch (error) {
    await Promise.allSettled(segments);
    await deleteSegments(client, names);
    throw error;
  }
}

async function putSegment(client: Client, name: string, body: Body): Promise<Segment> {
  const { headers } = await client.ask({
    method: "PUT",
    name,
    headers: { "content-type": "application/octet-stream" },
    body,
    take: nothing,
  });
  return { name, bytes: body.bytes, etag: String(headers.etag).replaceAll('"', "") };
}

/** Deletes segments. What fails is left to `collect`: who calls this has an error of its own to tell, or is done. */
export async function deleteSegments(client: Client, names: readonly string[]): Promise<void> {
  for (let next = 0; next < names.length; next += AT_A_TIME)
    await Promise.allSettled(
      names
        .slice(next, next + AT_A_TIME)
        .map((name) => client.ask({ method: "DELETE", name, accept: [404], take: nothing })),
    );
}

/** A part of a file on this machine. */
export const fileBody = (file: string, start: number, bytes: number): Body => ({
  bytes,
  open: () => (bytes === 0 ? none() : createReadStream(file, { start, end: start + bytes - 1 })),
});

async function* none(): AsyncGenerator<Uint8Array> {
  // A read stream cannot end before its first byte.
}

/** https://docs.openstack.org/swift/latest/middleware.html#static-large-objects */
const Result = z.object({
  "Response Status": z.string().regex(/^\d{3}/),
  Errors: z.array(z.array(z.string())).default([]),
});

/**
 * The status of what a bulk or manifest request did. Such an answer begins with 200 or 202 and white space, long before it is
 * known; the status is in its body. One that is missing or passing is thrown as a BrokenAnswer, to be asked for again.
 * `accept`: a status that is no success and yet an answer.
 */
export function resultOf(text: string, what: string, accept: number): number {
  const parsed = Result.safeParse(jsonOf(text));
  if (!parsed.success) throw new BrokenAnswer(`Swift broke off before it said what became of ${what}.`);
  const { "Response Status": line, Errors: errors } = parsed.data;
  const status = Number(line.slice(0, 3));
  const [first] = errors;
  if (status === 413) throw new StoreFull(`Swift has no room for ${what}: a quota is used up; raise it.`);
  // Of several that write one object at once, 409 is for those that were a moment too early.
  if (isTransient(status) || status === 409) throw new BrokenAnswer(`Swift answered ${line} for ${what}.`);
  if (first !== undefined || (status >= 300 && status !== accept)) {
    const why = first === undefined ? "" : `: ${first.join(" ").slice(0, 300)}`;
    throw new StoreUnreachable(`Swift refuses ${what} (${line})${why}; it is tried again.`);
  }
  return status;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Writes the manifest that makes one object of segments. Gives the status: 201, or 412 for an object that is there. */
export async function putManifest(
  client: Client,
  key: string,
  segments: readonly Segment[],
  headers: Record<string, string>,
): Promise<number> {
  const manifest = segments.map(({ name, bytes, etag }) => ({
    path: `/${client.container}/${name}`,
    etag,
    size_bytes: bytes,
  }));
  const body = Buffer.from(JSON.stringify(manifest));
  const { status, value } = await client.ask({
    method: "PUT",
    name: key,
    query: { "multipart-manifest": "put", heartbeat: "on" },
    headers: { ...headers, accept: "application/json" },
    body: { bytes: body.length, open: () => pieces([body]) },
    accept: [412],
    take: async (response) => {
      const text = await readText(response);
      // Radosgw and old proxies know no heartbeat: their answer is the status itself.
      const isBeaten = response.statusCode === 202;
      return isBeaten ? resultOf(text, `the manifest of the object ${JSON.stringify(key)}`, 412) : undefined;
    },
  });
  return value ?? status;
}

export async function* pieces(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
