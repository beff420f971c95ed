import type { Ledger } from "../index.ts";
import type { Connection } from "./connection.ts";
import { forgetLoose, noteLoose } from "./loose.ts";
import type { Reads } from "./read.ts";

/** What is written down while a run runs, and of its file when it has ended. */
export function work(
  connection: Connection,
  { byId }: Reads,
  time: () => string,
): Pick<Ledger, "startStep" | "finishStep" | "countRows" | "addOutput" | "finish" | "moved" | "knows"> {
  const { sql, write } = connection;
  return {
    startStep(id, name) {
      const at = time();
      return write(
        () => {
          sql(
            `INSERT INTO steps (run, position, name, started_at)
             SELECT ?1, coalesce(max(position), 0) + 1, ?2, ?3 FROM steps WHERE run = ?1`,
          ).run(id, name, at);
        },
        { mayWait: true },
      );
    },
    finishStep(id, name) {
      const at = time();
      return write(
        () => {
          sql("UPDATE steps SET finished_at = ? WHERE run = ? AND name = ? AND finished_at IS NULL").run(at, id, name);
        },
        { mayWait: true },
      );
    },
    countRows: (id, { read, clean, rejected }, { rejectedKey, header, found }) =>
      write(() => {
        const { stack } = byId(id);
        const before = sql("SELECT rejected_key FROM runs WHERE id = ?").get(id)?.["rejected_key"];
        if (typeof before === "string" && before !== rejectedKey)
          noteLoose(connection, { stack, role: "lake", key: before });
        sql(
          `UPDATE runs SET rows_read = ?, rows_clean = ?, rows_rejected = ?, rejected_key = ?, header = ?, format = ?,
             encoding = ?, delimiter = ?
           WHERE id = ?`,
        ).run(
          read,
          clean,
          rejected,
          rejectedKey,
          JSON.stringify(header),
          found.format,
          found.encoding ?? null,
          found.delimiter ?? null,
          id,
        );
        if (rejectedKey !== null) forgetLoose(connection, { stack, role: "lake", key: rejectedKey });
      }),
    addOutput: (id, { kind, name, location, rows, bytes }) =>
      write(() => {
        sql("INSERT OR REPLACE INTO outputs (run, kind, name, location, rows, bytes) VALUES (?, ?, ?, ?, ?, ?)").run(
          id,
          kind,
          name,
          location,
          rows,
          bytes,
        );
      }),
    finish: (id, { state, error }) =>
      write(() => {
        sql(
          "INSERT OR IGNORE INTO untold_runs SELECT id FROM runs WHERE id = ? AND refusal IS NOT NULL AND state = 'running' AND ? = 'done'",
        ).run(id, state);
        sql(
          `UPDATE runs SET state = iif(refusal IS NULL, ?, 'failed'), finished_at = ?, worker = NULL,
             error = coalesce(refusal, iif(committed_at IS NULL, ?, ?))
           WHERE id = ? AND state = 'running'`,
        ).run(state, time(), error ?? null, error === undefined ? null : undelivered(error), id);
        return byId(id);
      }),

    moved: (root, to) =>
      write(() => {
        const row = sql(
          `UPDATE sources SET moved_key = coalesce(?1, moved_key), deleted_at = iif(?1 IS NULL, ?2, NULL)
           WHERE root = ?3 AND deleted_at IS NULL AND moved_key IS NULL RETURNING stack, key, version`,
        ).get(to, time(), root);
        if (row === undefined) return;
        const stack = String(row["stack"]);
        if (to !== null) forgetLoose(connection, { stack, role: "input", key: to });
        // Others may write to the place that it leaves.
        noteLoose(connection, { stack, role: "input", key: String(row["key"]), version: String(row["version"]) });
      }),
    async knows(key) {
      const row = sql(
        `SELECT 1 FROM sources WHERE key = ?1 UNION ALL SELECT 1 FROM sources WHERE moved_key = ?1
         UNION ALL SELECT 1 FROM runs WHERE correction_key = ?1 UNION ALL SELECT 1 FROM runs WHERE rejected_key = ?1
         UNION ALL SELECT 1 FROM files WHERE key = ?1 UNION ALL SELECT 1 FROM loose WHERE key = ?1
         UNION ALL SELECT 1 FROM removed_files WHERE key = ?1 UNION ALL SELECT 1 FROM contributions WHERE key = ?1
         UNION ALL SELECT 1 FROM deliveries WHERE payload_key = ?1 LIMIT 1`,
      ).get(key);
      return row !== undefined;
    },
  };
}

/** What is said of a run that failed after its commit. */
const undelivered = (error: string) =>
  `The tables are committed, but their delivery failed: ${error} Send the file again to deliver again (nothing is loaded twice).`;
