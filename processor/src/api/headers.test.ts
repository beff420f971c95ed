import { mkdir, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startProcessor } from "../main.ts";
import { configOf, engines, salesStack, testFolder } from "../processor-for-tests.ts";

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>>;
beforeAll(async () => {
  folder = await testFolder("headers");
  await mkdir(join(folder, "page/assets"), { recursive: true });
  await writeFile(join(folder, "page/index.html"), "<title>Cais</title>");
  await writeFile(join(folder, "page/assets/a.js"), "");
  processor = await startProcessor(configOf(salesStack()), {
    engines,
    dataFolder: folder,
    pageFolder: join(folder, "page"),
  });
});
afterAll(async () => {
  await processor.stop();
  await rm(folder, { recursive: true });
});

const framing = ["content-type", "content-length", "transfer-encoding", "connection", "date", "x-request-id"];
/** What tells a browser whether the page's file has changed. */
const caching = ["etag", "last-modified", "accept-ranges"];

/** The headers of an answer, but for those about its body and its connection. */
async function headersOf(request: string): Promise<Record<string, string>> {
  const { hostname, port } = new URL(processor.url);
  const socket = connect(Number(port), hostname);
  socket.write(request);
  const [head = ""] = (await text(socket)).split("\r\n\r\n");
  const [, ...lines] = head.split("\r\n");
  const headers = Object.fromEntries(lines.map((line) => [line.split(": ")[0]?.toLowerCase(), line.split(": ")[1]]));
  for (const name of [...framing, ...caching]) delete headers[name];
  return headers;
}

/** What keeps a browser from running, framing, guessing or passing on what it is given. */
const guarded = {
  "content-security-policy":
    "default-src 'self';style-src 'self' 'unsafe-inline';img-src 'self' data:;object-src 'none';base-uri 'none';form-action 'self';frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "origin-agent-cluster": "?1",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-dns-prefetch-control": "off",
  "x-download-options": "noopen",
  "x-frame-options": "SAMEORIGIN",
  "x-permitted-cross-domain-policies": "none",
  "x-xss-protection": "0",
};
/** Of what is answered to bytes that never became a request. */
const bare = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
};
const host = "Host: localhost\r\nConnection: close\r\n";
const unshared = { ...guarded, "cache-control": "no-store" };

// Exactly these: no Server, no X-Powered-By, and nothing that lets another site's page read it (Access-Control-…).
it.each<[string, string, object]>([
  ["the page", `GET / HTTP/1.1\r\n${host}\r\n`, { ...guarded, "cache-control": "no-cache" }],
  [
    "a page's file",
    `GET /assets/a.js HTTP/1.1\r\n${host}\r\n`,
    { ...guarded, "cache-control": "public, max-age=31536000, immutable" },
  ],
  ["a list", `GET /v1/runs HTTP/1.1\r\n${host}\r\n`, unshared],
  ["metrics", `GET /metrics HTTP/1.1\r\n${host}\r\n`, guarded],
  ["a problem of a route", `GET /v1/runs/x HTTP/1.1\r\n${host}\r\n`, unshared],
  ["a mistake in a parameter", `GET /v1/runs?limit=x HTTP/1.1\r\n${host}\r\n`, unshared],
  ["an address that is none", `GET /x HTTP/1.1\r\n${host}\r\n`, guarded],
  ["an address that is not encoded", `GET /%zz HTTP/1.1\r\n${host}\r\n`, bare],
  ["a wrong method", `PUT /v1/runs HTTP/1.1\r\n${host}\r\n`, { ...unshared, allow: "GET, HEAD" }],
  ["another host", "GET /v1/runs HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", unshared],
  [
    "another site's page",
    `POST /v1/stacks/sales/files HTTP/1.1\r\n${host}Origin: https://evil.example\r\nContent-Length: 0\r\n\r\n`,
    unshared,
  ],
  [
    "another site's question",
    `OPTIONS /v1/runs HTTP/1.1\r\n${host}Origin: https://evil.example\r\nAccess-Control-Request-Method: GET\r\n\r\n`,
    unshared,
  ],
  ["an expectation", `GET /healthz HTTP/1.1\r\n${host}Expect: x\r\n\r\n`, bare],
  ["no HTTP", "nonsense\r\n\r\n", bare],
  ["a head that is too large", `GET / HTTP/1.1\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, bare],
])("%s is answered with the headers that guard it, and no others", async (_, request, expected) => {
  expect(await headersOf(request)).toEqual(expected);
});
