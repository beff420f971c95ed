import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Ledger, openLedger } from "../ledger/index.ts";
import { startMetrics } from "../metrics/index.ts";
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

it.each(["next", "finish"] as const)("outlives a full disk in the ledger's %s, and goes on later", async (method) => {
  const config = configOf(salesStack());
  const { sales } = config.stacks;
  if (sales === undefined) throw new Error("unreachable");
  const open = await openStack(sales, folder);
  const ledger = await openLedger({ driver: "sqlite", file: join(folder, "ledger.sqlite") });
  const metrics = startMetrics(() => ledger.depth());
  const lines: string[] = [];
  const runner = startRunner({
    stacks: new Map([["sales", open]]),
    ledger: failing(ledger, method, 1),
    metrics,
    tracing: await startTracing(undefined),
    log: pino({}, { write: (line: string) => lines.push(line) }),
    folder: join(folder, "runs"),
    limits: config.engine,
    seconds: 60,
  });
  const { bytes, sha256, version } = await open.input.put(
    "a.csv",
    new Blob(["day,amount,note\n2024-01-01,1,x\n"]).stream(),
  );
  const { run } = await ledger.claim({
    stack: "sales",
    store: open.input.id,
    key: "a.csv",
    version,
    name: "a.csv",
    bytes,
    sha256,
  });
  await expect.poll(async () => (await ledger.run(run.id))?.state, { timeout: 10_000 }).toBe("done");
  expect((await ledger.run(run.id))?.attempts).toBe(1);
  expect(lines.filter((line) => line.includes("database or disk is full"))).toHaveLength(1);
  await runner.stop();
  await metrics.stop();
  await ledger.close();
});
