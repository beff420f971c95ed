import { randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import type { Metrics } from "../metrics/index.ts";
import { type Span, traceIdOf, type Tracing } from "../tracing/index.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The request's part in its trace; the caller's traceparent is continued. */
    span: Span;
  }
}

/** Counted where the sender went away before the answer; no sender ever sees it. */
const GONE = 499;

/** Names a request in the log, in the answer's `x-request-id`, and nowhere else. */
export const requestId = () => randomUUID();

/** What a claim keeps of a request's span, so that the run goes on in its trace. */
export const traced = ({ traceparent }: Span) => (traceparent === undefined ? {} : { traceparent });

/** Counts, traces and logs every request, by the pattern of its path: what stands in the path itself is the caller's. */
export function observeRequests(app: FastifyInstance, { metrics, tracing }: { metrics: Metrics; tracing: Tracing }) {
  app.decorateRequest("span");
  app.addHook("onRequest", async (request, reply) => {
    const { method, routeOptions, headers } = request;
    const route = routeOptions.url ?? "none";
    const given = headers["traceparent"];
    request.span = tracing.start(`${method} ${route}`, typeof given === "string" ? given : undefined, {
      "http.request.method": method,
      "http.route": route,
    });
    const trace = traceIdOf(request.span.traceparent);
    if (trace !== undefined) request.log = request.log.child({ trace });
    reply.header("x-request-id", request.id);
    const { span, log } = request;
    // After the answer, or when the connection is gone: an event that comes once in either case.
    reply.raw.once("close", () => {
      const status = reply.raw.writableFinished ? reply.statusCode : GONE;
      const seconds = reply.elapsedTime / 1000;
      metrics.request({ method, route, status, seconds });
      span.end({ "http.response.status_code": status }, status >= 500);
      log.debug({ method, route, status, seconds }, "request answered");
    });
  });
}
