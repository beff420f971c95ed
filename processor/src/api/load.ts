import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Limits } from "./limits.ts";
import { ApiProblem, problemOf, sendProblem } from "./problems.ts";

/** How long an upload waits for its turn. */
const WAIT_MS = 20_000;
const RETRY_SECONDS = 5;
/** Less than this is no upload that gets anywhere. */
const BYTES_PER_SECOND = 1000;
/** Who is refused while still sending may send on for this long, so as to hear the answer. */
const LINGER_MS = 10_000;
/** Connections beyond the limit that are answered at a time; others are closed without a word. */
const OVERFLOW = 10_000;
/** How often idle connections are closed to make room. */
const CLEAR_MS = 100;
/** Files that the processor itself has open: ledger, tables, engines. */
const OWN_FILES = 200;

/** Keeps ever so many connections and uploads from taking all file descriptors, memory or time. */
export function limitLoad(app: FastifyInstance, limits: Limits): void {
  limitConnections(app, limits);
  limitUploads(app, limits);
  app.addHook("onResponse", async ({ raw }) => {
    if (!raw.complete) setTimeout(() => raw.complete || raw.destroy(), LINGER_MS).unref();
  });
}

function limitConnections(app: FastifyInstance, { connections: limit, uploads }: Limits): void {
  const { server } = app;
  const over = new WeakSet<Socket>();
  let open = 0;
  let cleared = 0;
  server.maxConnections = Math.max(1, Math.min(limit + OVERFLOW, openFilesLimit() - OWN_FILES - uploads));
  server.on("connection", (socket: Socket) => {
    open++;
    socket.once("close", () => open--);
    if (open <= limit) return;
    over.add(socket);
    // This looks at every connection, so not for each of thousands that come at once.
    if (performance.now() - cleared < CLEAR_MS) return;
    cleared = performance.now();
    server.closeIdleConnections();
  });
  app.addHook("onRequest", async ({ raw }, reply) => {
    if (!over.has(raw.socket)) return;
    reply.header("connection", "close");
    throw overloaded(reply, "The processor has as many connections as it takes");
  });
}

function overloaded(reply: FastifyReply, why: string): ApiProblem {
  reply.header("retry-after", RETRY_SECONDS);
  return new ApiProblem("overloaded", `${why}; wait ${RETRY_SECONDS} s and try again.`);
}

/** How many files this process may have open; Node raises that to all that the system allows. */
function openFilesLimit(): number {
  const Report = z.object({
    userLimits: z.object({ open_files: z.object({ hard: z.union([z.number(), z.string()]) }) }).optional(),
  });
  const { userLimits } = Report.parse(process.report.getReport());
  const hard = userLimits?.open_files.hard;
  return typeof hard === "number" ? hard : Number.POSITIVE_INFINITY;
}

/** An upload that is being written, and what it had brought at a time. */
interface Writing {
  request: FastifyRequest;
  reply: FastifyReply;
  bytes: number;
  at: number;
}

/** Lets so many requests that bring a file in at a time. The body of one that waits is not read, so its sender waits too. */
function limitUploads(app: FastifyInstance, { uploads, bodySeconds }: Limits): void {
  const writing = new Set<Writing>();
  const waiting = new Set<() => void>();

  app.addHook("preParsing", async (request, reply) => {
    const { action } = request.routeOptions.config;
    if (request.method !== "POST" || (action !== "send" && action !== "replay")) return;
    if (writing.size >= uploads) await turn(request, reply);
    const one = { request, reply, bytes: request.raw.socket.bytesRead, at: performance.now() };
    writing.add(one);
    reply.raw.once("close", () => {
      writing.delete(one);
      const [next] = waiting;
      if (next === undefined) return;
      waiting.delete(next);
      next();
    });
  });

  async function turn({ raw }: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const gone = () => reject(new ApiProblem("bad-request", "The connection was closed before the file was read."));
    const late = () => reject(overloaded(reply, "The processor has more uploads than it can write"));
    const timer = setTimeout(late, WAIT_MS);
    raw.once("close", gone);
    waiting.add(resolve);
    try {
      await promise;
    } finally {
      waiting.delete(resolve);
      clearTimeout(timer);
      raw.off("close", gone);
    }
  }

  const watch = setInterval(() => {
    for (const one of writing) if (isStuck(one, bodySeconds)) cutOff(one);
  }, 1000);
  watch.unref();
  app.addHook("onClose", async () => clearInterval(watch));
}

function isStuck(one: Writing, seconds: number): boolean {
  const { raw } = one.request;
  const now = performance.now();
  // What has come and was not read yet waits for this processor, not for the sender.
  if (raw.complete || raw.readableLength > 0) one.at = now;
  if (now - one.at < seconds * 1000) return false;
  const { bytesRead } = raw.socket;
  const stuck = bytesRead - one.bytes < seconds * BYTES_PER_SECOND;
  one.bytes = bytesRead;
  one.at = now;
  return stuck;
}

function cutOff({ request, reply }: Writing): void {
  if (reply.sent) {
    request.raw.destroy();
    return;
  }
  reply.raw.once("finish", () => request.raw.destroy());
  reply.header("connection", "close");
  sendProblem(
    reply,
    problemOf("too-slow", `The file came with less than ${BYTES_PER_SECOND} bytes a second; send it again.`),
  );
}

/** Limits of the HTTP server itself, for its constructor. */
export const serverLimits = ({ headerSeconds }: Limits) => ({
  headersTimeout: headerSeconds * 1000,
  // How often Node looks for heads that take too long: https://nodejs.org/api/http.html#httpcreateserveroptions-requestlistener
  connectionsCheckingInterval: 1000,
});

/**
 * Gives what answers bytes that are no request, after the answers to whole requests before them on the connection: who
 * sent those must not take it for theirs.
 */
export function answerLast(app: FastifyInstance): (socket: Socket, answer: string) => void {
  const latest = new WeakMap<Socket, FastifyReply>();
  app.addHook("onRequest", async ({ raw }, reply) => void latest.set(raw.socket, reply));
  return (socket, answer) => {
    const reply = latest.get(socket);
    if (reply?.request.raw.complete === true && !reply.raw.writableFinished)
      reply.raw.once("close", () => endWith(socket, answer));
    else endWith(socket, answer);
  };
}

/** Ends a connection after `answer`, and does not wait for ever for the other side to do the same. */
function endWith(socket: Socket, answer: string): void {
  if (!socket.writable) return;
  const timer = setTimeout(() => socket.destroy(), 1000);
  timer.unref();
  socket.once("close", () => clearTimeout(timer));
  socket.end(answer);
}
