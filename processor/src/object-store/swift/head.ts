import type { IncomingHttpHeaders } from "node:http";
import type { ObjectHead } from "../index.ts";
import { type Client, nothing, pathOf } from "./client.ts";
import { timeOf, versionOfHeader } from "./names.ts";

/** What Swift says of an object. */
export interface SwiftHead extends ObjectHead {
  /** As If-Match takes it. */
  etag: string;
  /** The put that wrote it, if that was one of ours. */
  put: string | undefined;
  /** Whether it is a static large object: a manifest of segments. */
  isSegmented: boolean;
}

/** The metadata by which a put is known again. */
export const PUT_HEADER = "x-object-meta-cais-put";

/** Asks for the newest copy: right after a put not all of them may be there. Undefined: there is no such object. */
export async function headOf(client: Client, key: string): Promise<SwiftHead | undefined> {
  const headers = { "x-newest": "true" };
  const answer = await client.ask({ method: "HEAD", name: key, headers, accept: [404], take: nothing });
  return answer.status === 404 ? undefined : readHead(client, key, answer.headers);
}

/** Undefined for a symlink: what it leads to may be in another container. */
export function readHead({ address }: Client, key: string, headers: IncomingHttpHeaders): SwiftHead | undefined {
  const versionId = headers["x-object-version-id"];
  const target = headers["content-location"];
  // A container that keeps versions has a symlink to the newest one in each object's place.
  const isOwn = typeof versionId === "string" && leadsTo(address, key, target);
  if (target !== undefined && !isOwn) return undefined;
  const version = versionOfHeader(isOwn ? versionId : String(headers["x-timestamp"]));
  return {
    key,
    bytes: Number(headers["content-length"]),
    version,
    modifiedAt: timeOf(version),
    // Of plain objects it comes without quotes.
    etag: `"${String(headers.etag).replaceAll('"', "")}"`,
    put: typeof headers[PUT_HEADER] === "string" ? headers[PUT_HEADER] : undefined,
    isSegmented: headers["x-static-large-object"] !== undefined,
  };
}

/** Whether a `Content-Location` is this very object's own. */
function leadsTo(address: string, key: string, target: string | undefined): boolean {
  const own = decodeURIComponent(`${new URL(address).pathname}/${pathOf(key)}`);
  try {
    return decodeURIComponent((target ?? "").replace(/\?version-id=[\w.]+$/, "")) === own;
  } catch {
    // What is no address leads nowhere.
    return false;
  }
}
