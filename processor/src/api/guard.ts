import { createHash, timingSafeEqual } from "node:crypto";
import { BlockList, isIP } from "node:net";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiProblem } from "./problems.ts";

/** Below this a token can be guessed: 32 hexadecimal digits are 128 bits. */
const MIN_TOKEN_LENGTH = 32;

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether a host name or address is this machine's own, without asking DNS. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  const version = isIP(bare);
  return version === 0 ? bare.toLowerCase() === "localhost" : loopback.check(bare, version === 4 ? "ipv4" : "ipv6");
}

/** Refuses to serve the network without a token, or with a short one. */
export function checkAccess(host: string, token: string | undefined): void {
  if (token === undefined && !isLoopback(host))
    throw new Error(
      `The processor would listen on ${host} for everyone who can reach it; give it a token of 32 characters or more (in its config, or for cais start in CAIS_TOKEN) or the host 127.0.0.1.`,
    );
  if (token !== undefined && token.length < MIN_TOKEN_LENGTH)
    throw new Error(
      `The token has ${token.length} characters, too few to be safe; make one with: openssl rand -hex 32`,
    );
}

/** Hashes have one length, so the time that comparing them takes tells nothing. */
const digest = (text: string) => createHash("sha256").update(text).digest();

/** Asks every request for the token. */
export function askForToken(app: FastifyInstance, token: string): void {
  const expected = digest(token);
  app.addHook("onRequest", async (request, reply) => {
    // The scheme is written in any case: https://www.rfc-editor.org/rfc/rfc9110#section-11.1
    const [, given = ""] = /^Bearer +(.*)$/i.exec(request.headers.authorization ?? "") ?? [];
    if (timingSafeEqual(digest(given), expected)) return;
    reply.header("www-authenticate", 'Bearer realm="cais"');
    throw new ApiProblem("token-needed", "Send the processor's token as the header Authorization: Bearer <token>.");
  });
}

/**
 * Without a token a loopback address alone protects nothing from the pages in a browser on this machine. Two tricks are
 * refused: a foreign name that resolves to loopback (DNS rebinding: its Host is foreign), and a foreign page that posts
 * here (its Origin is foreign, or it says that it is cross-site).
 */
export function refuseForeignPages(app: FastifyInstance): void {
  app.addHook("onRequest", async (request) => {
    const host = hostOf(`http://${request.headers.host ?? ""}`);
    if (host === undefined || !isLoopback(host.hostname))
      throw new ApiProblem(
        "foreign-host",
        "This processor answers to localhost only; give it a token to serve other names.",
      );
    if (isForeign(request, host))
      throw new ApiProblem("foreign-origin", "Another site's page asked for this; only this processor's own page may.");
  });
}

function isForeign({ headers, method }: FastifyRequest, host: URL): boolean {
  if (headers.origin !== undefined) {
    const origin = hostOf(headers.origin);
    return origin === undefined || origin.host !== host.host;
  }
  const site = headers["sec-fetch-site"];
  // A link from elsewhere may lead here; anything but a GET may not.
  return method !== "GET" && method !== "HEAD" && site !== undefined && site !== "same-origin" && site !== "none";
}

function hostOf(url: string): URL | undefined {
  return URL.canParse(url) ? new URL(url) : undefined;
}
