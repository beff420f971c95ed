import { type IncomingHttpHeaders, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { type Addresses, AddressRefused } from "./address.ts";
import { DeliveryDelayed, DeliveryRefused } from "./faults.ts";

export interface Asked {
  method: "POST" | "DELETE" | "GET";
  headers: Record<string, string>;
  body?: string | Uint8Array;
  signal: AbortSignal;
  /** Time for the whole exchange, in seconds. */
  seconds: number;
  /** What an error calls the address, which it must not tell: it may be a secret. */
  name: string;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  /** The beginning of the answer, at most 64 kB. */
  text: string;
}

/** Of an answer more is not read. */
const MAX_ANSWER_BYTES = 65_536;

/**
 * Sends a request to an address that a secret holds. Only to addresses of the public internet, or private ones that are
 * allowed, where alone http will do; no redirect is followed. Throws `DeliveryRefused` where the address will not do, and
 * `DeliveryDelayed` where nothing answers. No error tells the address, nor what was sent or answered.
 */
export async function send(addresses: Addresses, url: string, asked: Asked): Promise<Answer> {
  const { method, headers, body, name } = asked;
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || (parsed.protocol !== "https:" && parsed.protocol !== "http:"))
    throw new DeliveryRefused(`${name} must hold an address that begins with https://.`);
  const isPlain = parsed.protocol === "http:";
  // Without TLS anyone on the way could read it, so only a network that is said to be ours will do.
  const lookup: Addresses["lookup"] = (host, options, done) =>
    addresses.lookup(host, { ...options, all: true }, (error, found) => {
      const list = typeof found === "string" ? [] : found;
      const isTold = isPlain && !list.every(({ address }) => addresses.isAllowedPrivate(address));
      if (error !== null || isTold) return void done(error ?? new PlainRefused(), "", 0);
      const [first] = list;
      if (options.all === true) done(null, list);
      else done(null, first?.address ?? "", first?.family ?? 0);
    });
  const timeout = AbortSignal.timeout(asked.seconds * 1000);
  const signal = AbortSignal.any([asked.signal, timeout]);
  try {
    const literal = parsed.hostname.replace(/^\[(.*)\]$/, "$1");
    addresses.checkLiteral(literal);
    if (isPlain && isAddress(literal) && !addresses.isAllowedPrivate(literal)) throw new PlainRefused();
    return await exchange(parsed, { method, headers, lookup, signal, agent: false }, body);
  } catch (error) {
    throw faultOf(error, asked, timeout.aborted);
  }
}

class PlainRefused extends Error {}

const isAddress = (host: string) => /^[\d.]+$/.test(host) || host.includes(":");

function faultOf(error: unknown, { signal, seconds, name }: Asked, tookTooLong: boolean): Error {
  const because = { cause: error };
  if (error instanceof AddressRefused) return new DeliveryRefused(`${name} will not do: ${error.message}`, because);
  if (error instanceof PlainRefused)
    return new DeliveryRefused(`${name} must begin with https://; http will do for allowed private addresses only.`);
  if (signal.aborted) return new DeliveryDelayed("The delivery was stopped.", because);
  if (tookTooLong) return new DeliveryDelayed(`${name} did not answer within ${seconds} seconds.`, because);
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "no code";
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code))
    return new DeliveryDelayed(
      `${name} has a certificate that is not trusted (${code}); is it for that name, and by an authority that the processor knows?`,
      because,
    );
  return new DeliveryDelayed(`${name} cannot be reached (${code}); is it right, and does it answer?`, because);
}

async function exchange(
  url: URL,
  options: Parameters<typeof requestHttps>[1] & object,
  body: Asked["body"],
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const outgoing = (url.protocol === "https:" ? requestHttps : requestHttp)(url, options, (incoming) => {
    const pieces: Buffer[] = [];
    let bytes = 0;
    const end = () => {
      resolve({
        status: incoming.statusCode ?? 0,
        headers: incoming.headers,
        text: Buffer.concat(pieces).toString("utf8"),
      });
      incoming.destroy();
    };
    incoming.on("data", (piece: Buffer) => {
      pieces.push(piece.subarray(0, MAX_ANSWER_BYTES - bytes));
      bytes += piece.length;
      if (bytes >= MAX_ANSWER_BYTES) end();
    });
    incoming.on("end", end);
    incoming.on("error", reject);
  });
  outgoing.on("error", reject);
  outgoing.end(body);
  return promise;
}

/** Seconds that an answer asks to wait (Retry-After, RFC 9110), at most a day; 0 if it does not. */
export function retryAfter({ "retry-after": asked }: IncomingHttpHeaders, now = Date.now()): number {
  if (asked === undefined) return 0;
  const seconds = /^\d+$/.test(asked) ? Number(asked) : (Date.parse(asked) - now) / 1000;
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), 86_400) : 0;
}
