import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Delivery } from "@cais/spec/api.ts";
import { ProcessorConfig } from "@cais/spec/bindings.ts";
import type { Sink as AskedSink } from "@cais/spec/sinks.ts";
import type { z } from "zod";
import { type Ledger, openLedger } from "../ledger/index.ts";
import { startMetrics } from "../metrics/index.ts";
import { configOf, salesStack, testFolder } from "../processor-for-tests.ts";
import { type OpenStack, openStack } from "../runs/stack.ts";
import { startTracing } from "../tracing/index.ts";
import { type KillPoint, killedAt } from "./child-for-tests.ts";
import { payloadKey, type Sink, turnOf } from "./index.ts";
import { startSender } from "./sender.ts";
import { write } from "./write.ts";

/** Who receives what a sink delivers, in a test. */
export interface Receiver {
  /** By their names. None of the values may be told. */
  secrets: Record<string, string>;
  /** How often the delivery's whole content came, as the receiver itself counts. */
  times(): Promise<number>;
  /** Whether what came is what was delivered: the run's, or these rows of the column `amount`. */
  holds(expected: { run: string; amounts: number[] }): Promise<void>;
  /** Takes nothing until `up`. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** Says from now on that it will never take it. */
  refuse?(): void | Promise<void>;
  close(): Promise<void>;
}

/** A kind of sink under test. */
export interface Subject {
  asked: z.input<typeof AskedSink>;
  /** Points of a crash after which the receiver gets the content twice. None: it cannot double, and must say so. */
  doublesAt: KillPoint[];
  /** Whether it saves how far it is. */
  saves: boolean;
  /** What it delivers: a whole table, what a run added to it, or that a run ended. */
  of: "table" | "run" | "event";
  /** A secret that it reads. */
  secret?: string;
  /** What a delivery's error must say where its receiver refuses it for good. */
  refused?: RegExp;
  /** `output` is the folder of the stack's output store. */
  receiver(output: string): Promise<Receiver>;
}

async function untilIn(ledger: Ledger, id: number, state: Delivery["state"]): Promise<Delivery> {
  await expect.poll(async () => (await ledger.deliveries.get(id))?.state, { timeout: 20_000 }).toBe(state);
  const delivery = await ledger.deliveries.get(id);
  if (delivery === undefined) throw new Error("unreachable");
  return delivery;
}

