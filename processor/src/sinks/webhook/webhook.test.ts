import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { LookupFunction } from "node:net";
import { Run } from "@cais/spec/api.ts";
import { Sink as AskedSink } from "@cais/spec/sinks.ts";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openSinks, type Turn } from "../index.ts";

const key = `whsec_${Buffer.from("a key of 32 bytes for the tests!").toString("base64")}`;
let server: Server;
let received: { path: string; headers: IncomingHttpHeaders; body: string }[];
let answer: { status: number; headers?: Record<string, string>; endless?: true; silent?: true };

beforeEach(async () => {
  received = [];
  answer = { status: 204 };
  server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    received.push({ path: request.url ?? "", headers: request.headers, body });
    if (answer.silent) return;
    response.writeHead(answer.status, answer.headers);
    if (!answer.endless) return void response.end();
    const more = () => {
      while (response.write("x".repeat(10_000)));
    };
    response.on("drain", more);
    more();
  });
  await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((done) => void server.close(done));
});
const port = () => (server.address() as AddressInfo).port;

const run = Run.parse({
  id: "20240102t030405-0123456789ab",
  stack: "sales",
  kind: "load",
  root: null,
  state: "quarantined",
  file: { name: "a.csv", key: "2024-01-02/x.csv", bytes: 3, sha256: "ab" },
  rows: { read: 2, clean: 1, rejected: 1 },
  open: null,
  found: null,
  attempts: 1,
  retryAt: null,
  by: null,
  error: "The cell 123.456.789-09 is wrong.",
  steps: [],
  outputs: [{ kind: "table", name: "sold", location: "/x", rows: 1, bytes: 5 }],
  deliveries: [],
  queuedAt: "2024-01-02T03:04:05.000Z",
  startedAt: null,
  finishedAt: "2024-01-02T03:04:06.000Z",
});

async function tell({
  url = `http://127.0.0.1:${port()}/hook`,
  secret = key,
  allowPrivate = ["127.0.0.0/8"],
  lookup,
  signal = new AbortController().signal,
}: {
  url?: string;
  secret?: string;
  allowPrivate?: string[];
  lookup?: LookupFunction;
  signal?: AbortSignal;
} = {}) {
  const asked = AskedSink.parse({ webhook: { url: { secret: "hook-url" }, secret: { secret: "hook-key" } } });
  // A webhook has nothing to do with the output store.
  const output = { id: "none" } as Parameters<typeof openSinks>[1]["output"];
  const [sink] = openSinks([asked], {
    output,
    tables: [],
    folder: ".cais/none",
    allowPrivate,
    ...(lookup && { lookup }),
  });
  if (sink === undefined) throw new Error("unreachable");
  const turn: Turn = {
    id: `${run.id}-${sink.id}`,
    run: run.id,
    progress: undefined,
    save: async () => undefined,
    signal,
    secret: async (name) => (name === "hook-url" ? url : secret),
  };
  return sink.deliver({ event: run }, turn);
}

it("is what a receiver of Standard Webhooks verifies", async () => {
  expect(await tell()).toEqual({ location: "the address in the secret hook-url" });
  const [first] = received;
  const headers = Object.fromEntries(
    Object.entries(first?.headers ?? {}).map(([name, value]) => [name, String(value)]),
  );
  expect(new Webhook(key).verify(first?.body ?? "", headers)).toEqual({
    type: "run.quarantined",
    timestamp: "2024-01-02T03:04:06.000Z",
    data: {
      run: run.id,
      stack: "sales",
      kind: "load",
      root: null,
      state: "quarantined",
      file: { name: "a.csv", bytes: 3, sha256: "ab" },
      rows: { read: 2, clean: 1, rejected: 1 },
      tables: [{ name: "sold", rows: 1 }],
    },
  });
  expect(() => new Webhook(key).verify(`${first?.body} `, headers)).toThrow("No matching signature found");
  expect(() => new Webhook(`whsec_${"A".repeat(44)}`).verify(first?.body ?? "", headers)).toThrow(
    "No matching signature found",
  );
  expect(headers["webhook-id"]).toBe(`${run.id}-0-webhook-hook-url`);
});

it("has the same id and body at each attempt", async () => {
  await tell();
  await tell();
  expect(received[1]?.headers["webhook-id"]).toBe(received[0]?.headers["webhook-id"]);
  expect(received[1]?.body).toBe(received[0]?.body);
});

it.each([
  [
    301,
    { location: "http://127.0.0.1:1/" },
    "answered 301, and redirects are not followed; give the address it leads to.",
  ],
  [404, {}, "answered 404."],
  [500, {}, "answered 500."],
])("is tried again after an answer of %s, which it does not follow", async (status, headers, told) => {
  answer = { status, headers };
  await expect(tell()).rejects.toMatchObject({
    name: "DeliveryDelayed",
    message: `The address in the secret "hook-url" ${told}`,
    afterSeconds: 0,
  });
  expect(received).toHaveLength(1);
});

