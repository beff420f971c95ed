import { rm } from "node:fs/promises";
import { Audit } from "@cais/spec/access.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startProcessor } from "../main.ts";
import { configOf, salesStack, testFolder } from "../processor-for-tests.ts";

const token = "0123456789abcdef0123456789abcdef";
let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>>;
beforeEach(async () => {
  folder = await testFolder("address");
});
afterEach(async () => {
  await processor.stop();
  await rm(folder, { recursive: true });
});

async function start(trustedProxies?: string[]): Promise<void> {
  const api = { host: "127.0.0.1", port: 0, trustedProxies, limits: { refusalsPerMinute: 1 } };
  processor = await startProcessor({ ...configOf(salesStack()), api }, { dataFolder: folder, token });
}

/** Knocks with a wrong token, by a proxy that says this. */
async function knock(forwarded: string): Promise<number> {
  const headers = { authorization: "Bearer wrong", "x-forwarded-for": forwarded };
  return (await fetch(`${processor.url}/v1/runs`, { headers })).status;
}

/** From where the audit log has it that someone knocked, first to last. */
async function seen(): Promise<string[]> {
  const answer = await fetch(`${processor.url}/v1/audit`, { headers: { authorization: `Bearer ${token}` } });
  return Audit.parse(await answer.json())
    .entries.map(({ from }) => from)
    .toReversed();
}

it("takes a trusted proxy's word for who calls, and nobody's before it", async () => {
  await start(["127.0.0.1/32", "10.20.0.0/24"]);
  // What the caller said itself comes first, and is whatever the caller likes.
  expect(await knock("203.0.113.9, 198.51.100.7")).toBe(401);
  expect(await knock("203.0.113.10, 198.51.100.7, 10.20.0.5")).toBe(429);
  expect(await knock("198.51.100.8")).toBe(401);
  expect(await knock("10.20.0.5, 2001:db8::7")).toBe(401);
  expect(await knock(`203.0.113.9, <script>`)).toBe(401);
  expect(await knock("")).toBe(429);
  expect(await seen()).toEqual([
    "198.51.100.7",
    "198.51.100.7",
    "198.51.100.8",
    "2001:db8::7",
    "127.0.0.1",
    "127.0.0.1",
  ]);
});

it.each([[undefined], [["10.20.0.0/24"]]])("believes nobody who is not among %j", async (trusted) => {
  await start(trusted);
  expect([await knock("198.51.100.7"), await knock("198.51.100.8")]).toEqual([401, 429]);
  expect(await seen()).toEqual(["127.0.0.1", "127.0.0.1"]);
});