/** Holds a kind of sink to what every one must do. */
export function behavesAsSink({ asked, of, doublesAt, saves, secret, refused, receiver: open }: Subject): void {
  let folder: string;
  let receiver: Receiver;
  let config: ProcessorConfig;
  const closing: (() => Promise<void>)[] = [];
  const log: string[] = [];
  beforeEach(async () => {
    folder = await testFolder("sink");
    await mkdir(join(folder, "sales/output"), { recursive: true });
    receiver = await open(join(folder, "sales/output"));
    const { stack, sql } = salesStack();
    config = configOf({ stack: { ...stack, sinks: [asked] }, sql });
    const sales = config.stacks["sales"];
    for (const [name, value] of Object.entries(receiver.secrets)) {
      await writeFile(join(folder, name), value, { mode: 0o600 });
      if (sales !== undefined) sales.secrets[name] = { driver: "file", path: name };
    }
    config = ProcessorConfig.parse({ ...config, allowPrivate: ["127.0.0.0/8"] });
    await writeFile(join(folder, "config.json"), JSON.stringify(config));
    log.length = 0;
  });
  afterEach(async () => {
    await stop();
    await receiver.close();
    await rm(folder, { recursive: true });
  });

  async function stop(): Promise<void> {
    for (const close of closing.splice(0).toReversed()) await close();
  }

  /** The ledger and the stack, as a processor opens them. */
  async function start(): Promise<{ ledger: Ledger; stack: OpenStack; sink: Sink; send(): Promise<void> }> {
    const ledger = await openLedger({ driver: "sqlite", file: join(folder, "ledger.sqlite") });
    closing.push(() => ledger.close());
    const [open] = Object.values(config.stacks);
    if (open === undefined) throw new Error("unreachable");
    const stack = await openStack(open, folder, { allowPrivate: config.allowPrivate });
    const [sink] = stack.sinks;
    if (sink === undefined) throw new Error("unreachable");
    const metrics = startMetrics(() => ledger.depth());
    return {
      ledger,
      stack,
      sink,
      async send() {
        const sender = startSender({
          stacks: new Map([["sales", stack]]),
          ledger,
          metrics,
          folder: join(folder, "work"),
          tracing: await startTracing(undefined),
          log: pino({ level: "trace" }, { write: (line: string) => void log.push(line) }),
          random: () => 0,
        });
        closing.push(() => sender.stop());
        await sender.recover();
        sender.wake();
      },
    };
  }

  /** A run that is done, and what a sink is to have of it. */
  async function queue({ ledger, stack, sink }: Awaited<ReturnType<typeof start>>, amounts = [1.5, -2]) {
    const name = `${amounts.join("-")}.csv`;
    const file = { name, bytes: 1, sha256: name, key: name, version: "1", store: stack.input.id, stack: "sales" };
    const { run } = await ledger.claim(file);
    await ledger.next("tester", { busyStacks: [], leaseSeconds: 60 });
    let payload: Pick<Delivery, "payloadKey" | "rows" | "bytes"> = { payloadKey: null, rows: 0, bytes: 0 };
    if ("table" in sink.delivers) {
      const { writes } = sink.delivers;
      const instance = await DuckDBInstance.create();
      const connection = await instance.connect();
      const rows = amounts.map((amount) => `(DATE '2024-01-02', ${amount}::DOUBLE, '=1+1')`).join(", ");
      await connection.run(`CREATE VIEW sold AS SELECT * FROM (VALUES ${rows}) AS t(day, amount, note)`);
      const written = await write(connection, { table: "sold", file: join(folder, `${name}.${writes.as}`), writes });
      connection.closeSync();
      instance.closeSync();
      const key = payloadKey(run.id, 0, writes);
      await stack.lake.putFile(key, written.file);
      payload = { payloadKey: key, rows: written.rows, bytes: written.bytes };
    }
    await ledger.finish(run.id, { state: "done" });
    return {
      run: run.id,
      amounts,
      delivery: await ledger.deliveries.add(turnOf("sales", sink, { run: run.id, ...payload })),
    };
  }

  /** No secret is in what is kept or logged. */
  const tellsNoSecret = (...told: unknown[]) => {
    const text = JSON.stringify([told, log]);
    for (const value of Object.values(receiver.secrets)) expect(text).not.toContain(value);
  };

  it("says whether it can double", async () => {
    const { sink } = await start();
    expect("table" in sink.delivers ? sink.delivers.of : "event").toBe(of);
    expect(sink.canDouble === null).toBe(doublesAt.length === 0);
    expect(sink.id).toBe(`0-${sink.kind}-${sink.name}`);
  });

  it("is retried alone, without a new load", async () => {
    const started = await start();
    const { ledger, send } = started;
    const queued = await queue(started);
    await receiver.down();
    await send();
    const waiting = await untilIn(ledger, queued.delivery.id, "retrying");
    expect(waiting).toMatchObject({ attempts: 1, error: expect.stringMatching(/\S/), retryAt: expect.any(String) });
    expect(await receiver.times()).toBe(0);
    const before = await ledger.run(queued.run);
    await receiver.up();
    expect(await ledger.deliveries.again(queued.delivery.id)).toMatchObject({ state: "pending" });
    const delivered = await untilIn(ledger, queued.delivery.id, "delivered");
    expect(delivered).toMatchObject({ attempts: 1, error: null, payloadKey: null });
    await receiver.holds(queued);
    expect(await receiver.times()).toBe(1);
    const after = await ledger.run(queued.run);
    expect({ ...after, outputs: [], deliveries: [] }).toEqual({ ...before, outputs: [], deliveries: [] });
    expect(await ledger.runs({ limit: 10 })).toHaveLength(1);
    expect(await readdir(join(folder, "work")).catch(() => [])).toEqual([]);
    tellsNoSecret(waiting, delivered, after);
  });

  const points: KillPoint[] = [
    "after start",
    "before delivered",
    ...(saves ? (["before progress", "after progress"] as const) : []),
  ];
  it.each(points)("goes on where it was killed with SIGKILL, %s", async (point) => {
    const started = await start();
    const queued = await queue(started);
    await stop();
    expect(await killedAt(folder, point)).toBe("SIGKILL");
    const { ledger, send } = await start();
    expect(await ledger.deliveries.get(queued.delivery.id)).toMatchObject({ deliveredAt: null });
    await send();
    tellsNoSecret(await untilIn(ledger, queued.delivery.id, "delivered"));
    await receiver.holds(queued);
    expect(await receiver.times()).toBe(doublesAt.includes(point) ? 2 : 1);
  });

  // A case that does not apply to a kind is not there, so that none counts as skipped.
  it.each(of === "event" ? [] : [of])("says what to do where its payload (of a %s) is gone, and goes on", async () => {
    const started = await start();
    const { ledger, stack, send } = started;
    const lost = await queue(started, [7]);
    await stack.lake.delete(lost.delivery.payloadKey ?? "");
    await send();
    expect((await untilIn(ledger, lost.delivery.id, "failed")).error).toMatch(
      /^The lake lacks .*, which was to be delivered; restore it\. When that is mended, npx cais deliveries retry 1 tries it again\.$/,
    );
    const next = await queue(started);
    await untilIn(ledger, next.delivery.id, "delivered");
    await receiver.holds(next);
  });

  it.each(refused === undefined ? [] : [refused])("gives up what is refused for good, and says %s", async (told) => {
    const started = await start();
    const queued = await queue(started);
    await receiver.refuse?.();
    await started.send();
    const failed = await untilIn(started.ledger, queued.delivery.id, "failed");
    expect(failed.error).toMatch(told);
    expect(failed.error).toContain(`npx cais deliveries retry ${failed.id}`);
    tellsNoSecret(failed);
  });

  it.each(secret === undefined ? [] : [secret])("waits for the secret %s and says where it is to be", async (name) => {
    const started = await start();
    const queued = await queue(started);
    await rm(join(folder, name));
    await started.send();
    const waiting = await untilIn(started.ledger, queued.delivery.id, "retrying");
    expect(waiting).toMatchObject({
      attempts: 0,
      error: `The secret "${name}" cannot be read from ${join(folder, name)}: put it there, in a file that not everyone may read.`,
    });
  });

  it.each(of === "table" ? [of] : [])("delivers a newer whole %s instead of one that waits", async () => {
    const started = await start();
    const { ledger, send } = started;
    const first = await queue(started, [1]);
    const second = await queue(started, [1, 2]);
    expect((await ledger.deliveries.get(first.delivery.id))?.state).toBe("superseded");
    await send();
    await untilIn(ledger, second.delivery.id, "delivered");
    await receiver.holds(second);
  });
}
