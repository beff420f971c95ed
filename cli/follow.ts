import { setTimeout as wait } from "node:timers/promises";
import { Run } from "@cais/spec/api.ts";
import { requestJson, type Connection } from "./client.ts";
import { Interruption } from "./failure.ts";
import { formatState, formatStep, formatWaiting } from "./run-text.ts";

/** Follows a run to its end, telling each step as it finishes unless `json`. */
export async function follow(
  connection: Connection,
  id: string,
  { json }: { json?: true },
  signal: AbortSignal,
): Promise<Run> {
  let told = 0;
  let waiting: string | null = null;
  for (;;) {
    const run = await requestJson(connection, `/v1/runs/${encodeURIComponent(id)}`, Run, { signal });
    const finished = run.steps.filter((step) => step.finishedAt);
    // An attempt that broke off takes its steps with it.
    told = Math.min(told, finished.length);
    if (!json) for (const step of finished.slice(told)) process.stdout.write(`${formatStep(step)}\n`);
    told = finished.length;
    if (run.state !== "queued" && run.state !== "running") return run;
    if (!json && run.retryAt !== null && run.retryAt !== waiting) process.stdout.write(`${formatWaiting(run)}\n`);
    waiting = run.retryAt;
    if (!json && process.stderr.isTTY) process.stderr.write(`\r\u001B[2K  ${formatState(run.state)}…\r`);
    await wait(200, undefined, { signal });
  }
}

/** Does work that Ctrl-C ends, saying what goes on without it. */
export async function interruptible<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const interrupt = new AbortController();
  const onSignal = () => interrupt.abort();
  process.once("SIGINT", onSignal);
  try {
    return await work(interrupt.signal);
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    throw new Interruption("SIGINT", "what was acknowledged goes on; see npx cais runs", error);
  } finally {
    process.off("SIGINT", onSignal);
  }
}
