import { type Agent, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { pipeline } from "node:stream/promises";

/** A body that can be sent again. */
export interface Body {
  bytes: number;
  open(): AsyncIterable<Uint8Array>;
}

export interface Outgoing {
  method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  url: URL;
  headers: Record<string, string>;
  body?: Body | undefined;
  /** false: a connection of its own. */
  agent: Agent | false;
  ca?: string[] | undefined;
}

/** A connection on which nothing moves for so long is given up. Swift itself waits 60 s for a client. */
const IDLE_MS = 60_000;

/** From here on a body is sent only once the server wants it: it may refuse the request by its head alone. */
const LARGE = 64 << 10;

/** How long a server may take to say that it wants the body, before it is sent all the same. */
const CONTINUE_MS = 2000;

/** Thrown for a body that could not be read: no fault of the server, so there is no use in asking again. */
export class BodyFailed extends Error {
  override name = "BodyFailed";
}

/** Thrown for an answer that ended before it said what it had to: the next try may hear it. */
export class BrokenAnswer extends Error {
  override name = "BrokenAnswer";
  readonly code = "ERR_STREAM_PREMATURE_CLOSE";
}

/** One request, once. Resolves with the head of the answer. */
export function exchange({ method, url, headers, body, agent, ca }: Outgoing): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const waits = body !== undefined && body.bytes >= LARGE;
  const length = body === undefined ? (method === "PUT" || method === "POST" ? 0 : undefined) : body.bytes;
  const request = (url.protocol === "https:" ? requestHttps : requestHttp)(url, {
    method,
    headers: {
      ...headers,
      ...(length !== undefined && { "content-length": String(length) }),
      ...(waits && { expect: "100-continue" }),
    },
    agent,
    timeout: IDLE_MS,
    ...(ca !== undefined && { ca }),
  });
  let timer: NodeJS.Timeout | undefined;
  request.on("timeout", () =>
    request.destroy(Object.assign(new Error("Nothing came for a minute."), { code: "ETIMEDOUT" })),
  );
  request.on("error", reject);
  request.on("close", () => clearTimeout(timer));
  request.on("response", (response) => {
    clearTimeout(timer);
    // What is still to be sent will not be read, so the connection cannot be used again.
    if (!request.writableEnded) response.once("close", () => request.destroy());
    resolve(response);
  });
  if (body === undefined) {
    request.end();
    return promise;
  }
  let isSent = false;
  const send = () => {
    clearTimeout(timer);
    if (isSent || request.destroyed) return;
    isSent = true;
    let failure: { error: unknown } | undefined;
    async function* pieces(): AsyncGenerator<Uint8Array> {
      try {
        yield* (body as Body).open();
      } catch (error) {
        failure = { error };
        throw error;
      }
    }
    pipeline(pieces, request).catch((error: unknown) =>
      reject(failure === undefined ? error : new BodyFailed("The body cannot be read.", { cause: failure.error })),
    );
  };
  if (!waits) send();
  else {
    request.on("continue", send);
    request.on("socket", () => (timer = setTimeout(send, CONTINUE_MS)));
    request.flushHeaders();
  }
  return promise;
}

/** An answer of some kB as text, and no more than `limit` bytes of it. */
export async function readText(response: IncomingMessage, limit = Number.POSITIVE_INFINITY): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= limit) break;
  }
  return Buffer.concat(pieces).toString("utf8");
}

/** What a network does now and then (https://nodejs.org/api/errors.html#common-system-errors). */
const PASSING = new Set([
  "ECONNRESET",
  "ECONNREFUSED",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ERR_STREAM_PREMATURE_CLOSE",
  "HPE_INVALID_CONSTANT",
]);

/** The code of a failure that is about a server's certificate; undefined for any other error. */
export function certificateCode(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/.test(code) ? code : undefined;
}

/** The code of a failure that the next try may not meet; undefined for any other error. */
export function passingCode(error: unknown): string | undefined {
  if (error instanceof BodyFailed) return undefined;
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if ("code" in cause && typeof cause.code === "string" && PASSING.has(cause.code)) return cause.code;
  return undefined;
}
