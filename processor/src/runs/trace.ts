import type { TakenRun } from "../ledger/index.ts";
import type { Metrics } from "../metrics/index.ts";
import type { Span, Tracing } from "../tracing/index.ts";

/** The spans of runs that are being done, each in the trace of the request that sent its file. */
export interface RunTraces {
  /** An attempt begins. */
  begin(run: TakenRun): void;
  /** It is over; `state` is what the run is now. */
  end(run: TakenRun, state: string): void;
  /** The processor stops; what is still being done is queued again. */
  stop(): void;
  /** Does work that is a part of these runs, and of each one's trace. */
  during<T>(runs: TakenRun[], name: string, work: () => Promise<T>): Promise<T>;
}

export function traceRuns(tracing: Tracing, metrics: Metrics): RunTraces {
  const spans = new Map<string, Span>();
  return {
    begin(run) {
      metrics.attempted(run);
      spans.set(
        run.id,
        tracing.start("run", run.traceparent ?? undefined, {
          "cais.stack": run.stack,
          "cais.run": run.id,
          "cais.run.kind": run.kind,
          "cais.attempt": run.attempts,
        }),
      );
    },
    end({ id }, state) {
      spans.get(id)?.end({ "cais.run.state": state }, state !== "done");
      spans.delete(id);
    },
    stop() {
      for (const span of spans.values()) span.end({ "cais.run.state": "queued" }, true);
      spans.clear();
    },
    async during(runs, name, work) {
      const parts = runs.map(({ id, stack }) =>
        tracing.start(name, spans.get(id)?.traceparent, { "cais.stack": stack, "cais.run": id }),
      );
      try {
        const result = await work();
        for (const part of parts) part.end();
        return result;
      } catch (error) {
        for (const part of parts) part.end({}, true);
        throw error;
      }
    },
  };
}
