import type { Server } from "node:http";
import type { FastifyInstance } from "fastify";
import { ApiProblem, problemOf } from "./problems.ts";

/** The whole answer to bytes that never became a request. */
export function answerToNoRequest({ code }: NodeJS.ErrnoException): string {
  // Node's HTTP parser: https://nodejs.org/api/http.html#event-clienterror
  const problem =
    code === "HPE_HEADER_OVERFLOW"
      ? problemOf("headers-too-large", "The request's headers are larger than 16 KiB; send fewer or shorter ones.")
      : problemOf("bad-request", "The request is no HTTP that this server understands.");
  const body = JSON.stringify(problem);
  return `HTTP/1.1 ${problem.status} ${problem.title}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`;
}

/** Refuses an `Expect` that is not 100-continue; Node alone answers it without a word. */
export function refuseExpectations(server: Server): void {
  server.on("checkExpectation", (_request, response) => {
    const problem = problemOf("expectation-failed", "The server meets no expectation but 100-continue; leave it out.");
    const body = JSON.stringify(problem);
    response.writeHead(problem.status, {
      "content-type": "application/problem+json",
      "content-length": Buffer.byteLength(body),
      // The body that may follow is not read.
      connection: "close",
    });
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
