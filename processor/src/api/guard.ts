import { timingSafeEqual } from "node:crypto";
import { BlockList, isIP } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Contract } from "@cais/spec/contract.ts";
import { z } from "zod";
import { type Access, administrator, type Caller, local, mayDo, sees } from "../access/index.ts";
import { digest } from "../access/tokens.ts";
import { personal } from "../contract/pii.ts";
import type { Ledger } from "../ledger/index.ts";
import { ApiProblem, noSuchRun } from "./problems.ts";

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

/** Who may call the routes of `app`, and what tells. */
export interface Guard {
  /** The configured token; without one everyone who reaches the processor may do everything. */
  token: string | undefined;
  access: Access;
  ledger: Pick<Ledger, "run">;
  /** Called for a request whose token is missing or wrong; throws if there were too many of them. */
  onRefused: (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
}

/** Asks every request who it is from, and whether they may do what its route declares on the stack that it names. */
export function askWho(app: FastifyInstance, { token, access, ledger, onRefused }: Guard): void {
  const expected = token === undefined ? undefined : digest(token);
  app.addHook("onRoute", ({ config, method, url }) => {
    if (config?.refusesMethods === true) return;
    const changes = [method].flat().some((name) => name !== "GET" && name !== "HEAD");
    if (config?.action === undefined || (changes && config.change === undefined))
      throw new Error(`The route ${url} must declare its action, and its change if it is no GET.`);
  });
  app.addHook("onRequest", async (request, reply) => {
    const caller = expected === undefined ? local : callerOf(request, expected, access);
    if (caller === undefined) {
      await onRefused(request, reply);
      reply.header("www-authenticate", 'Bearer realm="cais"');
      throw new ApiProblem("token-needed", "Send a token that is in use as the header Authorization: Bearer <token>.");
    }
    request.caller = caller;
    const { action } = request.routeOptions.config;
    if (action !== undefined && !mayDo(caller, action))
      throw new ApiProblem(
        "not-allowed",
        `The token "${caller.name}" lacks the action ${action}, which this needs; ask for a token with it.`,
      );
    const { stack, id } = Named.parse(request.params);
    if (stack !== undefined) askForStack(caller, stack);
    // Whose run it is is nobody else's business: it is answered as if it were not there.
    if (id !== undefined && caller.stacks !== "all" && !sees(caller, (await ledger.run(id))?.stack ?? ""))
      throw noSuchRun(id);
  });
}

/** What the address of a route below /v1 names. `id` is a run's wherever a caller of some stacks only may come. */
export const Named = z.object({ stack: z.string().optional(), id: z.string().optional() }).catch({});

/** Refuses a caller whose token is not for the stack, be there such a stack or not. */
export function askForStack(caller: Caller, stack: string): void {
  if (!sees(caller, stack))
    throw new ApiProblem(
      "not-allowed",
      `The token "${caller.name}" is not for the stack "${stack}"; ask for a token that is.`,
    );
}

/** Refuses a caller who may not see a stack's personal data. `what`: the beginning of a sentence, such as `The file "x" holds`. */
export function askForPersonal(caller: Caller, contract: Contract, what: string): void {
  const names = personal(contract);
  if (names.size > 0 && !mayDo(caller, "pii"))
    throw new ApiProblem(
      "not-allowed",
      `${what} personal data (${[...names].join(", ")}), and the token "${caller.name}" lacks the action pii; ask for a token with it.`,
    );
}

function callerOf({ headers }: FastifyRequest, expected: Buffer, { tokens }: Access): Caller | undefined {
  // The scheme is written in any case: https://www.rfc-editor.org/rfc/rfc9110#section-11.1
  const [, given = ""] = /^Bearer +(.*)$/i.exec(headers.authorization ?? "") ?? [];
  return timingSafeEqual(digest(given), expected) ? administrator : tokens.callerOf(given);
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
