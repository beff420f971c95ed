import { STATUS_CODES } from "node:http";
import type { FastifyContextConfig, FastifyError, FastifyInstance, FastifyReply, FastifySchema } from "fastify";
import { hasZodFastifySchemaValidationErrors } from "fastify-type-provider-zod";
import { Problem } from "@cais/spec/api.ts";
import { z } from "zod";
import { IdempotencyConflict, ReplayRefused } from "../ledger/index.ts";
import { UnsupportedTable } from "../tables/delta/actions.ts";
import { LedgerBehind } from "../tables/follow.ts";
import { NoSuchVersion } from "../tables/history.ts";
import { StoreFull, StoreUnreachable } from "../object-store/index.ts";

/** Every code of a problem's `type`, with its HTTP status. */
const codes = {
  "bad-request": 400,
  "query-refused": 400,
  "token-needed": 401,
  "signature-needed": 401,
  "not-allowed": 403,
  "foreign-origin": 403,
  "foreign-host": 403,
  "no-such-address": 404,
  "no-such-stack": 404,
  "no-such-run": 404,
  "no-such-table": 404,
  "no-such-version": 404,
  "no-such-token": 404,
  "no-such-delivery": 404,
  "method-not-allowed": 405,
  "in-progress": 409,
  "not-now": 409,
  "nothing-to-edit": 409,
  "file-gone": 410,
  "too-slow": 408,
  "access-off": 409,
  "token-refused": 409,
  "too-large": 413,
  "not-this-format": 415,
  "expectation-failed": 417,
  "other-content": 422,
  "query-too-large": 422,
  "too-many-requests": 429,
  "headers-too-large": 431,
  internal: 500,
  overloaded: 503,
  stopping: 503,
  "store-unreachable": 503,
  "storage-full": 507,
} as const;
const PREFIX = "urn:cais:problem:";
export type ProblemCode = keyof typeof codes;

/** An error that the API tells its caller. */
export class ApiProblem extends Error {
  override name = "ApiProblem";
  readonly code: ProblemCode;
  constructor(code: ProblemCode, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.code = code;
  }
}

/** The same whether there is none, or one that is not for the caller to see. */
export const noSuchRun = (id: string) =>
  new ApiProblem("no-such-run", `There is no run "${id}"; GET /v1/runs lists them.`);

export function problemOf(code: ProblemCode, detail: string): Problem {
  const status = codes[code];
  return { type: `${PREFIX}${code}`, title: STATUS_CODES[status] ?? "Error", status, detail };
}

/** How a problem appears in the API's description. */
export const problemResponse = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: Problem } },
});

/** For routes that write: what is sent, or files that are read through a copy. */
export const storageFull = problemResponse("The processor's storage has no room left.");

/** What holds for all routes: whether a token is asked for, and whether requests are counted. */
interface Rules {
  token: boolean;
  counted: boolean;
}

/**
 * Adds to a route's description what it answers by the rules for all: who may ask, parameters that are not right, a
 * failure. What the route itself describes stays.
 */
export function withSharedProblems(
  schema: FastifySchema,
  { action, change }: FastifyContextConfig,
  rules: Rules,
): FastifySchema {
  const takesInput = schema.params !== undefined || schema.querystring !== undefined;
  const takesFile = change !== undefined && (action === "send" || action === "replay");
  const shared = {
    ...(takesInput && { 400: problemResponse("A parameter is not right.") }),
    ...(rules.token &&
      action !== undefined && {
        401: problemResponse("The token is missing, unknown, expired or revoked."),
        403: problemResponse("The token lacks the action, or is not for the stack."),
      }),
    ...(!rules.token && { 403: problemResponse("The request is for another host name, or from another site's page.") }),
    ...(takesFile && { 408: problemResponse("The file came too slowly.") }),
    ...(rules.counted && { 429: problemResponse("There were too many requests; Retry-After says when to go on.") }),
    ...(takesFile && {
      503: problemResponse("There are too many uploads, or a store is out of reach; try again later."),
    }),
    500: problemResponse("The processor failed; its log says why."),
  };
  return { ...schema, response: Object.assign(shared, schema.response) };
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  reply.request.problem = problem.type.slice(PREFIX.length);
  // As bytes, because Fastify adds a charset to a text, and this media type has none.
  return reply
    .code(problem.status)
    .type("application/problem+json")
    .send(Buffer.from(JSON.stringify(problem)));
}

/** Makes every error of the server, the framework's too, a problem (RFC 9457). What is not the caller's fault is only logged. */
export function answerWithProblems(app: FastifyInstance): void {
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const problem = toProblem(error);
    if (problem.status >= 500) request.log.error({ err: error }, "request failed");
    return sendProblem(reply, problem);
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      reply,
      problemOf(
        "no-such-address",
        `There is nothing at ${request.method} ${request.url.split("?")[0]}; see /openapi.json.`,
      ),
    ),
  );
}

function toProblem(error: FastifyError | ApiProblem): Problem {
  if (error instanceof ApiProblem) return problemOf(error.code, error.message);
  if (hasZodFastifySchemaValidationErrors(error)) {
    const mistakes = error.validation.map(
      ({ instancePath, message }) => `${instancePath.slice(1) || "input"}: ${message}`,
    );
    return problemOf("bad-request", `The request is not right: ${mistakes.join("; ")}.`);
  }
  if (isStorageFull(error))
    return problemOf("storage-full", "The processor's storage has no room left; free some or ask who runs it.");
  if (error instanceof LedgerBehind) return problemOf("store-unreachable", error.message);
  if (isUnreachable(error))
    return problemOf(
      "store-unreachable",
      "A store of the processor is out of reach or cannot be written; try again later.",
    );
  // A log that others cleaned up, or wrote by features that Cais does not know: each says what to do.
  if (error instanceof NoSuchVersion || error instanceof UnsupportedTable)
    return problemOf("no-such-version", error.message);
  if (error instanceof ReplayRefused) return problemOf("not-now", error.message);
  if (error instanceof IdempotencyConflict) return problemOf("other-content", error.message);
  const status = error.statusCode ?? 500;
  if (status === 415)
    return problemOf(
      "not-this-format",
      "The Content-Type cannot be read; leave it out, or send application/octet-stream.",
    );
  // What Fastify itself refuses is the caller's fault and told in its words; anything else could tell too much.
  if (status >= 400 && status < 500) return problemOf(status === 413 ? "too-large" : "bad-request", error.message);
  return problemOf("internal", "The processor failed; its log says why.");
}

/** SQLITE_FULL, as node:sqlite gives it in `errcode`: https://www.sqlite.org/rescode.html#full */
const SQLITE_FULL = 13;
const Full = z.union([z.object({ code: z.enum(["ENOSPC", "EDQUOT"]) }), z.object({ errcode: z.literal(SQLITE_FULL) })]);

/** Whether an error, or one that caused it, is that there is no room. */
function isStorageFull(error: unknown): boolean {
  return (
    error instanceof StoreFull ||
    Full.safeParse(error).success ||
    (error instanceof Error && isStorageFull(error.cause))
  );
}

/** What a store's folder gives that is read-only, another user's, or on a volume that does not answer. */
const Unreachable = z.object({ code: z.enum(["EROFS", "EACCES", "EPERM", "EIO", "ENODEV", "ESTALE", "ETIMEDOUT"]) });

/** Whether an error, or one that caused it, is that a store cannot be used now. */
function isUnreachable(error: unknown): boolean {
  if (error instanceof StoreUnreachable || Unreachable.safeParse(error).success) return true;
  return error instanceof Error && isUnreachable(error.cause);
}
