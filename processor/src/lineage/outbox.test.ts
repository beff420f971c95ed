import { readdir, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { testFolder } from "../processor-for-tests.ts";
import { openOutbox, type Outbox } from "./outbox.ts";

let folder: string;
let server: Server;
let status: number;
/** What came, with the token that it was sent with. */
let came: unknown[];
let asked: number;
let outbox: Outbox;
const log: string[] = [];

beforeEach(async () => {
  folder = await testFolder("outbox");
  status = 201;
  came = [];
  asked = 0;
  log.length = 0;
  server = createServer(async (request, response) => {
    const event = await json(request);
    asked += 1;
    if (status === 201) came.push([request.headers.authorization, event]);
    response.writeHead(status, { location: "/elsewhere" }).end();
  });
  await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
  await open();
});
afterEach(async () => {
  await outbox.stop();
  server.closeAllConnections();
  await new Promise((done) => void server.close(done));
  await rm(folder, { recursive: true });
});

async function open(most = 10): Promise<void> {
  const { port } = server.address() as AddressInfo;
  outbox = await openOutbox({
    folder,
    url: `http://127.0.0.1:${port}/api/v1/lineage`,
    token: "t0ken",
    log: pino({}, { write: (line: string) => void log.push(line) }),
    most,
    firstMs: 5,
  });
}

const events = (...numbers: number[]) => numbers.map((n) => ["Bearer t0ken", { n }]);

it("sends events in their order and keeps none that was taken", async () => {
  for (let n = 0; n < 5; n += 1) await outbox.add({ n });
  await expect.poll(() => came).toEqual(events(0, 1, 2, 3, 4));
  await expect.poll(() => readdir(folder)).toEqual([]);
});

it("keeps events over a restart while the endpoint fails, and sends them when it answers", async () => {
  status = 503;
  await outbox.add({ n: 0 });
  await outbox.add({ n: 1 });
  await expect.poll(() => asked).toBeGreaterThan(1);
  await outbox.stop();
  expect(await readdir(folder)).toEqual(["0000000000000001.json", "0000000000000002.json"]);
  status = 201;
  await open();
  await outbox.add({ n: 2 });
  await expect.poll(() => came).toEqual(events(0, 1, 2));
});

it("drops an event that is refused or redirected, and tells so", async () => {
  status = 422;
  await outbox.add({ n: 0 });
  await expect.poll(() => readdir(folder)).toEqual([]);
  status = 307;
  await outbox.add({ n: 1 });
  await expect.poll(() => readdir(folder)).toEqual([]);
  status = 201;
  await outbox.add({ n: 2 });
  await expect.poll(() => came).toEqual(events(2));
  expect(log.join("")).toMatch(/"status":422.*a lineage event was refused and is dropped/);
});

it("drops the oldest of too many that wait", async () => {
  await outbox.stop();
  status = 503;
  await open(3);
  for (let n = 0; n < 5; n += 1) await outbox.add({ n });
  // One of the dropped may be on its way.
  await outbox.stop();
  status = 201;
  await open(3);
  await expect.poll(() => came).toEqual(events(2, 3, 4));
  expect(log.join("")).toContain("too many lineage events wait; the oldest is dropped");
});
