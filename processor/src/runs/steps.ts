import type { Ledger, TakenRun } from "../ledger/index.ts";
import type { Metrics } from "../metrics/index.ts";
import type { RunTraces } from "./trace.ts";

/** The steps that runs show. */
export interface Steps {
  /**
   * Does a piece of work as a step of these runs. The ledger is told at once but not waited for, since it keeps the order
   * and many small steps would each wait for the disk. A step that fails stays open: it is where the run stopped.
   */
  step<T>(runs: TakenRun[], name: string, work: () => Promise<T>): Promise<T>;
  /** Waits until the ledger has all steps; throws what it threw. */
  flush(): Promise<void>;
}

export function recordSteps(ledger: Ledger, metrics: Metrics, traces: RunTraces): Steps {
  let failure: { error: unknown } | undefined;
  let told: Promise<void> = Promise.resolve();

  function tell(recorded: Promise<void>[]): void {
    const before = told;
    told = Promise.all([before, ...recorded]).then(
      () => undefined,
      (error: unknown) => {
        failure ??= { error };
      },
    );
  }

  return {
    async step(runs, name, work) {
      tell(runs.map(({ id }) => ledger.startStep(id, name)));
      const start = performance.now();
      try {
        const result = await traces.during(runs, name, work);
        tell(runs.map(({ id }) => ledger.finishStep(id, name)));
        return result;
      } finally {
        const seconds = (performance.now() - start) / 1000;
        if (runs[0] !== undefined) metrics.step(runs[0].stack, name, seconds);
      }
    },
    async flush() {
      await told;
      if (failure === undefined) return;
      const { error } = failure;
      failure = undefined;
      throw error;
    },
  };
}
