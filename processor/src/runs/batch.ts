import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Table } from "@cais/spec/stack.ts";
import type { EngineLimits } from "../engine/duckdb.ts";
import type { Engine } from "../engine/index.ts";
import type { Engines } from "../engine/warm.ts";
import type { Ledger, TableChange, TakenRun } from "../ledger/index.ts";
import type { Metrics } from "../metrics/index.ts";
import type { Sender } from "../sinks/sender.ts";
import type { Publisher } from "../tables/publisher.ts";
import { moveSource } from "./after.ts";
import { countRows, type MadeRun, makeRun, type Session } from "./attempt.ts";
import { type Draft, putDraft } from "./draft.ts";
import { draftOf } from "./drafts.ts";
import { judge, type Outcome } from "./faults.ts";
import { planOf } from "./plan.ts";
import { presentTables } from "./present.ts";
import { deliver } from "./sinks.ts";
import type { OpenStack } from "./stack.ts";
import type { Steps } from "./steps.ts";

/** Bytes of files below which a second thread costs more than it gives. */
const SMALL_BYTES = 1e6;

/** What runs of one stack are done with. */
export interface Batch {
  stack: OpenStack;
  ledger: Ledger;
  engines: Engines;
  steps: Steps;
  metrics: Metrics;
  sender: Pick<Sender, "offer">;
  publisher: Pick<Publisher, "follow" | "wake" | "flush">;
  /** A folder for work in progress. */
  folder: string;
  limits: EngineLimits;
  /** Time for one run. */
  seconds: number;
  /** Ends the work; nothing of it is recorded then. */
  signal: AbortSignal;
  /** Records what became of a run. */
  settle(run: TakenRun, outcome: Outcome): Promise<void>;
}

/**
 * Takes runs of one stack from where they stand to their end: each is read and brought into its own tables, then the
 * tables that all of them share, one commit and the sinks are done once. Up to the commit nothing of them can be seen, and
 * an attempt starts anew; after it, only the sinks are delivered (again), which changes nothing if they were. A run that
 * fails drops out. If the engine ends, the run that it was doing is what did it, and the others are done without that one.
 */
export async function doRuns(batch: Batch, runs: TakenRun[]): Promise<void> {
  let left = runs;
  while (left.length > 0 && !batch.signal.aborted) left = await doTogether(batch, left);
}

