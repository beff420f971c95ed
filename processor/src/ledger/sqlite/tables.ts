import { TableColumn } from "@cais/spec/api.ts";
import { z } from "zod";
import type { Ledger, PresentFile, TableChange, TableLedger } from "../index.ts";
import type { Connection } from "./connection.ts";
import { forgetLoose, noteLoose } from "./loose.ts";

const Row = z.object({
  key: z.string(),
  rows: z.number(),
  bytes: z.number(),
  run: z.string(),
  root: z.string(),
  fileNumber: z.number(),
  rerun: z.number(),
});

/** What tables are made of, and the one way to change that. */
export function tables(
  connection: Connection,
  time: () => string,
): { read: TableLedger["read"]; commit: Ledger["commit"] } {
  const { sql, write } = connection;

  const filesOf = (stack: string, name: string): PresentFile[] =>
    sql(
      `SELECT f.key, f.rows, f.bytes, f.run, s.root, s.number AS fileNumber,
         EXISTS (SELECT 1 FROM runs w WHERE w.root = s.root AND w.state = 'queued' AND w.kind = 'rerun') AS rerun
       FROM files f JOIN runs r ON r.id = f.run JOIN sources s ON s.root = r.root
       WHERE f.stack = ? AND f.name = ? ORDER BY f.rowid`,
    )
      .all(stack, name)
      .map((row) => Row.parse(row))
      .map((row) => ({ ...row, rerun: row.rerun === 1 }));

  /** `runs` are those of the `asked` ones that were not committed before. Files of other runs are kept ones, made anew. */
  function change(stack: string, asked: string[], runs: Set<string>, roots: Set<string>, to: TableChange): void {
    const { name, mode, columns, location } = to;
    sql(
      `INSERT INTO tables (stack, name, columns, updated_at) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET columns = excluded.columns, updated_at = excluded.updated_at`,
    ).run(stack, name, JSON.stringify(columns), time());
    if (mode !== "add")
      for (const { key } of filesOf(stack, name).filter(({ root }) => mode === "whole" || roots.has(root))) {
        noteLoose(connection, { stack, role: "lake", key });
        sql("DELETE FROM files WHERE stack = ? AND name = ? AND key = ?").run(stack, name, key);
      }
    const files = to.files.filter(({ run }) => runs.has(run) || !asked.includes(run));
    for (const { key, run, rows, bytes } of files) {
      forgetLoose(connection, { stack, role: "lake", key });
      sql("INSERT INTO files (stack, name, key, run, rows, bytes) VALUES (?, ?, ?, ?, ?, ?)").run(
        stack,
        name,
        key,
        run,
        rows,
        bytes,
      );
    }
    for (const run of runs) {
      const own = mode === "whole" ? files : files.filter((file) => file.run === run);
      if (own.length === 0) continue;
      const sum = (what: "rows" | "bytes") => own.reduce((total, file) => total + file[what], 0);
      sql(
        "INSERT OR REPLACE INTO outputs (run, kind, name, location, rows, bytes) VALUES (?, 'table', ?, ?, ?, ?)",
      ).run(run, name, location, sum("rows"), sum("bytes"));
    }
  }

  return {
    async read(stack, name) {
      const row = sql("SELECT columns, updated_at FROM tables WHERE stack = ? AND name = ?").get(stack, name);
      if (row === undefined) return undefined;
      const columns = TableColumn.array().parse(JSON.parse(String(row["columns"])));
      return { columns, files: filesOf(stack, name), updatedAt: String(row["updated_at"]) };
    },

    commit: ({ stack, runs, changes }) =>
      write(() => {
        const committed = new Set<string>();
        const roots = new Set<string>();
        for (const id of runs) {
          const row = sql(
            "UPDATE runs SET committed_at = ? WHERE id = ? AND stack = ? AND committed_at IS NULL RETURNING root",
          ).get(time(), id, stack);
          if (row === undefined) continue;
          committed.add(id);
          roots.add(String(row["root"]));
          sql("UPDATE sources SET committed_run = ? WHERE root = ?").run(id, String(row["root"]));
          // With the commit, so that a run cut off right after it shows the step as finished.
          sql("UPDATE steps SET finished_at = ? WHERE run = ? AND finished_at IS NULL").run(time(), id);
        }
        if (committed.size > 0) for (const one of changes) change(stack, runs, committed, roots, one);
      }),
  };
}
