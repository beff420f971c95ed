import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Delivery } from "@cais/spec/api.ts";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type Ledger, openLedger } from "../ledger/index.ts";
import { openLog } from "../log/index.ts";
import { startMetrics } from "../metrics/index.ts";
import { configOf, salesStack, testFolder } from "../processor-for-tests.ts";
import { type OpenStack, openStack } from "../runs/stack.ts";
import { startTracing } from "../tracing/index.ts";
import { DeliveryDelayed, DeliveryRefused, type Sink, type Turn, turnOf } from "./index.ts";
import { type Sender, startSender } from "./sender.ts";

let folder: string;
let ledger: Ledger;
let stack: OpenStack;
let sender: Sender;
let metrics: ReturnType<typeof startMetrics>;
let log: string[];

beforeEach(async () => {
  folder = await testFolder("sender");
  await writeFile(join(folder, "key"), "s3cret-value", { mode: 0o600 });
  const { sales } = configOf(salesStack()).stacks;
  if (sales === undefined) throw new Error("unreachable");
  stack = await openStack({ ...sales, secrets: { key: { driver: "file", path: "key" } } }, folder);
  ledger = await openLedger({ driver: "sqlite", file: join(folder, "ledger.sqlite") });
  metrics = startMetrics(() => ledger.depth());
  log = [];
});
afterEach(async () => {
  await sender.stop();
  await ledger.close();
  await rm(folder, { recursive: true });
});

const start = (...sinks: Sink[]) => startWith({}, ...sinks);

async function startWith(options: { seconds?: number }, ...sinks: Sink[]): Promise<void> {
  sender = startSender({
    stacks: new Map([["sales", { ...stack, sinks }]]),
    ledger,
    metrics,
    tracing: await startTracing(undefined),
    log: openLog("trace", { write: (line) => void log.push(line) }),
    folder: join(folder, "work"),
    random: () => 0,
    ...options,
  });
}

/** A sink that tells of runs that are done. */
const sinkThat = (deliver: (turn: Turn) => Promise<void>, more: Partial<Sink> = {}): Sink => ({
  kind: "webhook",
  name: "hook",
  id: "0-webhook-hook",
  delivers: { endings: ["done"] },
  direct: false,
  canDouble: null,
  retrySeconds: [0, 0],
  async deliver(_payload, turn) {
    await deliver(turn);
    return { location: "there" };
  },
  ...more,
});

/** A run that is in work. */
async function run(name: string): Promise<{ id: string; stack: string }> {
  const { run } = await ledger.claim({
    stack: "sales",
    store: "s",
    key: name,
    version: "1",
    name,
    bytes: 1,
    sha256: name,
  });
  await ledger.next("tester", { busyStacks: [], leaseSeconds: 60 });
  return run;
}

async function ended(name: string): Promise<{ id: string; stack: string }> {
  const begun = await run(name);
  await ledger.finish(begun.id, { state: "done" });
  return begun;
}

const all = () => ledger.deliveries.list({ limit: 10 });
async function untilAll(...states: Delivery["state"][]): Promise<void> {
  await expect.poll(async () => (await all()).map(({ state }) => state), { timeout: 10_000 }).toEqual(states);
}

it("gives up after the last wait of the sink's schedule", async () => {
  let attempts = 0;
  const sink = sinkThat(async () => {
    attempts++;
    throw new DeliveryDelayed("It is closed.");
  });
  await start(sink);
  await sender.tell(await ended("a"), "done");
  await untilAll("failed");
  expect(attempts).toBe(3);
  expect((await all())[0]?.error).toBe(
    "It failed 3 times; the last time: It is closed. When that is mended, npx cais deliveries retry 1 tries it again.",
  );
  expect(await metrics.text()).toMatch(/cais_delivery_retries_total\{.*sink="0-webhook-hook".*\} 2/);
  expect(await metrics.text()).toMatch(/cais_deliveries_total\{.*state="failed".*\} 1/);
});

