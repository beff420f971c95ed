import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import type { Run } from "@cais/spec/api.ts";
import type { EngineLimits } from "../engine/duckdb.ts";
import { type Engine, startEngine } from "../engine/index.ts";
import type { Ending, Ledger } from "../ledger/index.ts";
import type { Metrics } from "../metrics/index.ts";
import { attempt } from "./attempt.ts";
import { sweep } from "./sweep.ts";
import type { OpenStack } from "./stack.ts";

/** Runs of different stacks at a time. Those of one stack follow each other: a table has one committer. */
const AT_A_TIME = 2;

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
  const running = new Map<string, { engine: Engine | undefined; ended: Promise<void> }>();
  let stopping = false;

  function wake(): void {
    if (stopping) return;
    while (running.size < AT_A_TIME) {
      const run = ledger.next([...running.keys()]);
      if (run === undefined) return;
      const entry = { engine: undefined, ended: Promise.resolve() };
      running.set(run.stack, entry);
      entry.ended = take(run, entry).finally(() => {
        running.delete(run.stack);
        wake();
      });
    }
  }

  async function take(run: Run, entry: { engine: Engine | undefined }): Promise<void> {
    const runFolder = join(folder, run.id);
    const child = log.child({ run: run.id, stack: run.stack });
    let ending: Ending;
    try {
      await rm(runFolder, { recursive: true, force: true });
      await mkdir(runFolder, { recursive: true, mode: 0o700 });
      ending = await work(run, entry, runFolder, child);
    } catch (error) {
      child.error({ err: error }, "run broke off");
      const again = ledger.isCommitted(run.id) ? "" : ", then send the file again";
      ending = { state: "failed", error: `The processor failed, not the file; see its log${again}.` };
    }
    // A run that was ended by the stop goes on at the next start.
    if (!stopping) {
      const finished = ledger.finish(run.id, ending);
      metrics.finished(finished);
      child.info({ state: finished.state, rows: finished.rows, error: finished.error }, "run ended");
    }
    await rm(runFolder, { recursive: true, force: true });
    // The next run of this stack starts after this, so no one is writing its lake.
    await sweep(ledger, stacks, ({ stack, role }) => !stopping && stack === run.stack && role === "lake").catch(
      (error: unknown) => child.warn({ err: error }, "replaced files are left for the next sweep"),
    );
  }

  async function work(
    run: Run,
    entry: { engine: Engine | undefined },
    runFolder: string,
    child: Logger,
  ): Promise<Ending> {
    const stack = stacks.get(run.stack);
    if (stack === undefined)
      return { state: "failed", error: `The stack "${run.stack}" is not deployed here any more.` };
    const engine = await startEngine({
      folder: runFolder,
      limits,
      seconds,
      log: (line) => child.warn({ line }, "engine"),
    });
    entry.engine = engine;
    try {
      if (stopping) return { state: "failed" };
      return await attempt({
        run,
        stack,
        ledger,
        engine,
        folder: runFolder,
        async step(name, work) {
          ledger.startStep(run.id, name);
          const start = performance.now();
          try {
            return await work();
          } finally {
            ledger.finishStep(run.id, name);
            metrics.step(run.stack, name, (performance.now() - start) / 1000);
          }
        },
      });
    } finally {
      await engine.stop();
    }
  }

  ledger.onQueued(wake);
  return {
    wake,
    async stop() {
      stopping = true;
      await Promise.all([...running.values()].map(({ engine }) => engine?.stop()));
      await Promise.all([...running.values()].map(({ ended }) => ended));
      ledger.requeue(Number.POSITIVE_INFINITY);
    },
  };
}
