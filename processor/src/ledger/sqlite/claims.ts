import { IdempotencyConflict, type Ledger, ReplayRefused, type Requeue } from "../index.ts";
import { newRunId } from "../run-id.ts";
import type { Connection } from "./connection.ts";
import { forgetLoose } from "./loose.ts";
import type { Reads } from "./read.ts";

interface Parts {
  connection: Connection;
  reads: Reads;
  now: () => Date;
  /** Called when a run was queued, after the transaction. */
  queued: () => void;
}

/** How runs come into the queue. */
export function claims({
  connection,
  reads: { byId, openRows },
  now,
  queued,
}: Parts): Pick<Ledger, "claim" | "isClaimed" | "requeue"> {
  const { sql, write } = connection;

  function insertRun(run: {
    id: string;
    root: string;
    stack: string;
    kind: string;
    at: Date;
    by: string | undefined;
    traceparent: string | undefined;
    correction?: Requeue["correction"] | undefined;
  }): void {
    const { key = null, bytes = null, sha256 = null } = run.correction ?? {};
    sql(
      `INSERT INTO runs (id, root, stack, kind, state, sent_by, traceparent, correction_key, correction_bytes,
         correction_sha256, queued_at)
       VALUES (?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?)`,
    ).run(
      run.id,
      run.root,
      run.stack,
      run.kind,
      run.by ?? null,
      run.traceparent ?? null,
      key,
      bytes,
      sha256,
      run.at.toISOString(),
    );
  }

  /** The run that a request of this name was answered with before. */
  function answered(stack: string, key: string | undefined, request: string): string | undefined {
    if (key === undefined) return undefined;
    const row = sql("SELECT request, run FROM idempotency_keys WHERE stack = ? AND key = ?").get(stack, key);
    if (row === undefined) return undefined;
    if (row["request"] !== request)
      throw new IdempotencyConflict(
        `The idempotency key ${JSON.stringify(key)} was used for something else; give each request a key of its own.`,
      );
    return String(row["run"]);
  }

  function remember(stack: string, key: string | undefined, request: string, run: string): void {
    if (key !== undefined)
      sql("INSERT INTO idempotency_keys (stack, key, request, run) VALUES (?, ?, ?, ?)").run(stack, key, request, run);
  }

  /** Queues the last committed run of a file again if its delivery failed. */
  function deliverAgain(root: string): boolean {
    const { changes } = sql(
      `UPDATE runs SET state = 'queued', attempts = 0, error = NULL, started_at = NULL, finished_at = NULL
       WHERE id = (SELECT committed_run FROM sources WHERE root = ?1) AND state = 'failed' AND refusal IS NULL
         AND NOT EXISTS (SELECT 1 FROM runs WHERE root = ?1 AND state IN ('queued', 'running'))`,
    ).run(root);
    return changes === 1;
  }

  /** Another file that has brought the content of a file that is in no table, or is about to, unless it was to be loaded again. */
  const sameContent = (root: string) =>
    sql(
      `SELECT other.root FROM sources s JOIN sources other USING (stack, sha256)
       WHERE s.root = ? AND s.committed_run IS NULL AND s.again = 0 AND other.root <> s.root
         AND (other.committed_run IS NOT NULL
           OR EXISTS (SELECT 1 FROM runs r WHERE r.root = other.root AND r.state IN ('queued', 'running')))
       ORDER BY other.number LIMIT 1`,
    ).get(root)?.["root"];

  const rootOf = (store: string, key: string, version: string) =>
    sql(
      `SELECT root FROM sources WHERE store = ?1 AND key = ?2 AND version = ?3
       UNION ALL SELECT root FROM duplicates WHERE store = ?1 AND key = ?2 AND version = ?3`,
    ).get(store, key, version)?.["root"];

  return {
    async claim(claim, { again = false, kept = false } = {}) {
      const { stack, store, key, version, name, bytes, sha256, idempotencyKey, by, traceparent } = claim;
      const request = `load ${sha256}`;
      const { run, created, wake } = await write(() => {
        const object = rootOf(store, key, version);
        if (object !== undefined) return { run: byId(String(object)), created: false, wake: false };
        const before = answered(stack, idempotencyKey, request);
        if (before !== undefined) return { run: byId(before), created: false, wake: false };
        // What is committed is in the tables, whatever became of the run after that.
        const content = sql(
          `SELECT s.root FROM sources s WHERE s.stack = ? AND s.sha256 = ? AND (s.committed_run IS NOT NULL
             OR EXISTS (SELECT 1 FROM runs r WHERE r.root = s.root AND r.state IN ('queued', 'running', 'done')))
           ORDER BY s.number LIMIT 1`,
        ).get(stack, sha256);
        if (content !== undefined && !again) {
          const root = String(content["root"]);
          remember(stack, idempotencyKey, request, root);
          if (kept)
            sql("INSERT INTO duplicates (store, key, version, root) VALUES (?, ?, ?, ?)").run(
              store,
              key,
              version,
              root,
            );
          const wake = deliverAgain(root);
          return { run: byId(root), created: false, wake };
        }
        const at = now();
        const id = newRunId(at);
        sql(
          `INSERT INTO sources (root, stack, store, key, version, name, bytes, sha256, received_at, again)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        ).run(id, stack, store, key, version, name, bytes, sha256, at.toISOString(), Number(again));
        insertRun({ id, root: id, stack, kind: "load", at, by, traceparent });
        remember(stack, idempotencyKey, request, id);
        forgetLoose(connection, { stack, role: "input", key });
        return { run: byId(id), created: true, wake: true };
      });
      if (wake) queued();
      return { run, created };
    },

    async isClaimed({ store, key, version }) {
      return rootOf(store, key, version) !== undefined;
    },

    async requeue({ run: id, kind, correction, idempotencyKey, by, traceparent }) {
      const { run, wake } = await write(() => {
        const source = sql(
          "SELECT s.root, s.stack, s.deleted_at FROM runs r JOIN sources s ON s.root = r.root WHERE r.id = ?",
        ).get(id);
        if (source === undefined) throw new Error(`The ledger has no run "${id}".`);
        const root = String(source["root"]);
        const stack = String(source["stack"]);
        const request = [kind, root, correction?.sha256 ?? ""].join(" ");
        const before = answered(stack, idempotencyKey, request);
        if (before !== undefined) return { run: byId(before), wake: false };
        const active = sql("SELECT id FROM runs WHERE root = ? AND state IN ('queued', 'running')").get(root);
        if (active !== undefined)
          throw new ReplayRefused(
            `The file is in the queue already, as the run ${String(active["id"])}; wait for its end.`,
          );
        const other = sameContent(root);
        if (other !== undefined)
          throw new ReplayRefused(
            `The stack has the same content as the run ${String(other)}, so this would load it twice; to do that, send it with again=true.`,
          );
        const open = openRows(root);
        if (kind === "replay" && open === undefined)
          throw new ReplayRefused("Nothing of the file is open: all of its rows are in the tables.");
        if ((kind === "rerun" || open?.scope === "file") && source["deleted_at"] !== null)
          throw new ReplayRefused("The file was deleted after it was loaded, as its stack asks; send it again.");
        const at = now();
        const queuedId = newRunId(at);
        insertRun({ id: queuedId, root, stack, kind, at, by, traceparent, correction });
        remember(stack, idempotencyKey, request, queuedId);
        if (correction !== undefined) forgetLoose(connection, { stack, role: "input", key: correction.key });
        return { run: byId(queuedId), wake: true };
      });
      if (wake) queued();
      return run;
    },
  };
}
