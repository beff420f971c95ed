import type { DatabaseSync } from "node:sqlite";
import { type RunOutput, TableColumn } from "@cais/spec/api.ts";
import { z } from "zod";
import { transaction } from "./database.ts";
import type { TableFile, TableLedger } from "../index.ts";
import { forgetLoose, noteLoose } from "./loose.ts";

export function tableLedger(database: DatabaseSync, time: () => string): TableLedger {
  const files = (stack: string, name: string): TableFile[] =>
    z.array(z.object({ key: z.string(), rows: z.number(), bytes: z.number() })).parse(
      database
        .prepare("SELECT key, rows, bytes FROM files WHERE stack = ? AND name = ? ORDER BY rowid")
        .all(stack, name)
        .map((row) => ({ ...row })),
    );

  return {
    async read(stack, name) {
      const row = database
        .prepare("SELECT columns, updated_at FROM tables WHERE stack = ? AND name = ?")
        .get(stack, name);
      if (row === undefined) return undefined;
      const columns = TableColumn.array().parse(JSON.parse(String(row["columns"])));
      return { columns, files: files(stack, name), updatedAt: String(row["updated_at"]) };
    },

    async commit({ id, stack }, changes) {
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
          forgetLoose(database, { stack, role: "lake", key: file.key });
          for (const { key } of dropped) {
            noteLoose(database, { stack, role: "lake", key });
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
