import type { Run, RunOutput, RunState, TableColumn } from "@cais/spec/api.ts";

/** An object that is to be ingested. */
export interface Claim {
  stack: string;
  /** The store's id. */
  store: string;
  key: string;
  version: string;
  /** The file's name as sent. */
  name: string;
  bytes: number;
  sha256: string;
}

export type RowCounts = Run["rows"];

/** How a run ended. */
export interface Ending {
  state: Extract<RunState, "done" | "failed" | "quarantined">;
  error?: string;
}

/**
 * What was received, what became of it, and what every table is made of now. One process writes it; every method is one
 * transaction and is durable when its promise resolves.
 */
export interface Ledger {
  readonly tables: TableLedger;
  readonly loose: LooseObjects;
  /**
   * Queues a run for an object, once per (store, key, version). Unless `again`, an object whose content the stack has
   * queued, running, done or in its tables already gives that run instead; `created` says which. Such a run that failed
   * after its commit is queued again, for its sinks alone.
   */
  claim(claim: Claim, options?: { again?: boolean }): Promise<{ run: Run; created: boolean }>;
  /** Has `listener` called whenever a claim has queued a run, be it a new one or one that is delivered again. */
  onQueued(listener: () => void): void;
  /** Takes the oldest queued run of a stack that none of `busyStacks` is, counts the attempt, and makes it running. */
  next(busyStacks: string[]): Promise<Run | undefined>;
  /**
   * Puts the running runs back into the queue, but ends one that has had `maxAttempts` as failed: it is likely what killed
   * the processor. Attempts count anew when a run is sent again to be delivered.
   */
  requeue(maxAttempts: number): Promise<void>;
  /** Whether the run's tables are committed: then an attempt goes on with the sinks. */
  isCommitted(id: string): Promise<boolean>;
  startStep(id: string, name: string): Promise<void>;
  finishStep(id: string, name: string): Promise<void>;
  /** Records the counts, and where the refused rows are kept. */
  countRows(id: string, rows: RowCounts, rejectedKey: string | null): Promise<void>;
  rejectedKey(id: string): Promise<string | null>;
  addOutput(id: string, output: RunOutput): Promise<void>;
  /** Ends a run. The error of one whose tables are committed already is told as that of its delivery. */
  finish(id: string, ending: Ending): Promise<Run>;
  run(id: string): Promise<Run | undefined>;
  /** Newest first; `before` is a run's id. */
  runs(filter: { stack?: string; state?: RunState; before?: string; limit: number }): Promise<Run[]>;
  /** How many runs are queued and running. */
  depth(): Promise<{ queued: number; running: number }>;
  close(): Promise<void>;
}

/** One Parquet file of a table, by its key in the lake. */
export interface TableFile {
  key: string;
  rows: number;
  bytes: number;
}

/** What a table is made of. */
export interface TableState {
  columns: TableColumn[];
  /** In the order in which they were added. */
  files: TableFile[];
  updatedAt: string;
}

/** One table's part in a run's commit. */
export interface TableChange {
  name: string;
  disposition: "append" | "replace";
  columns: TableColumn[];
  file: TableFile;
  /** The table's folder, as the run reports it. */
  location: string;
}

export interface TableLedger {
  /** A table as the last commit left it; undefined before the first. */
  read(stack: string, name: string): Promise<TableState | undefined>;
  /**
   * Makes all of a run's changes at once: before it none can be seen, after it all. A run that is committed already is
   * left as it is. The files that are in no table any more are noted as loose.
   */
  commit(run: { id: string; stack: string }, changes: TableChange[]): Promise<void>;
}

/** An object of a stack's input store or lake. */
export interface LooseObject {
  stack: string;
  role: "input" | "lake";
  key: string;
}

/**
 * Objects that belong to no run yet or any more. Whoever writes an object notes it first; the transaction that makes it
 * count forgets it. So what a crash left behind is known, and nothing else is ever deleted.
 */
export interface LooseObjects {
  note(object: LooseObject): Promise<void>;
  forget(object: LooseObject): Promise<void>;
  all(): Promise<LooseObject[]>;
}

/** Where a ledger is kept. */
export interface LedgerBinding {
  driver: "sqlite";
  file: string;
}

/** Opens a ledger, loading only that driver's code. `now` is the clock. */
export async function openLedger(binding: LedgerBinding, now = () => new Date()): Promise<Ledger> {
  return (await import("./sqlite/index.ts")).open(binding.file, now);
}