it("waits as long as the sink asks, and counts no attempt where it says so", async () => {
  const sink = sinkThat(
    async () => {
      throw new DeliveryDelayed("It is full.", { afterSeconds: 500, counts: false });
    },
    { retrySeconds: [5] },
  );
  await start(sink);
  const before = Date.now();
  await sender.tell(await ended("a"), "done");
  await untilAll("retrying");
  const [waiting] = await all();
  expect(waiting?.attempts).toBe(0);
  expect(Date.parse(waiting?.retryAt ?? "") - before).toBeGreaterThanOrEqual(500_000);
});

it("gives an attempt what the one before saved", async () => {
  const seen: unknown[] = [];
  await start(
    sinkThat(async ({ progress, save, id, run }) => {
      seen.push({ progress, id: id.replace(run, "RUN") });
      await save({ part: seen.length });
      if (seen.length < 3) throw new DeliveryDelayed("It is closed.");
    }),
  );
  await sender.tell(await ended("a"), "done");
  await untilAll("delivered");
  const id = "RUN-0-webhook-hook-done";
  expect(seen).toEqual([
    { progress: undefined, id },
    { progress: { part: 1 }, id },
    { progress: { part: 2 }, id },
  ]);
});

it.each([
  ["a reason of its own", () => new DeliveryDelayed("The key s3cret-value is old."), "The key [secret] is old."],
  [
    "a fault of ours",
    () => Object.assign(new Error("no s3cret-value"), { input: "s3cret-value", cause: new Error("s3cret-value") }),
    "The processor failed, not who receives it; see its log.",
  ],
])("tells no secret with %s", async (_, error, told) => {
  await start(
    sinkThat(
      async ({ secret }) => {
        expect(await secret("key")).toBe("s3cret-value");
        throw error();
      },
      { retrySeconds: [60] },
    ),
  );
  await sender.tell(await ended("a"), "done");
  await untilAll("retrying");
  expect((await all())[0]?.error).toBe(told);
  expect(log.some((line) => line.includes("not delivered") && line.includes("[secret]"))).toBe(true);
  expect(log.join("")).not.toContain("s3cret-value");
});

it("tells of a run when it has ended, of endings that are asked for", async () => {
  const told: string[] = [];
  await start({
    ...sinkThat(async () => undefined),
    async deliver(payload) {
      if ("event" in payload) told.push(payload.event.state);
      return { location: "there" };
    },
  });
  const begun = await run("a");
  await sender.tell(begun, "failed");
  expect(await all()).toEqual([]);
  await sender.tell(begun, "done");
  await untilAll("retrying");
  expect(told).toEqual([]);
  await ledger.finish(begun.id, { state: "done" });
  await untilAll("delivered");
  expect(told).toEqual(["done"]);
});

it("tells of the end that a run has, once for each, and not of one that it has no more", async () => {
  const told: { id: string; state: string }[] = [];
  let isClosed = true;
  await start({
    ...sinkThat(async () => undefined, {
      delivers: { endings: ["done", "failed"] },
      anyOrder: true,
      retrySeconds: [3600],
    }),
    async deliver(payload, { id }) {
      if (isClosed) throw new DeliveryDelayed("It is closed.");
      if ("event" in payload) told.push({ id: id.replace(payload.event.id, "RUN"), state: payload.event.state });
      return { location: "there" };
    },
  });
  const begun = await ended("a");
  await sender.tell(begun, "done");
  await untilAll("retrying");
  isClosed = false;
  await sender.tell(begun, "failed");
  await untilAll("superseded", "retrying");
  await ledger.deliveries.again(1);
  await untilAll("superseded", "delivered");
  expect(told).toEqual([{ id: "RUN-0-webhook-hook-done", state: "done" }]);
});