it("waits as long as the receiver asks, and no longer than a day", async () => {
  answer = { status: 429, headers: { "retry-after": "77" } };
  await expect(tell()).rejects.toMatchObject({ afterSeconds: 77 });
  answer = { status: 503, headers: { "retry-after": new Date(Date.now() + 9e9).toUTCString() } };
  await expect(tell()).rejects.toMatchObject({ afterSeconds: 86_400 });
});

it("is given up where the receiver wants no more", async () => {
  answer = { status: 410 };
  await expect(tell()).rejects.toMatchObject({
    name: "DeliveryRefused",
    message:
      'The address in the secret "hook-url" answered 410: it wants no more of this; take the sink out of the stack.',
  });
});

it("reads no more than the beginning of an answer", async () => {
  answer = { status: 200, endless: true };
  await expect(tell()).resolves.toEqual({ location: "the address in the secret hook-url" });
});

it("ends with the processor's stop", async () => {
  answer = { status: 200, silent: true };
  const abort = new AbortController();
  const told = tell({ signal: abort.signal });
  await expect.poll(() => received).toHaveLength(1);
  abort.abort();
  await expect(told).rejects.toThrow("The delivery was stopped.");
});

it.each([
  ["loopback", "http://127.0.0.1:PORT/"],
  ["a decimal number", "http://2130706433:PORT/"],
  ["a hexadecimal number", "http://0x7f000001:PORT/"],
  ["octal digits", "http://0177.0.0.1:PORT/"],
  ["fewer parts", "http://127.1:PORT/"],
  ["IPv4 in IPv6", "http://[::ffff:127.0.0.1]:PORT/"],
  ["IPv4 in IPv6 in hexadecimal", "http://[::ffff:7f00:1]:PORT/"],
  ["the clouds' metadata", "http://169.254.169.254/latest/meta-data/"],
  ["the metadata by HTTPS", "https://169.254.169.254/"],
  ["a full-width address", "http://１２７.0.0.1:PORT/"],
])("reaches no private address written as %s", async (_, url) => {
  const told = tell({ url: url.replace("PORT", String(port())), allowPrivate: [] });
  await expect(told).rejects.toMatchObject({ name: "DeliveryRefused", message: /is not of the public internet/ });
  expect(received).toEqual([]);
});

it("connects to the very address that was checked, though the name leads elsewhere a moment later", async () => {
  let asked = 0;
  const lookup: LookupFunction = (_host, _options, done) =>
    done(null, [{ address: ++asked === 1 ? "127.0.0.1" : "10.0.0.1", family: 4 }]);
  await tell({ url: `http://hook.test:${port()}/`, lookup });
  expect([asked, received.length]).toEqual([1, 1]);
  await expect(tell({ url: `http://hook.test:${port()}/`, lookup })).rejects.toThrow(
    'The address in the secret "hook-url" will not do: It leads to 10.0.0.1, which is not of the public internet; ',
  );
});

const anywhere: LookupFunction = (_host, _options, done) => done(null, [{ address: "1.1.1.1", family: 4 }]);

it("sends in the clear to allowed private addresses only", async () => {
  const message =
    'The address in the secret "hook-url" must begin with https://; http will do for allowed private addresses only.';
  await expect(tell({ url: "http://hook.test/", lookup: anywhere })).rejects.toThrow(message);
  await expect(tell({ url: "http://1.1.1.1/" })).rejects.toThrow(message);
});

it.each(["ftp://127.0.0.1/", "file:///etc/passwd", "hook.test", ""])("refuses the address %j", async (url) => {
  await expect(tell({ url })).rejects.toThrow(
    'The address in the secret "hook-url" must hold an address that begins with https://.',
  );
});

it.each(["", "key", "whsec_c2hvcnQ=", `whsec_${"A".repeat(88)}`, `whsec_${"A".repeat(43)}!`])(
  "refuses the key %j without telling it",
  async (secret) => {
    await expect(tell({ secret })).rejects.toThrow(
      'The secret "hook-key" must be whsec_ and 24 to 64 bytes in base64; make one with: echo "whsec_$(openssl rand -base64 32)"',
    );
    expect(received).toEqual([]);
  },
);

it("tells no address in an error", async () => {
  const closed = port();
  await new Promise((done) => void server.close(done));
  const error: unknown = await tell({ url: `http://127.0.0.1:${closed}/T0KEN-in-path` }).catch(
    (failure: unknown) => failure,
  );
  expect(error).toMatchObject({
    name: "DeliveryDelayed",
    message: 'The address in the secret "hook-url" cannot be reached (ECONNREFUSED); is it right, and does it answer?',
  });
  expect(String(error)).not.toContain("T0KEN");
  await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
  connect(port(), "127.0.0.1").destroy();
});
