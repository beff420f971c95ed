import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Run } from "@cais/spec/api.ts";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Asked, type Ledger, openLedger } from "../ledger/index.ts";
import { StoreUnreachable } from "../object-store/index.ts";
import { configOf, salesStack, testFolder } from "../processor-for-tests.ts";
import { type OpenStack, openStack } from "./stack.ts";
import { finishUploads } from "./uploads.ts";

let folder: string;
let ledger: Ledger;
let stack: OpenStack;
beforeEach(async () => {
  folder = await testFolder("uploads");
  const config = configOf(salesStack()).stacks["sales"];
  if (config === undefined) throw new Error("unreachable");
  stack = await openStack(config, folder);
  ledger = await openLedger({ driver: "sqlite", file: join(folder, "ledger.sqlite") });
});
afterEach(async () => {
  await ledger.close();
  await rm(folder, { recursive: true });
});

const put = (key: string, content: string) => stack.input.put(key, new Blob([content]).stream());
const note = (key: string, asked?: Asked) =>
  ledger.loose.note({ stack: "sales", role: "input", key, ...(asked && { asked }) });
const finish = (of: OpenStack = stack) =>
  finishUploads({
    ledger,
    stacks: new Map([["sales", of]]),
    metrics: { received: () => undefined },
    log: pino({ level: "silent" }),
  });
const claimOf = async (key: string, content: string) => ({
  stack: "sales",
  store: stack.input.id,
  key,
  name: "a.csv",
  ...(await put(key, content)),
});
const runs = async () =>
  (await ledger.runs({ stack: "sales", limit: 9 })).map(({ file, by }) => [file.name, file.key, by]);
const there = async (key: string) => (await stack.input.head(key)) !== undefined;

it("takes what has come whole as its sender asked, and knows the sender's next try", async () => {
  const asked = { kind: "load", again: true, name: "Vendas.csv", idempotencyKey: "k", by: "ana" } as const;
  await note("2026-01-01/a.csv", asked);
  const { sha256, bytes, version } = await put("2026-01-01/a.csv", "x");
  await note("2026-01-01/never-came.csv", asked);
  await finish();
  expect(await runs()).toEqual([["Vendas.csv", "2026-01-01/a.csv", "ana"]]);
  expect(await ledger.loose.all()).toEqual([]);
  const next = { stack: "sales", store: stack.input.id, key: "2026-01-01/b.csv", name: "Vendas.csv" };
  const claim = { ...next, version, bytes, sha256, idempotencyKey: "k" };
  expect(await ledger.claim(claim, { again: true })).toMatchObject({ created: false });
  await finish();
  expect(await there("2026-01-01/a.csv")).toBe(true);
});

it("deletes what has a known content or was refused, and takes what a ledger of before had noted", async () => {
  await ledger.claim({ ...(await claimOf("a.csv", "known")), idempotencyKey: "k" });
  const load = { kind: "load", again: false, name: "b.csv" } as const;
  await note("known.csv", load);
  await put("known.csv", "known");
  await note("refused.csv", { ...load, idempotencyKey: "k" });
  await put("refused.csv", "another content");
  await note("corrections/1.csv", { kind: "replay", run: (await ledger.runs({ limit: 1 }))[0]?.id ?? "" });
  await put("corrections/1.csv", "of a run that is not done");
  await note("2026-01-01/before.csv");
  await put("2026-01-01/before.csv", "of before");
  await finish();
  expect(await Array.fromAsync(stack.input.list(""), ({ key }) => key)).toEqual(
    expect.arrayContaining(["2026-01-01/before.csv", "a.csv"]),
  );
  for (const key of ["known.csv", "refused.csv", "corrections/1.csv"]) expect(await there(key)).toBe(false);
  expect(await runs()).toEqual([
    ["before.csv", "2026-01-01/before.csv", null],
    ["a.csv", "a.csv", null],
  ]);
  expect(await ledger.loose.all()).toEqual([]);
});

it("replays a correction that has come whole", async () => {
  const { run } = await ledger.claim(await claimOf("a.csv", "x"));
  await ledger.next("worker", { busyStacks: [], leaseSeconds: 60 });
  await ledger.finish(run.id, { state: "failed" });
  await note("corrections/1.csv", { kind: "replay", run: run.id, by: "ana" });
  await put("corrections/1.csv", "y");
  await finish();
  expect(await ledger.runs({ stack: "sales", limit: 1 })).toMatchObject([
    { kind: "replay", state: "queued", by: "ana" },
  ]);
  expect([await there("corrections/1.csv"), await ledger.loose.all()]).toEqual([true, []]);
});

it("deletes no copy in the archive that is all there is of a file", async () => {
  const claimed: Run[] = [];
  for (const content of ["gone", "kept", "changed"])
    claimed.push((await ledger.claim(await claimOf(`${content}.csv`, content))).run);
  const archived = (n: number) => `archive/${claimed[n]?.id}/${claimed[n]?.file.key}`;
  for (const [n, content] of ["gone", "kept", "half"].entries()) {
    await note(archived(n));
    await put(archived(n), content);
  }
  await stack.input.delete("gone.csv");
  await stack.input.delete("changed.csv");
  await finish();
  expect([await there(archived(0)), await there(archived(1)), await there(archived(2))]).toEqual([true, false, false]);
  expect(await ledger.source(claimed[0]?.id ?? "")).toMatchObject({ key: archived(0), version: null });
  expect(await ledger.source(claimed[1]?.id ?? "")).toMatchObject({ key: "kept.csv" });
  expect(await ledger.loose.all()).toEqual([]);
});

/** With an input store that gives no content. */
const failing = (error: Error): OpenStack => ({
  ...stack,
  input: {
    ...stack.input,
    get: () => {
      throw error;
    },
  },
});

it("leaves what cannot be read to the next start, and does not start while the store is away", async () => {
  await note("a.csv");
  await put("a.csv", "x");
  await finish(failing(new Error("damaged")));
  await expect(finish(failing(new StoreUnreachable("away")))).rejects.toThrow("away");
  expect([await there("a.csv"), (await ledger.loose.all()).length]).toEqual([true, 1]);
  await finish();
  expect(await runs()).toEqual([["a.csv", "a.csv", null]]);
});
