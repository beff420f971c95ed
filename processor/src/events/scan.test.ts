import { writeFileSync } from "node:fs";
import { appendFile, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Ledger, openLedger } from "../ledger/index.ts";
import type { ObjectStore } from "../object-store/index.ts";
import { configOf, salesStack, testFolder } from "../processor-for-tests.ts";
import { type OpenStack, openStack } from "../runs/stack.ts";
import { type Monitor, startMonitor } from "./monitor.ts";

let folder: string;
let stack: OpenStack;
let ledger: Ledger;
let monitor: Monitor | undefined;
let lines: string[];
let scans: number;
let reads: number;
let looks: number;

beforeEach(async () => {
  folder = await testFolder("scan");
  const { sales } = configOf(salesStack()).stacks;
  if (sales === undefined) throw new Error("unreachable");
  stack = await openStack(sales, folder);
  ledger = await openLedger({ driver: "sqlite", file: join(folder, "ledger.sqlite") });
  [lines, scans, reads, looks] = [[], 0, 0, 0];
});
afterEach(async () => {
  await monitor?.stop();
  await ledger.close();
  await rm(folder, { recursive: true });
});

const nothing = () => undefined;

/** Starts a monitor that does something before each of its scans, and at each read, and counts them. */
function start(
  before: (scan: number) => Promise<void> = async () => undefined,
  atRead: (key: string) => void = nothing,
  fullScanSeconds = 0.02,
): void {
  const { input } = stack;
  const watched: ObjectStore = {
    ...input,
    async *list(prefix) {
      if (prefix !== "") looks += 1;
      else {
        scans += 1;
        await before(scans);
      }
      yield* input.list(prefix);
    },
    get(key, range) {
      reads += 1;
      atRead(key);
      return input.get(key, range);
    },
  };
  monitor = startMonitor({
    stack: { ...stack, input: watched },
    events: { driver: "monitor", intervalSeconds: 0.02, fullScanSeconds },
    ledger,
    metrics: { received: nothing, ignored: nothing, fullScan: nothing },
    // Every object is young, so only two scans that see the same tell that it is whole.
    now: () => 0,
    log: pino({}, { write: (line: string) => lines.push(line) }),
  });
}
const scansAfter = (count: number) => {
  const from = scans;
  return expect.poll(() => scans).toBeGreaterThan(from + count);
};
const claimed = async () => (await ledger.runs({ limit: 9 })).map(({ file }) => file);
const pieces = (text: string) => new Blob([text]).stream();

it("takes a file when it has stopped growing", async () => {
  await stack.input.put("growing.csv", pieces("x"));
  // Each scan finds another version.
  const early: unknown[] = [];
  start(async (scan) => {
    if (scan <= 5) await appendFile(stack.input.location("growing.csv"), "x");
    if (scan <= 6) early.push(...(await claimed()));
  });
  await expect.poll(claimed).toMatchObject([{ key: "growing.csv", bytes: 6 }]);
  expect(early).toEqual([]);
});

it("reads an unchanged store once, and what it knows not at all", async () => {
  const { sha256, bytes, version } = await stack.input.put("sent.csv", pieces("sent"));
  const sent = { stack: "sales", store: stack.input.id, key: "sent.csv", version, name: "sent.csv", bytes, sha256 };
  await ledger.claim(sent);
  await stack.input.put("found.csv", pieces("found"));
  await stack.input.put("notes.pdf", pieces("notes"));
  start();
  await expect.poll(claimed).toHaveLength(2);
  await scansAfter(3);
  expect(reads).toBe(1);
  expect(lines.filter((line) => line.includes("left alone"))).toHaveLength(1);
});

it("looks into the folders of these days between full scans, and elsewhere with them", async () => {
  await stack.input.put("before.csv", pieces("before"));
  const { promise: goingOn, resolve: goOn } = Promise.withResolvers<void>();
  // What is young waits for the second full scan.
  start((scan) => (scan === 2 ? goingOn : Promise.resolve()));
  await stack.input.put("1970-01-01/new.csv", pieces("new"));
  await stack.input.put("1969/12/31/deep/new.csv", pieces("newer"));
  await expect
    .poll(async () => (await claimed()).map(({ key }) => key).toSorted())
    .toEqual(["1969/12/31/deep/new.csv", "1970-01-01/new.csv"]);
  await stack.input.put("1970-01-01/copy.csv", pieces("new"));
  const from = looks;
  await expect.poll(() => looks).toBeGreaterThan(from + 20);
  expect(reads).toBe(3);
  goOn();
  await expect.poll(claimed).toHaveLength(3);
});

it("reads once what a full scan listed and another look took before its end", async () => {
  await stack.input.put("1970-01-01/new.csv", pieces("new"));
  const { promise: isListed, resolve: goOn } = Promise.withResolvers<void>();
  const { list } = stack.input;
  const input: ObjectStore = {
    ...stack.input,
    async *list(prefix) {
      if (prefix !== "") await isListed;
      yield* list(prefix);
      // The first one has seen it young.
      if (prefix !== "" || scans !== 2) return;
      goOn();
      await expect.poll(claimed, { timeout: 60_000 }).toHaveLength(1);
    },
  };
  stack = { ...stack, input };
  start();
  await expect.poll(() => scans, { timeout: 90_000 }).toBeGreaterThan(2);
  expect(reads).toBe(1);
});

