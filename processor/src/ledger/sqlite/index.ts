import type { DatabaseSync } from "node:sqlite";
import { Run } from "@cais/spec/api.ts";
import { z } from "zod";
import { openDatabase, transaction } from "./database.ts";
import type { Ledger } from "../index.ts";
import { newRunId } from "../run-id.ts";
import { forgetLoose, looseObjects, noteLoose } from "./loose.ts";
import { tableLedger } from "./tables.ts";

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

/** Opens the ledger in a SQLite file. */
export function open(file: string, now: () => Date): Ledger {
  const database = openDatabase(file);
  const time = () => now().toISOString();
  const readRun = runReader(database);
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
    tables: tableLedger(database, time),

    loose: looseObjects(database),

    async claim(claim, { again = false } = {}) {
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
        forgetLoose(database, { stack, role: "input", key });
        return { run: byId(id), created: true };
      });
      if (claimed.run.state === "queued") queued?.();
      return claimed;
    },
    onQueued(listener) {
      queued = listener;
    },

    async next(busyStacks) {
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
    async requeue(maxAttempts) {
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
    async isCommitted(id) {
      return database.prepare("SELECT 1 FROM runs WHERE id = ? AND committed_at IS NOT NULL").get(id) !== undefined;
    },

    async startStep(id, name) {
      database
        .prepare(
          "INSERT INTO steps (run, position, name, started_at) SELECT ?1, coalesce(max(position), 0) + 1, ?2, ?3 FROM steps WHERE run = ?1",
        )
        .run(id, name, time());
    },
    async finishStep(id, name) {
      database
        .prepare("UPDATE steps SET finished_at = ? WHERE run = ? AND name = ? AND finished_at IS NULL")
        .run(time(), id, name);
    },
    async countRows(id, { read, clean, rejected }, rejectedKey) {
      transaction(database, () => {
        const before = rejectedKeyOf(id);
        if (before !== null && before !== rejectedKey)
          noteLoose(database, { stack: byId(id).stack, role: "lake", key: before });
        database
          .prepare("UPDATE runs SET rows_read = ?, rows_clean = ?, rows_rejected = ?, rejected_key = ? WHERE id = ?")
          .run(read, clean, rejected, rejectedKey, id);
        if (rejectedKey !== null) forgetLoose(database, { stack: byId(id).stack, role: "lake", key: rejectedKey });
      });
    },
    async rejectedKey(id) {
      return rejectedKeyOf(id);
    },
    async addOutput(id, { kind, name, location, rows, bytes }) {
      database
        .prepare("INSERT OR REPLACE INTO outputs (run, kind, name, location, rows, bytes) VALUES (?, ?, ?, ?, ?, ?)")
        .run(id, kind, name, location, rows, bytes);
    },
    async finish(id, { state, error }) {
      return transaction(database, () => {
        database
          .prepare("UPDATE runs SET state = ?, error = iif(committed_at IS NULL, ?, ?), finished_at = ? WHERE id = ?")
          .run(state, error ?? null, error === undefined ? null : undelivered(error), time(), id);
        return byId(id);
      });
    },

    async run(id) {
      const row = database.prepare("SELECT * FROM runs WHERE id = ?").get(id);
      return row && readRun(row);
    },
    async runs({ stack, state, before, limit }) {
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
    async depth() {
      const row = database
        .prepare(
          "SELECT count(*) FILTER (WHERE state = 'queued') AS queued, count(*) FILTER (WHERE state = 'running') AS running FROM runs WHERE state IN ('queued', 'running')",
        )
        .get();
      return z.object({ queued: z.number(), running: z.number() }).parse({ ...row });
    },
    async close() {
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
