import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Audit, CreatedToken } from "@cais/spec/access.ts";
import { Delivery, Problem, Upload } from "@cais/spec/api.ts";
import { Deliveries } from "@cais/spec/deliveries.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startProcessor } from "../main.ts";
import { configOf, engines, salesStack, testFolder } from "../processor-for-tests.ts";

const master = "0123456789abcdef0123456789abcdef";
let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>>;
let token: string;
beforeAll(async () => {
  folder = await testFolder("deliveries");
  const config = configOf(salesStack(), salesStack({ name: "other" }));
  processor = await startProcessor(config, { engines, dataFolder: folder, token: master });
  // Where the delivery's folder is to be, there is a file.
  await writeFile(join(folder, "sales/output/out"), "");
  const made = await ask("/v1/tokens", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "others", actions: ["read", "replay"], stacks: ["other"] }),
  });
  ({ token } = CreatedToken.parse(await made.json()));
});
afterAll(async () => {
  await processor.stop();
  await rm(folder, { recursive: true });
});

const ask = (path: string, init: RequestInit = {}, as = master) =>
  fetch(`${processor.url}${path}`, { ...init, headers: { ...init.headers, authorization: `Bearer ${as}` } });
const list = async (query = "", as = master) =>
  Deliveries.parse(await (await ask(`/v1/deliveries${query}`, {}, as)).json());
const problem = async (response: Response) => {
  const { status, detail } = Problem.parse(await response.json());
  return { status, detail };
};

async function load(stack: string, amount: number): Promise<string> {
  const body = `day,amount,note\n2024-01-01,${amount},x\n`;
  const sent = await ask(`/v1/stacks/${stack}/files?name=a.csv`, { method: "POST", body });
  const { id } = Upload.parse(await sent.json());
  await expect
    .poll(async () => (await (await ask(`/v1/runs/${id}`)).json()) as unknown, { timeout: 20_000 })
    .toMatchObject({ state: "done" });
  return id;
}

it("ends a run whose sink does not take its rows, and delivers them when they are asked for again", async () => {
  const run = await load("sales", 1);
  await expect.poll(async () => (await list("?state=retrying")).deliveries.length, { timeout: 10_000 }).toBe(1);
  const [waiting] = (await list("?stack=sales")).deliveries;
  expect(waiting).toMatchObject({
    run,
    sink: "0-csv-sold",
    kind: "csv",
    name: "sold",
    state: "retrying",
    rows: 1,
    canDouble: null,
    error: expect.stringMatching(
      /out\/sold\.csv cannot be written \(\w+\); is its disk full, or something else in its place\?$/,
    ),
  });
  const retry = `/v1/deliveries/${waiting?.id}/retry`;
  expect(await problem(await ask(retry, { method: "POST" }, token))).toEqual({
    status: 404,
    detail: `There is no delivery ${waiting?.id}; GET /v1/deliveries lists them.`,
  });
  await rm(join(folder, "sales/output/out"));
  const again = await ask(retry, { method: "POST" });
  expect(again.status).toBe(202);
  expect(Delivery.parse(await again.json())).toMatchObject({ state: "pending", attempts: 0 });
  await expect.poll(async () => (await list("?state=delivered")).deliveries.length, { timeout: 10_000 }).toBe(1);
  expect(await problem(await ask(retry, { method: "POST" }))).toEqual({
    status: 409,
    detail: `The delivery ${waiting?.id} is delivered; only one that waits or failed is tried again.`,
  });
  const audit = Audit.parse(await (await ask("/v1/audit?limit=10")).json());
  expect(audit.entries.filter(({ what }) => what === "retry").map(({ on, status }) => ({ on, status }))).toEqual([
    { on: String(waiting?.id), status: 409 },
    { on: String(waiting?.id), status: 202 },
    { on: null, status: 404 },
  ]);
});

it("lists newest first, page by page, of the stacks that the caller sees", async () => {
  const runs = [await load("other", 1), await load("other", 2)];
  const { deliveries, next } = await list("?stack=other&limit=1");
  expect(deliveries.map(({ run }) => run)).toEqual([runs[1]]);
  expect((await list(`?stack=other&limit=1&before=${next}`)).deliveries.map(({ run }) => run)).toEqual([runs[0]]);
  expect((await list(`?run=${runs[0]}`)).deliveries).toHaveLength(1);
  expect((await list("?sink=0-csv-nothing")).deliveries).toEqual([]);
  expect(new Set((await list("", token)).deliveries.map(({ stack }) => stack))).toEqual(new Set(["other"]));
  expect((await ask("/v1/deliveries?stack=sales", {}, token)).status).toBe(403);
});
