import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import type { Delivery } from "@cais/spec/api.ts";
import type { RunEnding } from "@cais/spec/sinks.ts";
import type { Ledger } from "../ledger/index.ts";
import type { Metrics } from "../metrics/index.ts";
import type { OpenStack } from "../runs/stack.ts";
import type { Tracing } from "../tracing/index.ts";
import { DeliveryDelayed, DeliveryRefused, isWhole, payloadKey, type Sink, sinkOf, turnOf } from "./index.ts";
import { bring } from "./payload.ts";
import { openTurn, OUR_FAULT, toldOf, withoutSecrets } from "./turn.ts";
import type { Written } from "./writes.ts";

/** Deliveries that are made at a time, each of another sink. */
const AT_A_TIME = 4;

/** Longest wait before the ledger is looked at again: its clock may be set, and it may have failed. */
const LOOK_MS = 60_000;

/** Wait after an attempt that could not even begin or be judged, as where the ledger's disk is full. */
const BROKE_OFF_MS = 5000;

export interface SenderOptions {
  stacks: ReadonlyMap<string, OpenStack>;
  ledger: Pick<Ledger, "deliveries" | "loose" | "run" | "addOutput">;
  metrics: Metrics;
  tracing: Tracing;
  log: Logger;
  /** Payloads are here while they are delivered. */
  folder: string;
  /** Time for one attempt. Default: an hour. */
  seconds?: number;
  /** A number from 0 to 1. */
  random?: () => number;
}

/** What runs give a sink. */
export interface Offered {
  stack: OpenStack;
  sink: Sink;
  /** Ids of the runs, in their order. */
  runs: readonly [string, ...string[]];
  written: Written;
  signal: AbortSignal;
}

/** Delivers what the ledger has queued, one by one to each sink, again and again until it is delivered or given up. */
export interface Sender {
  /** Queues again what a processor that was killed had in work. */
  recover(): Promise<void>;
  /** Looks whether there is something to deliver. Called after each delivery that is added. */
  wake(): void;
  /**
   * Takes what these runs of a stack committed together and a sink is to have: delivers it at once if the sink is direct, as
   * soon as it is free, and tells each run; else, or if that fails, puts it into the lake and queues it as the last run's.
   * Again, it changes nothing. Throws if it can neither be delivered nor kept.
   */
  offer(offered: Offered): Promise<"delivered" | "queued">;
  /** Queues that a run ends so for the sinks that are told of that. They are as soon as the ledger says that it has ended. */
  tell(run: { id: string; stack: string }, ending: RunEnding): Promise<void>;
  /** Ends what is being delivered and leaves it queued for the next start. */
  stop(): Promise<void>;
}

