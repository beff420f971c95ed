import rateLimit, { normalizeIP } from "@fastify/rate-limit";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ApiLimits } from "@cais/spec/bindings.ts";
import { administrator, type Caller } from "../access/index.ts";
import { addressOf } from "./address.ts";
import { ApiProblem } from "./problems.ts";

/** As in `spec/bindings.ts`, whose descriptions hold. */
export interface Limits {
  /** undefined: none. */
  requestsPerMinute: number | undefined;
  refusalsPerMinute: number;
  uploads: number;
  connections: number;
  headerSeconds: number;
  bodySeconds: number;
}

const WINDOW_MS = 60_000;
/** Tokens and addresses that are counted at a time; beyond them the one that was silent longest is forgotten. */
const COUNTED = 10_000;

/** The limits of a processor that `asksForToken` or does not: on loopback alone, requests are not counted unless told to. */
export function limitsOf(given: ApiLimits = {}, asksForToken: boolean): Limits {
  return {
    requestsPerMinute: given.requestsPerMinute ?? (asksForToken ? 6000 : undefined),
    refusalsPerMinute: given.refusalsPerMinute ?? 30,
    uploads: given.uploads ?? 100,
    connections: given.connections ?? 1000,
    headerSeconds: given.headerSeconds ?? 10,
    bodySeconds: given.bodySeconds ?? 30,
  };
}

/** Limits the requests of each caller by the minute. Gives what counts refused tokens, for the guard. */
export async function limitRequests(app: FastifyInstance, { requestsPerMinute, refusalsPerMinute }: Limits) {
  await app.register(rateLimit, {
    global: requestsPerMinute !== undefined,
    max: requestsPerMinute ?? 0,
    timeWindow: WINDOW_MS,
    cache: COUNTED,
    enableDraftSpec: true,
    keyGenerator: (request) => keyOf(request.caller) ?? placeOf(request),
    errorResponseBuilder: (_request, { ttl }) => tooMany(Math.ceil(ttl / 1000)),
  });
  const countRefusal = app.createRateLimit({
    max: refusalsPerMinute,
    timeWindow: WINDOW_MS,
    keyGenerator: placeOf,
  });
  /**
   * A right token is always taken, however many wrong ones came from its address: no one can guess 128 bits, but who
   * shares an address could lock others out.
   */
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const counted = await countRefusal(request);
    if (counted.isAllowed || !counted.isExceeded) return;
    reply.header("retry-after", counted.ttlInSeconds);
    throw tooMany(counted.ttlInSeconds);
  };
}

const tooMany = (wait: number) =>
  new ApiProblem("too-many-requests", `There were too many requests in a minute; wait ${wait} s and go on.`);

function keyOf(caller: Caller): string | undefined {
  if (caller.token !== null) return `token ${caller.token}`;
  return caller === administrator ? caller.name : undefined;
}

/** Whoever has an IPv6 address has the 2^64 beside it. */
const placeOf = (request: FastifyRequest) => `address ${normalizeIP(addressOf(request), 64)}`;
