import type { Run, RunKind, RunOutput, RunState } from "@cais/spec/api.ts";
import type { DeliveryLedger } from "./deliveries.ts";
import type { PublicationLedger, TableChange, TableLedger } from "./tables.ts";

export type { DeliveryFilter, DeliveryLedger, NewDelivery } from "./deliveries.ts";
export {
  type Basis,
  type Contribution,
  type Followed,
  type NewContribution,
  type Part,
  type PresentFile,
  type PresentPart,
  type Publication,
  type PublicationLedger,
  type PublishedFile,
  type TableChange,
  TableChanged,
  type TableFile,
  type TableHead,
  type TableLedger,
  type TableState,
} from "./tables.ts";

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
  /** What the sender calls this request, so that sending it twice is one: once per stack, for one content. */
  idempotencyKey?: string;
  /** W3C trace context of the upload (https://www.w3.org/TR/trace-context/#traceparent-header). */
  traceparent?: string;
  /** Who sent it: a token's name. */
  by?: string;
}

export interface ClaimOptions {
  /** Loads the content although the stack has it already. */
  again?: boolean;
  /**
   * The object stays in the store although its content is known: it is remembered, so that it is not taken for a new one
   * when that run fails later.
   */
  kept?: boolean;
}

/** What is asked for of a file that was received before. */
export interface Requeue {
  /** Any run of the file. */
  run: string;
  kind: Exclude<RunKind, "load">;
  /** The corrected rows of a replay: an object in the input store. */
  correction?: { key: string; sha256: string; bytes: number };
  idempotencyKey?: string;
  traceparent?: string;
  by?: string;
}

/** Thrown when an idempotency key was used for another content. */
export class IdempotencyConflict extends Error {
  override name = "IdempotencyConflict";
}

/** Thrown when a file cannot be replayed or run again now; the message says why, for who asked. */
export class ReplayRefused extends Error {
  override name = "ReplayRefused";
}

/** Where a file is. */
export interface Source {
  store: string;
  /** Where it lies now, or lay when it was deleted. */
  key: string;
  /** The version that was claimed; null once it was moved, since nobody else writes to that place. */
  version: string | null;
  deleted: boolean;
}

/** A run as a worker takes it: what is shown of it, and what the work needs beside that. */
export interface TakenRun extends Run {
  /** The file's first run; of a load, the run itself. */
  fileRoot: string;
  /** Order in which the stack's files were received: a newer file has a larger number. */
  fileNumber: number;
  source: Source;
  /** When the file was received: ISO 8601. */
  receivedAt: string;
  /** Key of the corrected rows in the input store. */
  correction: string | null;
  /** Whether the run's tables are committed: then only its sinks are left to do. */
  committed: boolean;
  traceparent: string | null;
}

/** How a worker takes runs. */
export interface NextOptions {
  /** Stacks of which none is taken. Those with a running run, whoever's it is, are left out anyway. */
  busyStacks: string[];
  leaseSeconds: number;
  /** Most runs and bytes of files that are taken together. Default: one run. */
  batch?: { runs: number; bytes: number };
}

export type RowCounts = Run["rows"];

/** What was read of a file. */
export interface Counted {
  /** Where the refused rows are kept; null if there are none or the stack discards them. */
  rejectedKey: string | null;
  /** The file's columns, as they are called in it. */
  header: string[];
  found: { format: string; encoding?: string | undefined; delimiter?: string | undefined };
}

/** How a run ended. */
export interface Ending {
  state: Extract<RunState, "done" | "failed" | "quarantined">;
  error?: string;
}

/** What a replay of a file has to do. */
export interface OpenRows {
  /** rows: those that the file's last committed run refused. file: all of it, since it was never committed. */
  scope: "rows" | "file";
  rows: number;
  /** Where the refused rows are kept. */
  rejectedKey: string | null;
  header: string[];
}

export interface RunFilter {
  stack?: string;
  /** Any of these: those that the caller may see. */
  stacks?: readonly string[];
  state?: RunState;
  kind?: RunKind;
  /** A file's first run: it and all that followed of the file. */
  root?: string;
  /** A run's id: those before it. */
  before?: string;
  limit: number;
}

/**
 * What was received, what became of it, and what every table is made of now. Every method is one transaction: it did
 * nothing if its promise is rejected, and all of it is durable when it resolves. Nothing in it trusts the clock: times
 * are shown, but order is by number and leases are watched with a clock that is never set. A driver that only one process
 * can use at a time queues, when it is opened, what the process before left running.
 */
export interface Ledger {
  readonly tables: TableLedger;
  readonly publications: PublicationLedger;
  readonly deliveries: DeliveryLedger;
  readonly loose: LooseObjects;

  /**
   * Queues a load of an object, once per (store, key, version). Unless `again`, an object whose content the stack has
   * queued, running, done or in its tables already gives that file's first run instead; `created` says which. If the
   * last committed run of such a file failed in its sinks, that run is queued again. Throws IdempotencyConflict.
   */
  claim(claim: Claim, options?: ClaimOptions): Promise<{ run: Run; created: boolean }>;
  /** Whether this version of an object is claimed. */
  isClaimed(object: { store: string; key: string; version: string }): Promise<boolean>;
  /**
   * Queues a replay of what is open of a file, or a rerun of the whole file. Throws IdempotencyConflict, and ReplayRefused
   * if nothing is open, a run of the file is queued or running, it was deleted, or another one brings its content.
   */
  requeue(of: Requeue): Promise<Run>;
  /** First runs of the files received from `from` until before `to`, in the order of receipt. */
  received(filter: { stack: string; from?: Date; to?: Date }): Promise<string[]>;
  /** Has `listener` called whenever a run was queued, be it new or one that is tried again. */
  onQueued(listener: () => void): void;

