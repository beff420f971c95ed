import type { DatabaseSync } from "node:sqlite";
import { Run, type RunOutput, type RunState } from "@cais/spec/api.ts";
import { z } from "zod";
import { openDatabase, transaction } from "./database.ts";
import { type LooseObjects, looseObjects } from "./loose.ts";
import { newRunId } from "./run-id.ts";
import { tableLedger, type TableLedger } from "./tables.ts";

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
 * transaction and is durable when it returns.
 */
export interface Ledger {
  readonly tables: TableLedger;
  readonly loose: LooseObjects;
  /**
   * Queues a run for an object, once per (store, key, version). Unless `again`, an object whose content the stack has
   * queued, running, done or in its tables already gives that run instead; `created` says which. Such a run that failed
   * after its commit is queued again, for its sinks alone.
   */
  claim(claim: Claim, options?: { again?: boolean }): { run: Run; created: boolean };
  /** Has `listener` called whenever a claim has queued a run, be it a new one or one that is delivered again. */
  onQueued(listener: () => void): void;
  /** Takes the oldest queued run of a stack that none of `busyStacks` is, counts the attempt, and makes it running. */
  next(busyStacks: string[]): Run | undefined;
  /**
   * Puts the running runs back into the queue, but ends one that has had `maxAttempts` as failed: it is likely what killed
   * the processor. Attempts count anew when a run is sent again to be delivered.
   */
  requeue(maxAttempts: number): void;
  /** Whether the run's tables are committed: then an attempt goes on with the sinks. */
  isCommitted(id: string): boolean;
  startStep(id: string, name: string): void;
  finishStep(id: string, name: string): void;
  /** Records the counts, and where the refused rows are kept. */
  countRows(id: string, rows: RowCounts, rejectedKey: string | null): void;
  rejectedKey(id: string): string | null;
  addOutput(id: string, output: RunOutput): void;
  /** Ends a run. The error of one whose tables are committed already is told as that of its delivery. */
  finish(id: string, ending: Ending): Run;
  run(id: string): Run | undefined;
  /** Newest first; `before` is a run's id. */
  runs(filter: { stack?: string; state?: RunState; before?: string; limit: number }): Run[];
  /** How many runs are queued and running. */
  depth(): { queued: number; running: number };
  close(): void;
}

const Row = z.object({
  id: z.string(),
  stack: z.string(),
  state: Run.shape.state,
  key: z.string(),
  name: z.string(),
  bytes: z.number(),
  sha256: z.string(),
  rows_read: z.number(),
  rows_clean: z.number(),
  rows_rejected: z.number(),
  attempts: z.number(),
  error: z.string().nullable(),
  queued_at: z.string(),
  started_at: z.string().nullable(),
  finished_at: z.string().nullable(),
});

