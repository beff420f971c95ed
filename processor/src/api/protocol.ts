import type { Server } from "node:http";
import type { FastifyInstance } from "fastify";
import type { Problem } from "@cais/spec/api.ts";
import { ApiProblem, problemOf } from "./problems.ts";

/** The whole answer to bytes that never became a request. */
export function answerToNoRequest({ code }: NodeJS.ErrnoException): string {
  // Node's HTTP parser: https://nodejs.org/api/http.html#event-clienterror
  const problem = problemOfParser(code);
  const body = JSON.stringify(problem);
  const headers = Object.entries(headersOf(body)).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${problem.status} ${problem.title}\r\n${headers.join("")}\r\n${body}`;
}

function problemOfParser(code: string | undefined): Problem {
  if (code === "HPE_HEADER_OVERFLOW")
    return problemOf("headers-too-large", "The request's headers are larger than 16 KiB; send fewer or shorter ones.");
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return problemOf("too-slow", "The head of the request did not arrive in time; send it again.");
  return problemOf("bad-request", "The request is no HTTP that this server understands.");
}

/** What is answered where no hook runs is to have no less protection than other answers. */
export const bareHeaders = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
};

/** For an answer outside the framework, which ends its connection. */
const headersOf = (body: string) => ({
  "content-type": "application/problem+json",
  "content-length": Buffer.byteLength(body),
  ...bareHeaders,
  connection: "close",
});

/** Refuses an `Expect` that is not 100-continue; Node alone answers it without a word. */
export function refuseExpectations(server: Server): void {
  server.on("checkExpectation", (_request, response) => {
    const problem = problemOf("expectation-failed", "The server meets no expectation but 100-continue; leave it out.");
    const body = JSON.stringify(problem);
    // The body that may follow is not read.
    response.writeHead(problem.status, headersOf(body));
    response.end(body);
  });
}

/** Refuses HTTP/1.1 without `Host` (https://www.rfc-editor.org/rfc/rfc9112#section-3.2); Node alone answers it without a word. */
export function askForHost(app: FastifyInstance): void {
  app.addHook("onRequest", async ({ headers, raw }) => {
    if (raw.httpVersion === "1.1" && headers.host === undefined)
      throw new ApiProblem("bad-request", "The request has no Host header; send one.");
  });
}