/** Gives back the runs that are to be done again. */
async function doTogether(batch: Batch, runs: TakenRun[]): Promise<TakenRun[]> {
  const [first] = runs;
  if (first === undefined) return [];
  const folder = join(batch.folder, first.id);
  const bytes = runs.reduce((sum, { file }) => sum + file.bytes, 0);
  const limits = { ...batch.limits, threads: bytes < SMALL_BYTES ? 1 : batch.limits.threads };
  const progress: Progress = { left: new Set(runs), later: [], doing: runs, committed: first.committed };
  try {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await batch.engines.use(first.stack, { folder, limits, seconds: batch.seconds, signal: batch.signal }, (engine) =>
      inSession(batch, engine, folder, runs, progress),
    );
    return progress.later;
  } catch (error) {
    if (batch.signal.aborted) return [];
    return [...(await afterFailure(batch, error, progress)), ...progress.later];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Where the work on a batch stands. */
interface Progress {
  /** Runs of which nothing is settled. */
  left: Set<TakenRun>;
  /** Runs that are not begun. */
  later: TakenRun[];
  /** The runs that the work in progress is about. */
  doing: TakenRun[];
  committed: boolean;
}

async function afterFailure(batch: Batch, error: unknown, { left, doing, committed }: Progress): Promise<TakenRun[]> {
  const outcome = judge(error);
  const isEnvironment = "brokenOff" in outcome && outcome.brokenOff.fault === "environment";
  if (left.size === 1 || committed || isEnvironment) {
    for (const run of left) await batch.settle(run, outcome);
    return [];
  }
  if (doing.length === 1) {
    for (const run of doing) {
      await batch.settle(run, outcome);
      left.delete(run);
    }
    return [...left];
  }
  // What all of them did together is done by each alone, which shows whose fault it is.
  for (const run of left) for (let again = [run]; again.length > 0;) again = await doTogether(batch, again);
  return [];
}

async function inSession(
  batch: Batch,
  engine: Engine,
  folder: string,
  runs: TakenRun[],
  progress: Progress,
): Promise<void> {
  const { stack, ledger, steps } = batch;
  const { name, tables: asked } = stack.config.stack;
  // What other programs wrote to the tables counts from here on.
  await batch.publisher.follow(
    name,
    asked.map((table) => table.name),
  );
  const plan = await planOf(stack, engine);
  // Runs that need each other's tables go one by one.
  const isOneByOne = plan.shared.length === 0 && plan.perRun.some(({ disposition }) => disposition === "replace");
  const together = isOneByOne ? runs.slice(0, 1) : runs;
  progress.later = isOneByOne ? runs.slice(1) : [];
  for (const run of progress.later) progress.left.delete(run);
  const tables = presentTables(ledger, stack, folder);
  let count = 0;
  const made: MadeRun[] = [];
  const again = new Set(together.filter(({ kind }) => kind === "rerun").map(({ fileRoot }) => fileRoot));
  const own = { tables, again, made, drafts: new Map(), seen: new Map(), count: () => count++ };
  const session: Session = { stack, plan, ledger, engine, folder, step: steps.step, ...own };
  for (const run of together) {
    if (run.committed) continue;
    progress.doing = [run];
    try {
      await makeRun(session, run);
    } catch (error) {
      const outcome = judge(error);
      if (!("ended" in outcome)) throw error;
      await steps.flush();
      await batch.settle(run, outcome);
      progress.left.delete(run);
    }
  }
  progress.doing = together.filter((run) => progress.left.has(run));
  if (progress.doing.length > 0) {
    if (made.length > 0) {
      const files = await commit(session, steps);
      batch.publisher.wake(name, files);
      batch.metrics.batch(name, made.length);
    }
    progress.committed = true;
    await deliver(session, progress.doing, batch);
    // What a table's log refuses can be done again while the file is there.
    if (stack.config.stack.source.upload.after === "delete") await batch.publisher.flush(name);
    for (const run of progress.doing) await moveSource(session, run);
    await steps.flush();
    const settled = async (run: TakenRun) => {
      await batch.settle(run, { ended: { state: "done" } });
      progress.left.delete(run);
    };
    // All at once, so that one wait for the disk serves them all.
    await Promise.all(progress.doing.map(settled));
  }
}

const isMerged = ({ disposition }: Table) => disposition === "merge";

/** Makes what all runs share, and makes all of their tables count; gives how many files that added. */
async function commit(session: Session, steps: Steps): Promise<number> {
  const { plan, engine, ledger, tables, made, seen } = session;
  const { config } = session.stack;
  const runs = made.map(({ run }) => run);
  if (plan.shared.length > 0 || plan.perRun.some(isMerged)) {
    await engine.begin();
    seen.clear();
  }
  const drafts: { table: Table; draft: Draft }[] = [];
  for (const table of config.stack.tables) {
    const work = () => draftOf(session, table);
    const isShared = plan.shared.some(({ name }) => name === table.name);
    const step = isMerged(table) ? `merge/${table.name}` : isShared ? `tables/${table.name}` : undefined;
    const draft = step === undefined ? await work() : await session.step(runs, step, work);
    if (draft !== undefined) drafts.push({ table, draft });
  }
  await session.step(runs, "commit", async () => {
    const changes: TableChange[] = [];
    for (const { table, draft } of drafts) changes.push(await putDraft(session, table, draft));
    await Promise.all(made.map((run) => countRows(session, run)));
    // Of what is delivered whole, the files of before, which the ledger tells only now.
    for (const { delivers } of session.stack.sinks) if ("table" in delivers) await tables.state(delivers.table);
    await steps.flush();
    const openOnly = made.flatMap(({ run, scope }) => (scope === "rows" ? [run.id] : []));
    await ledger.commit({ stack: config.stack.name, runs: runs.map(({ id }) => id), changes, openOnly });
  });
  return drafts.reduce((sum, { draft }) => sum + draft.adds.length, 0);
}
