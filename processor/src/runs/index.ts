import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";
import { RunEnding } from "@cais/spec/sinks.ts";
import type { Logger } from "pino";
import type { EngineLimits } from "../engine/duckdb.ts";
import { type Engines, keepEngines } from "../engine/warm.ts";
import type { Ledger, TakenRun } from "../ledger/index.ts";
import type { Lineage } from "../lineage/index.ts";
import { printed } from "../log/index.ts";
import type { Metrics } from "../metrics/index.ts";
import type { Sender } from "../sinks/sender.ts";
import type { Publisher } from "../tables/publisher.ts";
import { type Tracing, traceIdOf } from "../tracing/index.ts";
import { doRuns } from "./batch.ts";
import { backoffMs, type Ended, judge, type Outcome, type RetryOptions, usualRetry } from "./faults.ts";
import { recordSteps } from "./steps.ts";
import { sweepIfPossible } from "./sweep.ts";
import type { OpenStack } from "./stack.ts";
import { startUpkeep, type Upkeep } from "./upkeep.ts";
import { traceRuns } from "./trace.ts";

/** Stacks that are worked on at a time. Runs of one stack follow each other: a table has one committer. */
const AT_A_TIME = 2;

/** Most small runs that are done together, and bytes of their files. */
const BATCH = { runs: 100, bytes: 16e6 };

/** The processor's name as a worker. The ledger is its alone, so what it held before a crash is its own. */
const WORKER = "processor";
const LEASE_SECONDS = 60;
/** Default time between two renewals of the leases, in milliseconds. */
const RENEW_MS = 20_000;

/** First and longest wait before a ledger that failed, as on a full disk, is tried again. It doubles in between. */
const LEDGER_MS = { first: 1000, longest: 60_000 };

export interface RunnerOptions {
  stacks: ReadonlyMap<string, OpenStack>;
  ledger: Ledger;
  metrics: Metrics;
  tracing: Tracing;
  /** Told of runs. Default: nobody is. */
  lineage?: Pick<Lineage, "began" | "ended">;
  sender: Pick<Sender, "offer" | "tell">;
  publisher: Pick<Publisher, "follow" | "check" | "wake" | "flush" | "alone">;
  log: Logger;
  /** Each run has a folder in here while it runs. */
  folder: string;
  limits: EngineLimits;
  /** Time for one attempt at a run. */
  seconds: number;
  retry?: Partial<RetryOptions>;
  renewMs?: number;
  /** Whoever gives them stops them. Default: its own. */
  engines?: Engines;
}

/** Takes queued runs from the ledger, those of a stack one after the other. */
export interface Runner {
  /** Queues again what a processor that was killed had in work. */
  recover(): Promise<void>;
  /** Whether SQL engines can be started, as far as is known. */
  canStart(): boolean;
  /** Looks whether there is something to do. Called after each claim. */
  wake(): void;
  /** What is done with tables between the runs of their stack. */
  upkeep: Upkeep;
  /** Ends what is running and leaves it queued for the next start. */
  stop(): Promise<void>;
}

/** Runs of one stack that are being done. */
interface Taken {
  ids: Set<string>;
  abort: AbortController;
  done: Promise<void>;
}

