import { rm } from "node:fs/promises";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { Problem } from "@cais/spec/api.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startProcessor } from "../main.ts";
import { configOf, engines, salesStack, testFolder } from "../processor-for-tests.ts";

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>>;
beforeAll(async () => {
  folder = await testFolder("protocol");
  processor = await startProcessor(configOf(salesStack()), { engines, dataFolder: folder });
});
afterAll(async () => {
  await processor.stop();
  await rm(folder, { recursive: true });
});

const host = "Host: localhost\r\nConnection: close\r\n";

/** Sends raw bytes, for requests that fetch would not make; gives the problem that is answered, and the head. */
async function refused(request: string): Promise<{ head: string; problem: Problem }> {
  const { hostname, port } = new URL(processor.url);
  const socket = connect(Number(port), hostname);
  socket.write(request);
  const [head = "", body = ""] = (await text(socket)).split("\r\n\r\n");
  const problem = Problem.strict().parse(JSON.parse(body));
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${problem.status} ${problem.title}\r\n`));
  expect(head).toMatch(/^content-type: application\/problem\+json$/m);
  return { head, problem };
}
it("a Content-Type that is none is a format that is not taken", async () => {
  const { problem } = await refused(
    `POST /v1/stacks/sales/files?name=a.csv HTTP/1.1\r\n${host}Content-Type: ;;;\r\nContent-Length: 1\r\n\r\nx`,
  );
  expect(problem).toEqual({
    type: "urn:cais:problem:not-this-format",
    title: "Unsupported Media Type",
    status: 415,
    detail: "The Content-Type cannot be read; leave it out, or send application/octet-stream.",
  });
});

it.each([
  ["DELETE", "/v1/runs", "GET, HEAD"],
  ["POST", "/healthz", "GET, HEAD"],
  ["PUT", "/v1/tables/sales/sold", "GET, HEAD"],
  ["GET", "/v1/stacks/sales/files", "POST"],
])("%s %s is told which methods there are", async (method, path, allow) => {
  const { head, problem } = await refused(
    `${method} ${path} HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
  );
  expect(head).toMatch(new RegExp(`^allow: ${allow}$`, "m"));
  expect(problem).toEqual({
    type: "urn:cais:problem:method-not-allowed",
    title: "Method Not Allowed",
    status: 405,
    detail: `This address takes ${allow}, but not ${method}.`,
  });
});

it.each([
  ["without Host", "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", 400, "bad-request"],
  ["of HTTP/1.0 without Host", "GET /healthz HTTP/1.0\r\n\r\n", 403, "foreign-host"],
  ["with an expectation", `GET /healthz HTTP/1.1\r\n${host}Expect: foo\r\n\r\n`, 417, "expectation-failed"],
  ["of large headers", `GET /healthz HTTP/1.1\r\nX: ${"x".repeat(100_000)}\r\n\r\n`, 431, "headers-too-large"],
  ["that is none", "nonsense\r\n\r\n", 400, "bad-request"],
])("a request %s is answered with a problem", async (_, request, status, code) => {
  expect((await refused(request)).problem).toMatchObject({ status, type: `urn:cais:problem:${code}` });
});