export function startSender(options: SenderOptions): Sender {
  const { stacks, ledger, metrics, tracing, log, folder, seconds = 3600, random = Math.random } = options;
  const { deliveries } = ledger;
  /** By stack and sink: who delivers to it now. */
  const turns = new Map<string, Promise<void>>();
  const working = new Set<Promise<void>>();
  const stopping = new AbortController();
  const stopped = new Promise<void>((resolve) => stopping.signal.addEventListener("abort", () => resolve()));
  let timer: NodeJS.Timeout | undefined;
  let asking: Promise<void> | undefined;
  let askAgain = false;

  async function inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    for (let other = turns.get(name); other !== undefined; other = turns.get(name)) await other;
    const { promise, resolve } = Promise.withResolvers<void>();
    turns.set(name, promise);
    try {
      return await work();
    } finally {
      turns.delete(name);
      resolve();
    }
  }

  function wake(): void {
    clearTimeout(timer);
    if (stopping.signal.aborted) return;
    askAgain = asking !== undefined;
    asking ??= ask().finally(() => {
      asking = undefined;
      if (askAgain) wake();
    });
  }

  /** Starts as many deliveries as may be made now. Never rejects. */
  async function ask(): Promise<void> {
    let wait = LOOK_MS;
    try {
      const due = await deliveries.due(AT_A_TIME + turns.size);
      for (const delivery of due) {
        if (working.size >= AT_A_TIME || stopping.signal.aborted) break;
        // A sink that has another place now is still one sink.
        const sink = sinkOf(stacks.get(delivery.stack)?.sinks ?? [], delivery);
        const name = nameOf(delivery.stack, sink?.id ?? delivery.sink);
        if (turns.has(name)) continue;
        const work = inTurn(name, () => attempt(delivery)).finally(() => {
          working.delete(work);
          wake();
        });
        working.add(work);
      }
      const at = await deliveries.nextAt();
      if (at !== undefined) wait = Math.min(Math.max(at.getTime() - Date.now(), 1), LOOK_MS);
    } catch (error) {
      log.error({ err: error }, "the ledger gives no delivery; it is asked again");
    }
    clearTimeout(timer);
    if (!stopping.signal.aborted) timer = setTimeout(wake, wait);
  }

  /** Never rejects. What cannot be recorded because of a stop is delivering still at the next start, which tries it again. */
  async function attempt({ id, stack, sink, run }: Delivery): Promise<void> {
    try {
      const { delivery, progress, ending } = await deliveries.start(id);
      const attributes = { "cais.stack": stack, "cais.run": run, "cais.attempt": delivery.attempts };
      const span = tracing.start(`delivery ${delivery.kind}`, undefined, attributes);
      const record = await settle(delivery, progress, ending).catch((error: unknown) => brokeOff(delivery, error));
      const { state } = await until(record, { delivery: id, stack, sink });
      span.end({}, state !== "delivered" && state !== "superseded");
    } catch (error) {
      if (stopping.signal.aborted) return;
      log.error({ err: error, delivery: id, stack, sink }, "a delivery could not begin");
      await Promise.race([pause(BROKE_OFF_MS, undefined, { ref: false }), stopped]);
    }
  }

  /** What records that a delivery is to be tried again though it could not be judged: else its sink would wait for a restart. */
  function brokeOff({ id, stack, sink }: Delivery, error: unknown): () => Promise<Delivery> {
    stopping.signal.throwIfAborted();
    log.error({ err: error, delivery: id, stack, sink }, "a delivery broke off");
    return async () => deliveries.retry(id, { at: new Date(Date.now() + LOOK_MS), error: OUR_FAULT });
  }

  /** Records what became of a delivery, if need be later: until then its sink waits. */
  async function until(record: () => Promise<Delivery>, about: object): Promise<Delivery> {
    for (let wait = 1000; ; wait = Math.min(wait * 2, LOOK_MS))
      try {
        return await record();
      } catch (error) {
        if (stopping.signal.aborted) throw error;
        log.error({ err: error, wait, ...about }, "what became of a delivery cannot be recorded; it is tried again");
        await pause(wait, undefined, { signal: stopping.signal });
      }
  }

  /** Delivers; gives what records what became of it. */
  async function settle(
    delivery: Delivery,
    progress: unknown,
    ending: RunEnding | undefined,
  ): Promise<() => Promise<Delivery>> {
    const { id, stack: name, sink: sinkId, run, attempts } = delivery;
    const child = log.child({ delivery: id, stack: name, sink: sinkId, run });
    const giveUp = (error: string) => async () => {
      const failed = await deliveries.failed(id, error);
      metrics.deliveryFailed(failed);
      child.error({ attempts }, "a delivery is given up");
      return failed;
    };
    const stack = stacks.get(name);
    const sink = stack && sinkOf(stack.sinks, delivery);
    if (stack === undefined || sink === undefined) {
      const gone =
        stack === undefined ? `The stack "${name}" is not deployed here` : "The stack does not have this sink";
      return giveUp(`${gone} any more; once it is back, npx cais deliveries retry ${id} delivers it.`);
    }
    const isRecorded = delivery.payloadKey === null && "table" in sink.delivers;
    // A crash cut off a run that had delivered it already.
    if (isRecorded) return () => deliveries.delivered(id);
    // Added while this one was delivered, or in another place of the stack: to deliver this one now would undo it.
    const isOutdone = async () =>
      isWhole(sink) && (await deliveries.list({ stack: name, sink: sink.id, limit: 1 })).some((last) => last.id > id);
    if (await isOutdone()) return () => deliveries.superseded(id);
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(seconds * 1000)]);
    const turn = openTurn(stack, { ...delivery, ending }, signal, { id, progress, ledger: deliveries });
    const work = join(folder, String(id));
    try {
      const payload = await bring({ stack, sink, delivery, told: ending, ledger, folder: work });
      if (payload === undefined) return () => deliveries.superseded(id);
      const { location } = await sink.deliver(payload, turn);
      return async () => {
        const { kind, rows, bytes } = delivery;
        await ledger.addOutput(run, { kind, name: delivery.name, location, rows, bytes });
        const done = await deliveries.delivered(id);
        metrics.delivered(done);
        child.info({ attempts }, "delivered");
        return done;
      };
    } catch (error) {
      stopping.signal.throwIfAborted();
      if (await isOutdone()) return () => deliveries.superseded(id);
      const later = (waitSeconds: number, told: string, counts: boolean) => async () => {
        const at = new Date(Date.now() + waitSeconds * 1000);
        return deliveries.retry(id, { at, error: told, counts });
      };
      const told = signal.aborted ? `It took longer than ${seconds} seconds and was ended.` : toldOf(error, turn);
      if (error instanceof DeliveryDelayed && !error.counts) return later(Math.max(error.afterSeconds, 1), told, false);
      child.warn({ err: withoutSecrets(error, turn), attempts }, "not delivered");
      const next = `When that is mended, npx cais deliveries retry ${id} tries it again.`;
      if (error instanceof DeliveryRefused) return giveUp(`${told} ${next}`);
      const wait = sink.retrySeconds[attempts - 1];
      if (wait === undefined) return giveUp(`It failed ${attempts} times; the last time: ${told} ${next}`);
      metrics.deliveryRetried(delivery);
      const asked = error instanceof DeliveryDelayed ? error.afterSeconds : 0;
      // Up to a fifth more, so that what failed together does not come back together.
      return later(Math.max(wait * (1 + random() / 5), asked), told, true);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }

  async function offer(offered: Offered): Promise<"delivered" | "queued"> {
    const { stack, sink, runs, written, signal } = offered;
    const run = runs.at(-1) ?? runs[0];
    const { name } = stack.config.stack;
    const [known] = await deliveries.list({ run, sink: sink.id, limit: 1 });
    if (known !== undefined) return ["delivered", "superseded"].includes(known.state) ? "delivered" : "queued";
    if (sink.direct && (await direct(offered, run))) return "delivered";
    signal.throwIfAborted();
    if (!("table" in sink.delivers)) throw new Error("A sink that is told of runs takes no rows.");
    const key = payloadKey(run, stack.sinks.indexOf(sink), sink.delivers.writes);
    await ledger.loose.note({ stack: name, role: "lake", key });
    await stack.lake.putFile(key, written.file);
    const { rows, bytes } = written;
    await deliveries.add(turnOf(name, sink, { run, payloadKey: key, rows, bytes }));
    return "queued";
  }

  /** Whether a run's own try at a sink did it. */
  async function direct({ stack, sink, runs, written, signal }: Offered, run: string): Promise<boolean> {
    const { name } = stack.config.stack;
    return inTurn(nameOf(name, sink.id), async () => {
      const turn = openTurn(stack, { run, sink: sink.id }, signal);
      let location: string;
      try {
        ({ location } = await sink.deliver(written, turn));
      } catch (error) {
        log.warn(
          { err: withoutSecrets(error, turn), run, stack: name, sink: sink.id },
          "not delivered in the run; it is queued",
        );
        return false;
      }
      const { rows, bytes } = written;
      const output = { kind: sink.kind, name: sink.name, location, rows, bytes };
      const add = deliveries.add(turnOf(name, sink, { run, payloadKey: null, rows, bytes }));
      const [added] = await Promise.all([add, ...runs.map((id) => ledger.addOutput(id, output))]);
      await deliveries.start(added.id);
      metrics.delivered(await deliveries.delivered(added.id));
      return true;
    });
  }

  deliveries.onAdded(wake);
  return {
    recover: () => deliveries.releaseAll(),
    wake,
    offer,
    async tell({ id, stack }, ending) {
      const told = (stacks.get(stack)?.sinks ?? []).filter(
        ({ delivers }) => "endings" in delivers && delivers.endings.includes(ending),
      );
      const nothing = { payloadKey: null, rows: 0, bytes: 0, ending };
      await Promise.all(told.map((sink) => deliveries.add(turnOf(stack, sink, { run: id, ...nothing }))));
    },
    async stop() {
      stopping.abort();
      clearTimeout(timer);
      await asking;
      await Promise.all(working);
      await deliveries.releaseAll();
    },
  };
}

/** One sink among those of all stacks. */
const nameOf = (stack: string, sink: string) => `${stack}\0${sink}`;