export function startRunner(options: RunnerOptions): Runner {
  const { stacks, ledger, metrics, tracing, lineage, sender, publisher, log, folder, limits, seconds } = options;
  const retry = { ...usualRetry, ...options.retry };
  const own = keepEngines({
    log: (line) => log.warn({ line: printed(line) }, "engine"),
    onEvent: metrics.engine,
  });
  const engines = options.engines ?? own;
  const traces = traceRuns(tracing, metrics);
  const working = new Map<string, Taken>();
  /** How often a run has waited for its environment, which is no attempt at it. */
  const waits = new Map<string, number>();
  const stopping = new AbortController();
  const stopped = new Promise<void>((resolve) => stopping.signal.addEventListener("abort", () => resolve()));
  let timer: NodeJS.Timeout | undefined;
  let wait = LEDGER_MS.first;
  let asking: Promise<void> | undefined;
  let askAgain = false;

  function wake(): void {
    clearTimeout(timer);
    if (stopping.signal.aborted) return;
    askAgain = asking !== undefined;
    asking ??= ask().finally(() => {
      asking = undefined;
      if (askAgain) wake();
    });
  }

  /** Takes as many runs as may run now. Never rejects. */
  async function ask(): Promise<void> {
    try {
      while (working.size < AT_A_TIME) {
        const busyStacks = [...working.keys()];
        const runs = await ledger.next(WORKER, { busyStacks, leaseSeconds: LEASE_SECONDS, batch: BATCH });
        wait = LEDGER_MS.first;
        if (stopping.signal.aborted) return await ledger.putBack(runs.map(({ id }) => id));
        const [first] = runs;
        if (first === undefined) return await sleepUntil(await ledger.nextAt());
        // Its tables began to be looked after while the ledger was asked.
        if (working.has(first.stack)) await ledger.putBack(runs.map(({ id }) => id));
        else start(first.stack, runs);
      }
    } catch (error) {
      log.error({ err: error, wait }, "the ledger gives no run; it is asked again");
      sleep(wait);
      wait = Math.min(wait * 2, LEDGER_MS.longest);
    }
  }

  function sleep(ms: number): void {
    clearTimeout(timer);
    if (!stopping.signal.aborted) timer = setTimeout(wake, ms);
  }

  async function sleepUntil(at: Date | undefined): Promise<void> {
    // The clock may be set, so a far moment is looked at again.
    if (at !== undefined) sleep(Math.min(Math.max(at.getTime() - Date.now(), 1), LEDGER_MS.longest));
  }

  function start(stack: string, runs: TakenRun[]): void {
    const abort = new AbortController();
    const ids = new Set(runs.map(({ id }) => id));
    const done = work(stack, runs, ids, AbortSignal.any([abort.signal, stopping.signal])).finally(() => {
      working.delete(stack);
      wake();
    });
    working.set(stack, { ids, abort, done });
  }

  async function alone<T>(stack: string, inside: (signal: AbortSignal) => Promise<T>): Promise<T> {
    for (let taken = working.get(stack); taken !== undefined; taken = working.get(stack)) await taken.done;
    if (stopping.signal.aborted) throw new Error("The processor is stopping; ask again when it has started.");
    const { promise: done, resolve } = Promise.withResolvers<void>();
    working.set(stack, { ids: new Set(), abort: new AbortController(), done });
    try {
      return await inside(stopping.signal);
    } finally {
      working.delete(stack);
      resolve();
      wake();
    }
  }

  /** Never rejects. */
  async function work(name: string, runs: TakenRun[], ids: Set<string>, signal: AbortSignal): Promise<void> {
    for (const run of runs) {
      traces.begin(run);
      lineage?.began(run);
    }
    const settle = (run: TakenRun, outcome: Outcome) => record(run, outcome, ids, signal);
    const fresh: TakenRun[] = [];
    for (const run of runs)
      if (run.attempts <= retry.attempts) fresh.push(run);
      else await settle(run, { ended: broken(run, "The processor itself ended while it was done.", retry.attempts) });
    try {
      const stack = stacks.get(name);
      if (stack === undefined) {
        const error = `The stack "${name}" is not deployed here any more.`;
        for (const run of fresh) await settle(run, { ended: { state: "failed", fault: "stack", error } });
      } else {
        const steps = recordSteps(ledger, metrics, traces);
        const outside = { ledger, engines, steps, metrics, sender, publisher };
        await doRuns({ stack, ...outside, folder, limits, seconds, signal, settle }, fresh);
      }
    } catch (error) {
      log.error({ err: error, stack: name }, "runs broke off");
      for (const run of fresh) if (ids.has(run.id)) await settle(run, judge(error));
    }
    const deployed = stacks.get(name);
    if (deployed === undefined) return;
    await afterRuns(deployed, signal);
    if (!signal.aborted) await sweepIfPossible(ledger, publisher, deployed, log);
  }

  /** Records what became of a run, if need be later: until then it counts as running, and its stack waits. */
  async function record(run: TakenRun, outcome: Outcome, ids: Set<string>, signal: AbortSignal): Promise<void> {
    const trace = traceIdOf(run.traceparent ?? undefined);
    const child = log.child({ run: run.id, stack: run.stack, ...(trace !== undefined && { trace }) });
    for (let wait = LEDGER_MS.first; !signal.aborted; wait = Math.min(wait * 2, LEDGER_MS.longest))
      try {
        if ("ended" in outcome) await end(run, outcome.ended, child);
        else await again(run, outcome.brokenOff, child);
        ids.delete(run.id);
        return;
      } catch (error) {
        child.error({ err: error, wait }, "what became of the run cannot be recorded; it is tried again");
        await Promise.race([pause(wait, undefined, { ref: false }), stopped]);
      }
  }

  async function end(run: TakenRun, { fault, ...known }: Ended, child: Logger): Promise<void> {
    // What is to be told is queued first, so that no crash loses it; together, so that one wait for the disk serves both.
    const [, finished] = await Promise.all([sender.tell(run, known.state), ledger.finish(run.id, known)]);
    // A table's log may have refused what it brought, so that it ended otherwise.
    const { data: ending = known.state } = RunEnding.safeParse(finished.state);
    if (ending !== known.state) {
      await sender.tell(run, ending);
      await ledger.publications.told(run.id);
    }
    waits.delete(run.id);
    metrics.finished(finished);
    traces.end(run, finished.state);
    lineage?.ended(finished);
    // The error stays in the ledger: it may hold a cell of the file.
    child.info({ state: finished.state, rows: finished.rows, fault }, "run ended");
  }

  async function again(
    run: TakenRun,
    { fault, error }: Extract<Outcome, { brokenOff: unknown }>["brokenOff"],
    child: Logger,
  ) {
    if (fault === "attempt" && run.attempts >= retry.attempts)
      return end(run, broken({ ...run, committed: await ledger.isCommitted(run.id) }, error, run.attempts), child);
    const nth = fault === "attempt" ? run.attempts : (waits.get(run.id) ?? 0) + 1;
    if (fault === "environment") waits.set(run.id, nth);
    const ms = backoffMs(retry, nth);
    await ledger.retry(run.id, { at: new Date(Date.now() + ms), error, counts: fault === "attempt" });
    metrics.retried(run);
    traces.end(run, "queued");
    child.warn({ fault, attempt: run.attempts, ms }, "run broke off; it is tried again");
  }

  async function renew(): Promise<void> {
    try {
      const before = [...working.values()];
      const held = new Set(await ledger.renew(WORKER, LEASE_SECONDS));
      // Whoever ended a run in the same transaction hears of it in this turn, too.
      await nextTurn();
      for (const { ids, abort, done } of before)
        if ([...ids].some((id) => !held.has(id))) {
          log.error({ runs: [...ids] }, "another worker has some of these runs now; the work on all of them stops");
          abort.abort();
          await done;
          await ledger.putBack([...ids].filter((id) => held.has(id)));
        }
    } catch (error) {
      log.error({ err: error }, "the leases cannot be renewed; it is tried again");
    }
  }

  const { afterRuns, upkeep } = startUpkeep({ ...options, engines, alone });
  const renewing = setInterval(() => void renew(), options.renewMs ?? RENEW_MS);
  renewing.unref();
  ledger.onQueued(wake);
  return {
    recover: () => ledger.releaseAll(WORKER),
    canStart: engines.canStart,
    wake,
    upkeep,
    async stop() {
      stopping.abort();
      clearTimeout(timer);
      clearInterval(renewing);
      await asking;
      const cutOff = [...working.values()];
      await Promise.all(cutOff.map(({ done }) => done));
      await own.stop();
      traces.stop();
      try {
        // No fault of theirs, however often a processor is restarted.
        await ledger.putBack(cutOff.flatMap(({ ids }) => [...ids]));
        await ledger.releaseAll(WORKER);
      } catch (error) {
        log.error({ err: error }, "what ran is not queued again; the next start does it");
      }
    },
  };
}

/** The end of a run whose attempts all broke off: the file is kept, and can be replayed. */
const broken = ({ committed }: Pick<TakenRun, "committed">, error: string, attempts: number): Ended => ({
  // What is committed lacks its delivery alone.
  state: committed ? "failed" : "quarantined",
  fault: "attempts",
  error: committed
    ? `It broke off ${attempts} times; the last time: ${error}`
    : `It broke off ${attempts} times; the last time: ${error} Replay it when that is mended.`,
});
