import { once } from "node:events";
import { Upload } from "@cais/spec/api.ts";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  type Attacked,
  connectTo,
  csv,
  exchange,
  problemIn,
  startAttacked,
  token,
  until,
  uploadHead,
} from "./attacked.ts";

let attacked: Attacked;
const acknowledged: string[] = [];
beforeAll(async () => {
  attacked = await startAttacked("framing", { token: true, limits: { refusalsPerMinute: 1000 } });
});
/** Whatever was sent: it lives, and the ledger has what was acknowledged and nothing else. */
afterEach(async () => {
  await attacked.checkAlive();
  const runs = await attacked.runs();
  if (runs.toSorted().join() !== acknowledged.toSorted().join())
    throw new Error(`The ledger has ${runs.join()}, but acknowledged was ${acknowledged.join()}.`);
  await until(async () => (await attacked.kept()).length === acknowledged.length);
});
afterAll(() => attacked?.stop());

const body = "day,amount,note\n2024-01-01,1,x\n";
const close = "Connection: close\r\n";
const chunked = "Transfer-Encoding: chunked\r\n";

describe("a length that is not the body's", () => {
  it.each([
    ["negative", `Content-Length: -1\r\n\r\n${body}`],
    ["no number", `Content-Length: ten\r\n\r\n${body}`],
    ["hexadecimal", `Content-Length: 0x1f\r\n\r\n${body}`],
    ["with a sign", `Content-Length: +31\r\n\r\n${body}`],
    ["beyond 64 bits", `Content-Length: 99999999999999999999999\r\n\r\n${body}`],
    ["given twice, differently", `Content-Length: 31\r\nContent-Length: 5\r\n\r\n${body}`],
    ["given twice in a list", `Content-Length: 31, 31\r\n\r\n${body}`],
    ["with a chunked body too", `Content-Length: 31\r\n${chunked}\r\n0\r\n\r\n`],
    ["with a chunked body before", `${chunked}Content-Length: 4\r\n\r\n1f\r\n${body}\r\n0\r\n\r\n`],
    [
      "with an encoding that is not chunked",
      `Transfer-Encoding: chunked, identity\r\nContent-Length: 31\r\n\r\n${body}`,
    ],
    ["with chunked spelt otherwise", `Transfer-Encoding: xchunked\r\nContent-Length: 31\r\n\r\n${body}`],
    ["with a space before the colon", `Content-Length : 31\r\n\r\n${body}`],
    ["folded over lines", `Content-Length:\r\n 31\r\n\r\n${body}`],
    ["longer than what comes", `Content-Length: 500\r\n\r\n${body}`],
    ["a chunk's, and too short", `${chunked}\r\n5\r\n${body}\r\n0\r\n\r\n`],
    ["a chunk's, and no number", `${chunked}\r\nzz\r\n${body}\r\n0\r\n\r\n`],
    ["a chunk's, and negative", `${chunked}\r\n-1f\r\n${body}\r\n0\r\n\r\n`],
    ["of chunks without an end", `${chunked}\r\n1f\r\n${body}\r\n`],
    ["of a chunk with extensions without end", `${chunked}\r\n1f;${"x".repeat(40_000)}\r\n${body}\r\n0\r\n\r\n`],
  ])("%s is refused, and the connection closed", async (_, rest) => {
    const problem = problemIn(await exchange(attacked, `${uploadHead()}${rest}`, { end: true }));
    expect(problem.status).toBe(400);
  });

  it("beyond what the stack takes is refused before the body is sent", async () => {
    const problem = problemIn(await exchange(attacked, `${uploadHead()}${close}Content-Length: 1000000000000\r\n\r\n`));
    expect(problem).toMatchObject({ status: 413, type: "urn:cais:problem:too-large" });
  });

  it("shorter than the body: what follows is no request, and only what was announced is taken", async () => {
    const file = csv();
    const [first, second, ...more] = await exchange(
      attacked,
      `${uploadHead()}Content-Length: ${file.length}\r\n\r\n${file}and this is more`,
    );
    expect(first?.status).toBe(202);
    const upload = Upload.parse(JSON.parse(first?.body ?? ""));
    acknowledged.push(upload.id);
    expect(upload.bytes).toBe(file.length);
    expect(second?.status).toBe(400);
    expect(more).toEqual([]);
  });
});