  /**
   * Takes the oldest queued run whose retry time has come, counts the attempt, and makes it running under a lease of
   * `worker`. With `batch`, more loads and reruns of the same stack that follow it and were never tried: what was tried
   * before goes alone. A run whose lease another worker let run out is taken as a queued one. None: nothing can be taken now.
   */
  next(worker: string, options: NextOptions): Promise<TakenRun[]>;
  /** When `next` may have more to give without anything being queued; undefined: not before. */
  nextAt(): Promise<Date | undefined>;
  /** Prolongs the leases of all runs of `worker` and gives their ids: what is missing has another worker now. */
  renew(worker: string, leaseSeconds: number): Promise<string[]>;
  /** Queues all runs of `worker` again, as at its end. The attempts that this cuts off count. */
  releaseAll(worker: string): Promise<void>;
  /**
   * Queues a running run again, to be tried from `at` on; the error is shown meanwhile. The attempt counts unless it
   * is said not to, as where a disk is full.
   */
  retry(id: string, attempt: { at: Date; error: string; counts?: boolean }): Promise<void>;
  /** Queues running runs again as if they had not been taken: the attempt does not count. */
  putBack(ids: string[]): Promise<void>;

  startStep(id: string, name: string): Promise<void>;
  finishStep(id: string, name: string): Promise<void>;
  /** Records what was read of the file. The refused rows that an earlier attempt kept are noted as loose. */
  countRows(id: string, rows: RowCounts, counted: Counted): Promise<void>;
  addOutput(id: string, output: RunOutput): Promise<void>;
  /**
   * Makes all changes of these runs of one stack at once: before it none can be seen, after it all. What they refused
   * becomes what is open of their files. Of a run that is committed already, nothing is taken. Each change is queued as a
   * publication, all of them under one batch number. Throws TableChanged if a table is not as its change took it to be, or if
   * a run of `openOnly`, which brings rows that were open and no others, has all of its file open since.
   */
  commit(work: { stack: string; runs: string[]; changes: TableChange[]; openOnly?: string[] }): Promise<void>;
  isCommitted(id: string): Promise<boolean>;
  /**
   * Ends a running run; one that has ended already is left as it is. The error of one whose tables are committed is told
   * as that of its delivery.
   */
  finish(id: string, ending: Ending): Promise<Run>;

  run(id: string): Promise<Run | undefined>;
  /** Newest first. */
  runs(filter: RunFilter): Promise<Run[]>;
  depth(): Promise<{ queued: number; running: number; oldestQueuedAt: string | null }>;
  /** Where a run's refused rows are kept. */
  rejectedKey(id: string): Promise<string | null>;
  /** The columns of a run's file; null before it was read, and in runs of the first version of Cais. */
  header(id: string): Promise<string[] | null>;
  /** What is open of a file, by its first run; undefined: nothing, or nothing yet. */
  open(root: string): Promise<OpenRows | undefined>;
  /** Keys of the corrections that are part of a file, by its first run; a later one goes before an earlier one. */
  corrections(root: string): Promise<string[]>;
  /** Where a file is, by any of its runs. */
  source(id: string): Promise<Source | undefined>;
  /**
   * Records that a file was copied to another key of its store, or is to be deleted (null). The object that is left
   * behind is noted as loose, with its version. What was recorded before is left as it is.
   */
  moved(root: string, to: string | null): Promise<void>;
  /** Whether a run, a table, a publication, a delivery or a note of any stack names an object by this key. */
  knows(key: string): Promise<boolean>;
  close(): Promise<void>;
}

/** An object of a stack's input store or lake. */
export interface LooseObject {
  stack: string;
  role: "input" | "lake";
  key: string;
  /** Only this version is loose: someone else may write to this key. */
  version?: string;
  /** What its sender asked for: what a start is to do with it if it is there. */
  asked?: Asked;
}

/** What is asked for with a file that is on its way into an input store. */
export type Asked =
  | ({ kind: "load"; again: boolean } & Pick<Claim, "name" | "idempotencyKey" | "traceparent" | "by">)
  | ({ kind: "replay" } & Omit<Requeue, "kind" | "correction">);

/**
 * Objects that belong to no run yet or any more. Whoever writes an object notes it first; the transaction that makes it
 * count forgets it. So what a crash left behind is known, and nothing else is ever deleted.
 */
export interface LooseObjects {
  note(object: LooseObject): Promise<void>;
  forget(object: LooseObject): Promise<void>;
  /** Of all stacks, or of one key. */
  all(of?: Pick<LooseObject, "stack" | "role" | "key">): Promise<LooseObject[]>;
}

/** Where a ledger is kept. */
export interface LedgerBinding {
  driver: "sqlite";
  file: string;
}

export interface LedgerClocks {
  /** Tells the time of day, which people see. It may be set at any moment. */
  now?: () => Date;
  /** Milliseconds on a clock that is never set: leases go by it. */
  monotonic?: () => number;
}

/** Opens a ledger, loading only that driver's code. */
export async function openLedger(binding: LedgerBinding, clocks: LedgerClocks = {}): Promise<Ledger> {
  const { now = () => new Date(), monotonic = () => performance.now() } = clocks;
  return (await import("./sqlite/index.ts")).open(binding.file, { now, monotonic });
}