/** Opens the ledger in a SQLite file. `now` is the clock. */
export function openLedger(file: string, now = () => new Date()): Ledger {
  const database = openDatabase(file);
  const time = () => now().toISOString();
  const readRun = runReader(database);
  const loose = looseObjects(database);
  let queued: (() => void) | undefined;

  const byId = (id: string): Run => {
    const row = database.prepare("SELECT * FROM runs WHERE id = ?").get(id);
    if (row === undefined) throw new Error(`The ledger has no run "${id}".`);
    return readRun(row);
  };

  const rejectedKeyOf = (id: string): string | null => {
    const key = database.prepare("SELECT rejected_key FROM runs WHERE id = ?").get(id)?.["rejected_key"];
    return typeof key === "string" ? key : null;
  };

  return {
    tables: tableLedger(database, loose, time),

    loose,

    claim(claim, { again = false } = {}) {
      const claimed = transaction(database, () => {
        const { stack, store, key, version, name, bytes, sha256 } = claim;
        const object = database
          .prepare("SELECT id FROM runs WHERE store = ? AND key = ? AND version = ?")
          .get(store, key, version);
        if (object !== undefined) return { run: byId(String(object["id"])), created: false };
        // What is committed is in the tables, whatever became of the run after that.
        const content = database
          .prepare(
            `SELECT id FROM runs WHERE stack = ? AND sha256 = ?
               AND (state IN ('queued', 'running', 'done') OR committed_at IS NOT NULL) ORDER BY number LIMIT 1`,
          )
          .get(stack, sha256);
        if (content !== undefined && !again) {
          const known = String(content["id"]);
          database
            .prepare(
              `UPDATE runs SET state = 'queued', attempts = 0, error = NULL, started_at = NULL, finished_at = NULL
               WHERE id = ? AND state = 'failed'`,
            )
            .run(known);
          return { run: byId(known), created: false };
        }
        const id = newRunId(now());
        database
          .prepare(
            `INSERT INTO runs (id, stack, store, key, version, name, bytes, sha256, state, queued_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?)`,
          )
          .run(id, stack, store, key, version, name, bytes, sha256, time());
        loose.forget({ stack, role: "input", key });
        return { run: byId(id), created: true };
      });
      if (claimed.run.state === "queued") queued?.();
      return claimed;
    },
    onQueued(listener) {
      queued = listener;
    },

    next(busyStacks) {
      return transaction(database, () => {
        const row = database
          .prepare(
            "SELECT id FROM runs WHERE state = 'queued' AND stack NOT IN (SELECT value FROM json_each(?)) ORDER BY number LIMIT 1",
          )
          .get(JSON.stringify(busyStacks));
        if (row === undefined) return undefined;
        const id = String(row["id"]);
        database
          .prepare(
            "UPDATE runs SET state = 'running', attempts = attempts + 1, started_at = coalesce(started_at, ?) WHERE id = ?",
          )
          .run(time(), id);
        // The steps shown are those of the attempt that counts; what is committed stays.
        database
          .prepare(
            "DELETE FROM steps WHERE run = ?1 AND (name LIKE 'sinks/%' OR (SELECT committed_at FROM runs WHERE id = ?1) IS NULL)",
          )
          .run(id);
        return byId(id);
      });
    },
    requeue(maxAttempts) {
      transaction(database, () => {
        const times = `It was cut off ${maxAttempts} times; see the processor's log`;
        database
          .prepare(
            `UPDATE runs SET state = 'failed', error = iif(committed_at IS NULL, ?, ?), finished_at = ?
             WHERE state = 'running' AND attempts >= ?`,
          )
          .run(`${times}, then send the file again.`, undelivered(`${times}.`), time(), maxAttempts);
        database.prepare("UPDATE runs SET state = 'queued' WHERE state = 'running'").run();
      });
    },
    isCommitted(id) {
      return database.prepare("SELECT 1 FROM runs WHERE id = ? AND committed_at IS NOT NULL").get(id) !== undefined;
    },

    startStep(id, name) {
      database
        .prepare(
          "INSERT INTO steps (run, position, name, started_at) SELECT ?1, coalesce(max(position), 0) + 1, ?2, ?3 FROM steps WHERE run = ?1",
        )
        .run(id, name, time());
    },
    finishStep(id, name) {
      database
        .prepare("UPDATE steps SET finished_at = ? WHERE run = ? AND name = ? AND finished_at IS NULL")
        .run(time(), id, name);
    },
    countRows(id, { read, clean, rejected }, rejectedKey) {
      transaction(database, () => {
        const before = rejectedKeyOf(id);
        if (before !== null && before !== rejectedKey) loose.note({ stack: byId(id).stack, role: "lake", key: before });
        database
          .prepare("UPDATE runs SET rows_read = ?, rows_clean = ?, rows_rejected = ?, rejected_key = ? WHERE id = ?")
          .run(read, clean, rejected, rejectedKey, id);
        if (rejectedKey !== null) loose.forget({ stack: byId(id).stack, role: "lake", key: rejectedKey });
      });
    },
    rejectedKey: rejectedKeyOf,
    addOutput(id, { kind, name, location, rows, bytes }) {
      database
        .prepare("INSERT OR REPLACE INTO outputs (run, kind, name, location, rows, bytes) VALUES (?, ?, ?, ?, ?, ?)")
        .run(id, kind, name, location, rows, bytes);
    },
    finish(id, { state, error }) {
      return transaction(database, () => {
        database
          .prepare("UPDATE runs SET state = ?, error = iif(committed_at IS NULL, ?, ?), finished_at = ? WHERE id = ?")
          .run(state, error ?? null, error === undefined ? null : undelivered(error), time(), id);
        return byId(id);
      });
    },

    run(id) {
      const row = database.prepare("SELECT * FROM runs WHERE id = ?").get(id);
      return row && readRun(row);
    },
    runs({ stack, state, before, limit }) {
      return database
        .prepare(
          `SELECT * FROM runs
           WHERE (?1 IS NULL OR stack = ?1) AND (?2 IS NULL OR state = ?2)
             AND (?3 IS NULL OR number < (SELECT number FROM runs WHERE id = ?3))
           ORDER BY number DESC LIMIT ?4`,
        )
        .all(stack ?? null, state ?? null, before ?? null, limit)
        .map(readRun);
    },
    depth() {
      const row = database
        .prepare(
          "SELECT count(*) FILTER (WHERE state = 'queued') AS queued, count(*) FILTER (WHERE state = 'running') AS running FROM runs WHERE state IN ('queued', 'running')",
        )
        .get();
      return z.object({ queued: z.number(), running: z.number() }).parse({ ...row });
    },
    close() {
      database.close();
    },
  };
}

/** What is said of a run that failed after its commit. */
const undelivered = (error: string) =>
  `The tables are committed, but their delivery failed: ${error} Send the file again to deliver again (nothing is loaded twice).`;

/** Makes a row of `runs`, with its steps and outputs, what the API answers. */
function runReader(database: DatabaseSync): (row: object) => Run {
  const steps = database.prepare(
    "SELECT name, started_at AS startedAt, finished_at AS finishedAt FROM steps WHERE run = ? ORDER BY position",
  );
  const outputs = database.prepare(
    "SELECT kind, name, location, rows, bytes FROM outputs WHERE run = ? ORDER BY rowid",
  );
  return (row) => {
    const run = Row.parse({ ...row });
    return Run.parse({
      id: run.id,
      stack: run.stack,
      state: run.state,
      file: { name: run.name, key: run.key, bytes: run.bytes, sha256: run.sha256 },
      rows: { read: run.rows_read, clean: run.rows_clean, rejected: run.rows_rejected },
      attempts: run.attempts,
      error: run.error,
      steps: steps.all(run.id).map((step) => ({ ...step })),
      outputs: outputs.all(run.id).map((output) => ({ ...output })),
      queuedAt: run.queued_at,
      startedAt: run.started_at,
      finishedAt: run.finished_at,
    });
  };
}