it("delivers to one sink one by one, in order, and to others meanwhile", async () => {
  const order: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const slow = sinkThat(async ({ run }) => {
    order.push(`slow ${run}`);
    await promise;
    order.push(`slow ${run} done`);
  });
  const quick = sinkThat(async ({ run }) => void order.push(`quick ${run}`), { name: "q", id: "1-webhook-q" });
  await start(slow, quick);
  const [first, second] = [await ended("a"), await ended("b")];
  await sender.tell(first, "done");
  await sender.tell(second, "done");
  await expect.poll(() => order.length, { timeout: 10_000 }).toBe(3);
  resolve();
  await untilAll("delivered", "delivered", "delivered", "delivered");
  const [one, two] = [first.id, second.id];
  const slowly = order.filter((line) => line.startsWith("slow"));
  expect(slowly).toEqual([`slow ${one}`, `slow ${one} done`, `slow ${two}`, `slow ${two} done`]);
  expect(order.filter((line) => line.startsWith("quick"))).toEqual([`quick ${one}`, `quick ${two}`]);
});

it("leaves what its stop cuts off for the next start, without an attempt more", async () => {
  const sink = sinkThat(
    ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(new DeliveryDelayed("Stopped.")))),
  );
  await start(sink);
  await sender.tell(await ended("a"), "done");
  await untilAll("delivering");
  await sender.stop();
  expect(await all()).toMatchObject([{ state: "pending", error: null }]);
});

it("ends an attempt that takes too long, and says so", async () => {
  const sink = sinkThat(
    ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    { retrySeconds: [60] },
  );
  await startWith({ seconds: 0.1 }, sink);
  await sender.tell(await ended("a"), "done");
  await untilAll("retrying");
  expect(await all()).toMatchObject([{ attempts: 1, error: "It took longer than 0.1 seconds and was ended." }]);
});

it("finds a sink that has another place now, and says where it is gone", async () => {
  const moved = sinkThat(async () => undefined, { id: "1-webhook-hook" });
  await start(moved);
  const nothing = { payloadKey: null, rows: 0, bytes: 0 };
  await ledger.deliveries.add(
    turnOf("sales", { ...moved, id: "0-webhook-hook" }, { run: (await ended("a")).id, ...nothing }),
  );
  await untilAll("delivered");
  const gone = { ...moved, name: "other", id: "0-webhook-other" };
  await ledger.deliveries.add(turnOf("sales", gone, { run: (await ended("b")).id, ...nothing }));
  await untilAll("failed", "delivered");
  expect((await all())[0]?.error).toBe(
    "The stack does not have this sink any more; once it is back, npx cais deliveries retry 2 delivers it.",
  );
});

it("has a run's own try wait for the sink, and queues it where that fails", async () => {
  const written = { file: join(folder, "rows.csv"), rows: 1, bytes: 2 };
  await writeFile(written.file, "a\n");
  let isClosed = true;
  const seen: string[] = [];
  const sink = sinkThat(
    async ({ run }) => {
      if (isClosed) throw new DeliveryRefused("It is closed.");
      seen.push(run);
    },
    {
      kind: "csv",
      name: "sold",
      id: "0-csv-sold",
      direct: true,
      delivers: { table: "sold", of: "table", writes: { as: "csv", delimiter: ",", decimal: "." } },
    },
  );
  await start(sink);
  const { signal } = new AbortController();
  const offer = async ({ id }: { id: string }) =>
    sender.offer({ stack: { ...stack, sinks: [sink] }, sink, runs: [id], written, signal });
  const [first, second] = [await ended("a"), await ended("b")];
  expect(await offer(first)).toBe("queued");
  await untilAll("failed");
  const [failed] = await all();
  expect(await stack.lake.head(failed?.payloadKey ?? "")).toMatchObject({ bytes: 2 });
  isClosed = false;
  expect(await offer(second)).toBe("delivered");
  expect((await all()).map(({ state }) => state)).toEqual(["delivered", "superseded"]);
  expect(seen).toEqual([second.id]);
  // A crash has it offered again.
  expect([await offer(second), await offer(first)]).toEqual(["delivered", "delivered"]);
  expect(seen).toEqual([second.id]);
  expect((await ledger.run(second.id))?.outputs).toMatchObject([{ kind: "csv", name: "sold", location: "there" }]);
  // The sender left to the run what the run did, and had the time of another one to show it.
  expect(await offer(await ended("c"))).toBe("delivered");
  expect(log.join("")).not.toContain("broke off");
});

