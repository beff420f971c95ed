import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import type { Run } from "@cais/spec/api.ts";
import type { EngineLimits } from "../engine/duckdb.ts";
import { EngineFailed } from "../engine/index.ts";
import { keepEngines } from "../engine/warm.ts";
import type { Ledger } from "../ledger/index.ts";
import type { Metrics } from "../metrics/index.ts";
import { attempt, type Ended } from "./attempt.ts";
import { sweep } from "./sweep.ts";
import type { OpenStack } from "./stack.ts";

/** Runs of different stacks at a time. Those of one stack follow each other: a table has one committer. */
const AT_A_TIME = 2;

/** First and longest wait before a ledger that failed, as on a full disk, is tried again. It doubles in between. */
const RETRY_MS = { first: 1000, longest: 60_000 };

export interface RunnerOptions {
  stacks: ReadonlyMap<string, OpenStack>;
  ledger: Ledger;
  metrics: Metrics;
  log: Logger;
  /** Each run has a folder in here while it runs. */
  folder: string;
  limits: EngineLimits;
  /** Time for one attempt. */
  seconds: number;
}

/** Takes queued runs from the ledger, one after the other. */
export interface Runner {
  /** Looks whether there is something to do. Called after each claim. */
  wake(): void;
  /** Ends what is running and leaves it queued for the next start. */
  stop(): Promise<void>;
}

export function startRunner({ stacks, ledger, metrics, log, folder, limits, seconds }: RunnerOptions): Runner {
  const engines = keepEngines({ log: (line) => log.warn({ line }, "engine") });
  const running = new Map<string, Promise<void>>();
  const stopping = new AbortController();
  const { signal } = stopping;
  const stopped = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  let retry: NodeJS.Timeout | undefined;
  let wait = RETRY_MS.first;
  let asking: Promise<void> | undefined;
  let askAgain = false;

  function wake(): void {
    clearTimeout(retry);
    if (signal.aborted) return;
    askAgain = asking !== undefined;
    asking ??= ask().finally(() => {
      asking = undefined;
      if (askAgain) wake();
    });
  }

  /** Takes as many runs as may run now. Never rejects. */
  async function ask(): Promise<void> {
    try {
      while (running.size < AT_A_TIME) {
        const run = await ledger.next([...running.keys()]);
        wait = RETRY_MS.first;
        // One that is taken while the processor stops is queued again with the others.
        if (run === undefined || signal.aborted) return;
        const taken = take(run, log.child({ run: run.id, stack: run.stack }));
        running.set(
          run.stack,
          taken.finally(() => {
            running.delete(run.stack);
            wake();
          }),
        );
      }
    } catch (error) {
      log.error({ err: error, wait }, "the ledger gives no run; it is asked again");
      retry = setTimeout(wake, wait);
      wait = Math.min(wait * 2, RETRY_MS.longest);
    }
  }

  /** Never rejects. */
  async function take(run: Run, child: Logger): Promise<void> {
    const runFolder = join(folder, run.id);
    let ending: Ended | undefined;
    try {
      await rm(runFolder, { recursive: true, force: true });
      await mkdir(runFolder, { recursive: true, mode: 0o700 });
      ending = await work(run, runFolder);
    } catch (error) {
      if (!signal.aborted) child.error({ err: error }, "run broke off");
      if (error instanceof EngineFailed) ending = { state: "failed", fault: error.fault, error: error.message };
    }
    await finish(run, ending, child);
    try {
      await rm(runFolder, { recursive: true, force: true });
      // The next run of this stack starts after this, so no one is writing its lake.
      await sweep(ledger, stacks, ({ stack, role }) => !signal.aborted && stack === run.stack && role === "lake");
    } catch (error) {
      child.warn({ err: error }, "files that are no longer needed are left for the next sweep");
    }
  }

  /** Records a run's end, if need be later: until then it counts as running, and its stack waits. */
  async function finish(run: Run, ending: Ended | undefined, child: Logger): Promise<void> {
    // A run that was ended by the stop goes on at the next start.
    for (let wait = RETRY_MS.first; !signal.aborted; wait = Math.min(wait * 2, RETRY_MS.longest))
      try {
        const { fault, ...known } = ending ?? brokenOff(await ledger.isCommitted(run.id));
        const finished = await ledger.finish(run.id, known);
        metrics.finished(finished);
        // The error stays in the ledger: it may hold a cell of the file.
        child.info({ state: finished.state, rows: finished.rows, fault }, "run ended");
        return;
      } catch (error) {
        child.error({ err: error, wait }, "the run's end cannot be recorded; it is tried again");
        await Promise.race([pause(wait, undefined, { ref: false }), stopped]);
      }
  }

  async function work(run: Run, runFolder: string): Promise<Ended> {
    const stack = stacks.get(run.stack);
    if (stack === undefined)
      return { state: "failed", fault: "stack", error: `The stack "${run.stack}" is not deployed here any more.` };
    return engines.use(run.stack, { folder: runFolder, limits, seconds, signal }, (engine) =>
      attempt({
        run,
        stack,
        ledger,
        engine,
        folder: runFolder,
        async step(name, work) {
          await ledger.startStep(run.id, name);
          const start = performance.now();
          try {
            const result = await work();
            // One that fails stays open: it is where the run stopped.
            await ledger.finishStep(run.id, name);
            return result;
          } finally {
            metrics.step(run.stack, name, (performance.now() - start) / 1000);
          }
        },
      }),
    );
  }

  ledger.onQueued(wake);
  return {
    wake,
    async stop() {
      stopping.abort();
      clearTimeout(retry);
      await asking;
      await Promise.all(running.values());
      await engines.stop();
      try {
        await ledger.requeue(Number.POSITIVE_INFINITY);
      } catch (error) {
        log.error({ err: error }, "what ran is not queued again; the next start does it");
      }
    },
  };
}

const brokenOff = (committed: boolean): Ended => ({
  state: "failed",
  fault: "processor",
  error: `The processor failed, not the file; see its log${committed ? "" : ", then send the file again"}.`,
});