it("makes no full scan before its time, be that further off than timers can wait", async () => {
  start(undefined, undefined, 40 * 86_400);
  await expect.poll(() => looks).toBeGreaterThan(20);
  expect(scans).toBe(1);
});

it("looks through all of the store before its time when it was told more than it keeps", async () => {
  start(undefined, undefined, 40 * 86_400);
  await expect.poll(() => scans).toBe(1);
  await stack.input.put("late.csv", pieces("late"));
  for (let n = 0; n < 10_000; n++) monitor?.announce(`${n}.csv`);
  monitor?.announce("late.csv");
  await expect.poll(claimed, { timeout: 60_000 }).toMatchObject([{ key: "late.csv" }]);
});

it("tries an announced object again that could not be taken, and takes others meanwhile", async () => {
  const { promise: goingOn, resolve: goOn } = Promise.withResolvers<void>();
  let isBroken = true;
  start(
    (scan) => (scan === 2 ? goingOn : Promise.resolve()),
    (key) => {
      if (isBroken && key === "a.csv") throw new Error("The store is gone.");
    },
  );
  await expect.poll(() => scans).toBe(2);
  for (const key of ["a.csv", "b.csv"]) {
    await stack.input.put(key, pieces(key));
    monitor?.announce(key);
  }
  await expect.poll(claimed).toMatchObject([{ key: "b.csv" }]);
  isBroken = false;
  await expect.poll(claimed, { timeout: 90_000 }).toMatchObject([{ key: "a.csv" }, { key: "b.csv" }]);
  expect(lines.filter((line) => line.includes("The store is gone.")).length).toBeGreaterThan(0);
  goOn();
});

it("claims the older object first, whatever they are called", async () => {
  for (const [n, name] of ["c", "a", "d", "b"].entries()) {
    await stack.input.put(`${name}.csv`, pieces(name));
    await utimes(stack.input.location(`${name}.csv`), n, n);
  }
  start();
  await expect.poll(claimed).toHaveLength(4);
  expect((await claimed()).map(({ key }) => key).toReversed()).toEqual(["c.csv", "a.csv", "d.csv", "b.csv"]);
});

it("claims no version with the content of another", async () => {
  await stack.input.put("a.csv", pieces("one"));
  const path = stack.input.location("a.csv");
  start(undefined, () => {
    if (reads === 1) writeFileSync(path, "two and more");
  });
  await expect.poll(claimed).toMatchObject([{ key: "a.csv", bytes: 12 }]);
  const [run] = await ledger.runs({ limit: 1 });
  expect((await ledger.source(run?.id ?? ""))?.version).toBe((await stack.input.head("a.csv"))?.version);
});

it("does not meddle with an upload that is in progress", async () => {
  const loose = { stack: "sales", role: "input", key: "2026-01-01/upload.csv" } as const;
  await ledger.loose.note(loose);
  await stack.input.put(loose.key, pieces("upload"));
  start();
  await scansAfter(4);
  expect(await claimed()).toEqual([]);
  await ledger.loose.forget(loose);
  await expect.poll(claimed).toMatchObject([{ key: loose.key }]);
});

it("takes a new file where an archived one lay, but not that one", async () => {
  const { version } = await stack.input.put("a.csv", pieces("old"));
  await ledger.loose.note({ stack: "sales", role: "input", key: "a.csv", version });
  start();
  await scansAfter(4);
  expect(await claimed()).toEqual([]);
  await stack.input.put("a.csv", pieces("newer"));
  await expect.poll(claimed).toMatchObject([{ key: "a.csv", bytes: 5 }]);
});

it("logs a store that cannot be listed, or a ledger that fails, and goes on", async () => {
  await stack.input.put("a.csv", pieces("a"));
  const { isClaimed } = ledger;
  let failures = 0;
  ledger.isClaimed = async (object) => {
    if (failures++ === 0) throw new Error("The disk is full.");
    return isClaimed(object);
  };
  start(async (scan) => {
    if (scan === 1) throw new Error("The store is gone.");
  });
  await expect.poll(claimed).toHaveLength(1);
  expect(lines.filter((line) => line.includes("The store is gone."))).toHaveLength(1);
  expect(lines.filter((line) => line.includes("The disk is full."))).toHaveLength(1);
});

it("stops in the middle of a file, and claims nothing of it", async () => {
  await stack.input.put("a.csv", pieces("a"));
  let stopped: Promise<void> | undefined;
  start(undefined, () => (stopped = monitor?.stop()));
  await expect.poll(() => reads).toBe(1);
  await stopped;
  expect(await claimed()).toEqual([]);
  // On a busy machine the scan before took longer than its interval, which is told.
  expect(lines.filter((line) => !line.includes('"msg":"input store scanned"'))).toEqual([]);
});
