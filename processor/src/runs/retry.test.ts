import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Ledger, openLedger } from "../ledger/index.ts";
import { startMetrics } from "../metrics/index.ts";
import { startSender } from "../sinks/sender.ts";
import { startPublisher } from "../tables/publisher.ts";
import { startTracing } from "../tracing/index.ts";
import { configOf, salesStack, testFolder } from "../processor-for-tests.ts";
import { startRunner } from "./index.ts";
import { openStack } from "./stack.ts";

let folder: string;
beforeEach(async () => {
  folder = await testFolder("retry");
});
afterEach(() => rm(folder, { recursive: true }));

/** A ledger one method of which fails the first times, as SQLite does on a full disk. */
function failing(ledger: Ledger, method: "next" | "finish", times: number): Ledger {
  let left = times;
  const fail = () => {
    if (left-- > 0) throw new Error("database or disk is full");
  };
  return {
    ...ledger,
    async next(worker, options) {
      if (method === "next") fail();
      return ledger.next(worker, options);
    },
    async finish(id, ending) {
      if (method === "finish") fail();
      return ledger.finish(id, ending);
    },
  };
}

/** A runner on a ledger of its own, with one file claimed. */
async function startWith(
  change: (ledger: Ledger) => Ledger | Promise<Ledger>,
  { sql = salesStack().sql, renewMs }: { sql?: Record<string, string>; renewMs?: number } = {},
) {
  const config = configOf({ ...salesStack(), sql });
  const { sales } = config.stacks;
  if (sales === undefined) throw new Error("unreachable");
  const open = await openStack(sales, folder);
  const ledger = await openLedger({ driver: "sqlite", file: join(folder, "ledger.sqlite") });
  const metrics = startMetrics(() => ledger.depth());
  const { bytes, sha256, version } = await open.input.put(
    "a.csv",
    new Blob(["day,amount,note\n2024-01-01,1,x\n"]).stream(),
  );
  const file = { stack: "sales", store: open.input.id, key: "a.csv", version, name: "a.csv", bytes, sha256 };
  const { run } = await ledger.claim(file);
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => lines.push(line) });
  const stacks = new Map([["sales", open]]);
  const tracing = await startTracing(undefined);
  const sender = startSender({ stacks, ledger, metrics, tracing, log, folder: join(folder, "deliveries") });
  const publisher = startPublisher({ stacks, ledger, log });
  const runner = startRunner({
    stacks,
    ledger: await change(ledger),
    metrics,
    tracing,
    sender,
    publisher,
    log,
    folder: join(folder, "runs"),
    limits: config.engine,
    seconds: 60,
    ...(renewMs !== undefined && { renewMs }),
  });
  runner.wake();
  return {
    ledger,
    lines,
    read: async () => ledger.run(run.id),
    async stop() {
      await runner.stop();
      await publisher.stop();
      await sender.stop();
      await ledger.close();
    },
  };
}

it.each(["next", "finish"] as const)("outlives a full disk in the ledger's %s, and goes on later", async (method) => {
  const { read, lines, stop } = await startWith((ledger) => failing(ledger, method, 1));
  await expect.poll(read, { timeout: 60_000 }).toMatchObject({ state: "done", attempts: 1 });
  expect(lines.filter((line) => line.includes("database or disk is full"))).toHaveLength(1);
  await stop();
});

it("quarantines a file at which the processor was killed five times", async () => {
  const { read, stop } = await startWith(async (ledger) => {
    for (let attempt = 1; attempt <= 5; attempt++) {
      await ledger.next("processor", { busyStacks: [], leaseSeconds: 60 });
      await ledger.releaseAll("processor");
    }
    return ledger;
  });
  await expect.poll(read, { timeout: 60_000 }).toMatchObject({
    state: "quarantined",
    error:
      "It broke off 5 times; the last time: The processor itself ended while it was done. Replay it when that is mended.",
  });
  await stop();
});

const endless = {
  ...salesStack().sql,
  "sold.sql":
    "SELECT count(*) AS n FROM input, range(100000) a, range(100000) b, range(100000) c WHERE a.range <> b.range",
};

it("counts no attempt that its own stop cuts off", async () => {
  const { read, stop } = await startWith((ledger) => ledger, { sql: endless });
  const { id } = (await read()) ?? {};
  await expect.poll(read, { timeout: 60_000 }).toMatchObject({ state: "running", attempts: 1 });
  await stop();
  const ledger = await openLedger({ driver: "sqlite", file: join(folder, "ledger.sqlite") });
  expect(await ledger.run(id ?? "")).toMatchObject({ state: "queued", attempts: 0, error: null });
  await ledger.close();
});

it("stops an attempt whose lease another worker has, and records nothing of it", async () => {
  const { read, lines, stop } = await startWith((ledger) => ({ ...ledger, renew: async () => [] }), {
    sql: endless,
    renewMs: 200,
  });
  await expect.poll(() => lines.some((line) => line.includes("another worker has")), { timeout: 60_000 }).toBe(true);
  // The work has ended when its folder is gone.
  await expect.poll(() => readdir(join(folder, "runs")), { timeout: 60_000 }).toEqual([]);
  expect(await read()).toMatchObject({ state: "running", attempts: 1, error: null });
  await stop();
});

it("takes no run that ends for one that another worker has", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { read, lines, stop } = await startWith(
    (ledger) => ({
      ...ledger,
      async finish(id, ending) {
        const run = await ledger.finish(id, ending);
        resolve();
        return run;
      },
      // As where both were in one transaction.
      async renew() {
        await promise;
        return [];
      },
    }),
    { renewMs: 1 },
  );
  await expect.poll(read, { timeout: 60_000 }).toMatchObject({ state: "done" });
  await stop();
  expect(lines.filter((line) => line.includes("another worker has"))).toEqual([]);
});