/** A sink of the whole of `sold`, at a place of its stack. */
const wholeSink = (place: number, deliver: (turn: Turn) => Promise<void>): Sink =>
  sinkThat(deliver, {
    kind: "database",
    name: "sold",
    id: `${place}-database-sold`,
    delivers: { table: "sold", of: "table", writes: { as: "ndjson", form: "texts" } },
  });

/** Queues what a run of this name gave a sink. */
async function queue(sink: Sink, name: string): Promise<string> {
  const { id } = await ended(name);
  const payloadKey = `deliveries/${id}-0.ndjson`;
  await writeFile(join(folder, "rows"), name);
  await stack.lake.putFile(payloadKey, join(folder, "rows"));
  await ledger.deliveries.add(turnOf("sales", sink, { run: id, payloadKey, rows: 1, bytes: 1 }));
  return id;
}

it.each([
  ["fails", () => new DeliveryDelayed("It is full.")],
  ["is given up", () => new DeliveryRefused("It is full.")],
])("does not try a whole table again that %s while a newer one came", async (_, error) => {
  const seen: string[] = [];
  const { promise: newerIsThere, resolve } = Promise.withResolvers<void>();
  const sink = wholeSink(0, async ({ run }) => {
    seen.push(run);
    if (seen.length > 1) return;
    await newerIsThere;
    throw error();
  });
  await start({ ...sink, retrySeconds: [3600] });
  const first = await queue(sink, "a");
  await untilAll("delivering");
  const second = await queue(sink, "b");
  resolve();
  await untilAll("delivered", "superseded");
  expect(seen).toEqual([first, second]);
  expect((await all())[1]?.payloadKey).toBeNull();
  expect(await ledger.deliveries.again(1)).toBeUndefined();
});

it("does not put an older whole table over a newer one that came to the sink's new place", async () => {
  const seen: string[] = [];
  let isClosed = true;
  const sink = wholeSink(1, async ({ run }) => {
    if (isClosed) throw new DeliveryRefused("It is closed.");
    seen.push(run);
  });
  await start(sink);
  await queue({ ...sink, id: "0-database-sold" }, "a");
  await untilAll("failed");
  isClosed = false;
  const newer = await queue(sink, "b");
  await untilAll("delivered", "failed");
  await ledger.deliveries.again(1);
  await untilAll("delivered", "superseded");
  expect(seen).toEqual([newer]);
});

it("rests where the ledger cannot note that a delivery begins", async () => {
  await start(sinkThat(async () => undefined));
  const noted = vi.spyOn(ledger.deliveries, "start").mockRejectedValue(new Error("The disk is full."));
  await sender.tell(await ended("a"), "done");
  await expect.poll(() => log.join("")).toContain("a delivery could not begin");
  for (let turn = 0; turn < 500; turn++) await new Promise((done) => setImmediate(done));
  expect(noted).toHaveBeenCalledTimes(1);
});

it("tries a delivery again that could not be judged", async () => {
  const sink = wholeSink(0, async () => undefined);
  await start(sink);
  const { list } = ledger.deliveries;
  vi.spyOn(ledger.deliveries, "list").mockImplementation(async (filter) => {
    if (filter.sink === undefined) return list(filter);
    throw new Error("The ledger is busy.");
  });
  await queue(sink, "a");
  await untilAll("retrying");
  expect((await all())[0]?.error).toBe("The processor failed, not who receives it; see its log.");
});
