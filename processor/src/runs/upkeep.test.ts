import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Ledger, openLedger } from "../ledger/index.ts";
import { startMetrics } from "../metrics/index.ts";
import { configOf, salesStack, testFolder } from "../processor-for-tests.ts";
import { startSender } from "../sinks/sender.ts";
import { snapshotAt } from "../tables/delta/snapshot.ts";
import { openTableReader } from "../tables/index.ts";
import { startPublisher } from "../tables/publisher.ts";
import { startTracing } from "../tracing/index.ts";
import { type Runner, startRunner } from "./index.ts";
import { type OpenStack, openStack } from "./stack.ts";

let folder: string;
let ledger: Ledger;
let stack: OpenStack;
let runner: Runner;
let stop: () => Promise<void>;

beforeEach(async () => {
  folder = await testFolder("upkeep");
  ledger = await openLedger({ driver: "sqlite", file: join(folder, "ledger.sqlite") });
  const config = configOf(salesStack());
  const { sales } = config.stacks;
  if (sales === undefined) throw new Error("unreachable");
  stack = await openStack(sales, folder);
  const stacks = new Map([["sales", stack]]);
  const [log, metrics, tracing] = [
    pino({ level: "silent" }),
    startMetrics(() => ledger.depth()),
    await startTracing(undefined),
  ];
  const sender = startSender({ stacks, ledger, metrics, tracing, log, folder: join(folder, "deliveries") });
  const publisher = startPublisher({ stacks, ledger, log, waitMs: 1 });
  const outside = { stacks, ledger, metrics, tracing, sender, publisher, log };
  runner = startRunner({ ...outside, folder: join(folder, "runs"), limits: config.engine, seconds: 60 });
  stop = async () => {
    await runner.stop();
    await publisher.stop();
    await sender.stop();
  };
});
afterEach(async () => {
  await stop();
  await ledger.close();
  await rm(folder, { recursive: true });
});

async function claim(n: number): Promise<string> {
  const key = `${n}.csv`;
  const content = new Blob([`day,amount,note\n2024-01-01,${n},x\n`]).stream();
  const { bytes, sha256, version } = await stack.input.put(key, content);
  const file = { stack: "sales", store: stack.input.id, key, version, name: key, bytes, sha256 };
  return (await ledger.claim(file)).run.id;
}

const done = async (id: string) => (await ledger.run(id))?.state;

it("puts the files of a table together between runs, of which none is lost or done twice", async () => {
  const runs: string[] = [];
  for (let n = 0; n < 3; n++) {
    const id = await claim(n);
    runs.push(id);
    await expect.poll(() => done(id), { timeout: 20_000 }).toBe("done");
  }
  const [first] = await Promise.all([
    runner.upkeep.optimize("sales", "sold"),
    ...[3, 4].map(async (n) => runs.push(await claim(n))),
  ]);
  expect(first).toMatchObject({ removed: 3, added: 1 });
  for (const id of runs) await expect.poll(() => done(id), { timeout: 20_000 }).toBe("done");
  expect((await ledger.runs({ stack: "sales", limit: 9 })).map(({ attempts }) => attempts)).toEqual([1, 1, 1, 1, 1]);
  const state = await ledger.tables.read("sales", "sold");
  expect(state?.files[0]?.parts.map(({ run }) => run)).toEqual(runs.slice(0, 3));
  // A file that is run again takes its rows out of the large one.
  const again = (await ledger.requeue({ run: runs[1] ?? "", kind: "rerun" })).id;
  await expect.poll(() => done(again), { timeout: 20_000 }).toBe("done");
  await stop();
  const reader = openTableReader(join(folder, "reads"));
  const now = await ledger.tables.read("sales", "sold");
  const files = { lake: stack.lake, files: async () => now?.files ?? [] };
  const rows = (await Array.fromAsync(reader.allRows(files, now?.columns ?? []))).flat();
  await reader.stop();
  expect(rows.map(({ amount }) => amount).toSorted()).toEqual([0, 1, 2, 3, 4]);
  const inLog = [...((await snapshotAt(stack.lake, "sold"))?.files.keys() ?? [])].map((path) => `sold/${path}`);
  expect(inLog.toSorted()).toEqual(now?.files.map(({ key }) => key).toSorted());
  expect(await ledger.loose.all()).toEqual([]);
});

it("says which stack is not there, and deletes nothing that is young", async () => {
  const id = await claim(1);
  await expect.poll(() => done(id), { timeout: 20_000 }).toBe("done");
  await expect(runner.upkeep.optimize("other", "sold")).rejects.toThrow('The stack "other" is not deployed here.');
  expect(await runner.upkeep.optimize("sales", "nothing")).toEqual({ removed: 0, added: 0, bytes: 0 });
  expect(await runner.upkeep.vacuum("sales", "sold", { dryRun: false })).toEqual([]);
});