describe("a request smuggled in another's body", () => {
  const smuggled = `${uploadHead("name=smuggled.csv")}Content-Length: ${body.length}\r\n\r\n${body}`;
  it.each([
    ["by a length beside chunks", `Content-Length: ${smuggled.length + 5}\r\n${chunked}\r\n0\r\n\r\n${smuggled}`],
    ["by chunks spelt with a tab", `Content-Length: 4\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ["by two encodings", `${chunked}Transfer-Encoding: identity\r\n\r\n0\r\n\r\n${smuggled}`],
    ["by a bare line feed", `X: y\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${smuggled}`],
    ["by a NUL in a name", `Content\u0000-Length: 4\r\n\r\n${smuggled}`],
  ])("%s is not done", async (_, rest) => {
    expect(problemIn(await exchange(attacked, `${uploadHead()}${rest}`, { end: true })).status).toBe(400);
  });
});

describe("a head", () => {
  it.each<[string, string, number]>([
    ["of 1 MB in one line", `GET /v1/runs HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(1_000_000)}\r\n\r\n`, 431],
    ["of 10,000 lines", `GET /v1/runs HTTP/1.1\r\nHost: localhost\r\n${"X: y\r\n".repeat(10_000)}\r\n`, 431],
    ["with an address of 1 MB", `GET /${"x".repeat(1_000_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 431],
    [
      "with a token of 1 MB",
      `GET /v1/runs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${"x".repeat(1_000_000)}\r\n\r\n`,
      431,
    ],
    // As HTTP/0.9 had it: the parser takes it, and the guard does not.
    ["without a version", "GET /v1/runs\r\n\r\n", 401],
    ["of a method that no address has", `PROPFIND /v1/runs HTTP/1.1\r\nHost: localhost\r\n${close}\r\n`, 404],
    ["of HTTP/9.9", "GET /v1/runs HTTP/9.9\r\nHost: localhost\r\n\r\n", 400],
    ["of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
    ["of TLS", "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00FC\u0003\u0003", 400],
    ["of a method that is none", "FROB /v1/runs HTTP/1.1\r\nHost: localhost\r\n\r\n", 400],
    ["with two hosts", `GET /v1/runs HTTP/1.1\r\nHost: a\r\nHost: b\r\n${close}\r\n`, 401],
    [
      "with an address that is not encoded",
      "GET /v1/runs/%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
      400,
    ],
    [
      "with an address that leads up",
      "GET /../../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
      404,
    ],
    [
      "with an address that leads up, encoded",
      "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
      404,
    ],
  ])("%s is refused", async (_, bytes, status) => {
    expect(problemIn(await exchange(attacked, Buffer.from(bytes, "latin1"), { end: true })).status).toBe(status);
  });

  it.each(["TRACE", "PUT", "DELETE", "PATCH", "OPTIONS"])("%s is told which methods there are", async (method) => {
    const answers = await exchange(
      attacked,
      `${method} /v1/runs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n${close}\r\n`,
    );
    expect(problemIn(answers).status).toBe(405);
    expect(answers[0]?.head).toMatch(/^allow: GET, HEAD$/m);
    expect(answers[0]?.head).not.toMatch(/access-control/i);
  });

  it("CONNECT and Upgrade lead nowhere", async () => {
    expect(
      await exchange(attacked, "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n", { end: true }),
    ).toEqual([]);
    const answers = await exchange(
      attacked,
      "GET /v1/runs HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n",
      { end: true },
    );
    expect(problemIn(answers).status).toBe(401);
  });
});

describe("a token", () => {
  const id = "0".repeat(16);
  it.each([
    ["none", ""],
    ["of another scheme", `Authorization: Basic ${token}\r\n`],
    ["without a scheme", `Authorization: ${token}\r\n`],
    ["with more after it", `Authorization: Bearer ${token} x\r\n`],
    ["given twice", `Authorization: Bearer x\r\nAuthorization: Bearer ${token}\r\n`],
    ["that is empty", "Authorization: Bearer \r\n"],
    ["that begins like one", `Authorization: Bearer cais_${id}\r\n`],
    ["of an unknown id", `Authorization: Bearer cais_${id}_${"A".repeat(43)}\r\n`],
    ["whose id is an object's", `Authorization: Bearer cais___proto___${"A".repeat(43)}\r\n`],
    ["of 10 kB", `Authorization: Bearer ${"x".repeat(10_000)}\r\n`],
    ["that is no ASCII", "Authorization: Bearer tøken\r\n"],
    ["that injects SQL", "Authorization: Bearer cais_' OR 1=1 --\r\n"],
  ])("%s is refused like any other", async (_, header) => {
    const bytes = Buffer.from(`GET /v1/runs HTTP/1.1\r\nHost: localhost\r\n${header}${close}\r\n`);
    expect(problemIn(await exchange(attacked, bytes))).toEqual({
      type: "urn:cais:problem:token-needed",
      title: "Unauthorized",
      status: 401,
      detail: "Send a token that is in use as the header Authorization: Bearer <token>.",
    });
  });
});

it("requests sent at once are answered in their order, and each upload once", async () => {
  const files = [csv(), csv(), csv()];
  const uploads = files.map((file) => `${uploadHead()}Content-Length: ${file.length}\r\n\r\n${file}`);
  const last = `GET /healthz HTTP/1.1\r\nHost: localhost\r\n${close}\r\n`;
  const answers = await exchange(attacked, `${uploads.join("")}${last}`);
  expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 200]);
  const taken = answers.slice(0, 3).map(({ body }) => Upload.parse(JSON.parse(body)));
  acknowledged.push(...taken.map(({ id }) => id));
  expect(taken.map(({ bytes }) => bytes)).toEqual(files.map(({ length }) => length));
});

it("1,000 requests sent at once are answered", async () => {
  const get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
  const answers = await exchange(attacked, `${`${get}\r\n`.repeat(999)}${get}${close}\r\n`);
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 1000 }, () => 200));
});

it("uploads that break off leave nothing", async () => {
  for (const announced of ["Content-Length: 100000\r\n", chunked]) {
    const sockets = Array.from({ length: 20 }, () => connectTo(attacked));
    for (const socket of sockets)
      socket.write(`${uploadHead()}${announced}\r\n${announced === chunked ? "1f\r\n" : ""}${body}`);
    // Part of each is there before it breaks off.
    await until(async () => (await attacked.kept()).length === acknowledged.length + sockets.length);
    for (const socket of sockets) socket.resetAndDestroy();
    await Promise.all(sockets.map((socket) => socket.closed || once(socket, "close")));
    await until(async () => (await attacked.kept()).length === acknowledged.length);
    expect(attacked.log()).not.toContain('"level":50');
  }
});
