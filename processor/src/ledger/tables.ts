import type { DatabaseSync } from "node:sqlite";
import { type RunOutput, TableColumn } from "@cais/spec/api.ts";
import { z } from "zod";
import { transaction } from "./database.ts";
import type { LooseObjects } from "./loose.ts";

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
  read(stack: string, name: string): TableState | undefined;
  /**
   * Makes all of a run's changes at once: before it none can be seen, after it all. A run that is committed already is
   * left as it is. The files that are in no table any more are noted as loose.
   */
  commit(run: { id: string; stack: string }, changes: TableChange[]): void;
}

export function tableLedger(database: DatabaseSync, loose: LooseObjects, time: () => string): TableLedger {
  const files = (stack: string, name: string): TableFile[] =>
    z.array(z.object({ key: z.string(), rows: z.number(), bytes: z.number() })).parse(
      database
        .prepare("SELECT key, rows, bytes FROM files WHERE stack = ? AND name = ? ORDER BY rowid")
        .all(stack, name)
        .map((row) => ({ ...row })),
    );

  return {
    read(stack, name) {
      const row = database
        .prepare("SELECT columns, updated_at FROM tables WHERE stack = ? AND name = ?")
        .get(stack, name);
      if (row === undefined) return undefined;
      const columns = TableColumn.array().parse(JSON.parse(String(row["columns"])));
      return { columns, files: files(stack, name), updatedAt: String(row["updated_at"]) };
    },

    commit({ id, stack }, changes) {
      transaction(database, () => {
        const { changes: first } = database
          .prepare("UPDATE runs SET committed_at = ? WHERE id = ? AND committed_at IS NULL")
          .run(time(), id);
        if (first === 0) return;
        // With the commit, so that a run cut off right after it shows the step as finished.
        database.prepare("UPDATE steps SET finished_at = ? WHERE run = ? AND finished_at IS NULL").run(time(), id);
        for (const { name, disposition, columns, file, location } of changes) {
          database
            .prepare(
              `INSERT INTO tables (stack, name, columns, updated_at) VALUES (?, ?, ?, ?)
               ON CONFLICT DO UPDATE SET columns = excluded.columns, updated_at = excluded.updated_at`,
            )
            .run(stack, name, JSON.stringify(columns), time());
          const dropped = disposition === "replace" ? files(stack, name) : [];
          loose.forget({ stack, role: "lake", key: file.key });
          for (const { key } of dropped) {
            loose.note({ stack, role: "lake", key });
            database.prepare("DELETE FROM files WHERE stack = ? AND name = ? AND key = ?").run(stack, name, key);
          }
          database
            .prepare("INSERT INTO files (stack, name, key, run, rows, bytes) VALUES (?, ?, ?, ?, ?, ?)")
            .run(stack, name, file.key, id, file.rows, file.bytes);
          const output: RunOutput = { kind: "table", name, location, rows: file.rows, bytes: file.bytes };
          database
            .prepare(
              "INSERT OR REPLACE INTO outputs (run, kind, name, location, rows, bytes) VALUES (?, ?, ?, ?, ?, ?)",
            )
            .run(id, output.kind, output.name, output.location, output.rows, output.bytes);
        }
      });
    },
  };
}
