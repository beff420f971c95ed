import { TableColumn } from "@cais/spec/api.ts";
import { z } from "zod";
import type { Publication, PublicationLedger } from "../index.ts";
import type { Connection } from "./connection.ts";
import { noteLoose } from "./loose.ts";
import type { Reads } from "./read.ts";
import { Names } from "./states.ts";
import { dropReplaced, type Tables } from "./tables.ts";

const json = <T>(schema: z.ZodType<T>) => z.string().transform((text) => schema.parse(JSON.parse(text)));

const File = z.object({
  key: z.string(),
  rows: z.number(),
  bytes: z.number(),
  partition: z.record(z.string(), z.string().nullable()),
  stats: z.string().nullable(),
  modifiedAt: z.number(),
});

const Row = z.object({
  id: z.number(),
  stack: z.string(),
  table: z.string(),
  batch: z.number(),
  operation: z.enum(["WRITE", "MERGE", "OPTIMIZE"]),
  whole: z.number().transform((whole) => whole === 1),
  columns: json(z.array(TableColumn)),
  partitionBy: json(Names),
  adds: json(z.array(File)),
  removes: json(Names),
  runs: json(Names),
  at: z.string(),
});

const COLUMNS = `id, stack, name AS "table", batch, operation, whole, columns, partition_by AS partitionBy, adds, removes,
  runs, at`;

/** Changes that the tables' Delta logs do not have yet. */
export function publications(
  connection: Connection,
  { followNow }: Tables,
  { byId }: Pick<Reads, "byId">,
  time: () => string,
): PublicationLedger {
  const { sql, write } = connection;
  const remove = sql(`DELETE FROM publications WHERE id = ? RETURNING ${COLUMNS}`);

  function take(id: number): Publication | undefined {
    const row = remove.get(id);
    return row && Row.parse({ ...row });
  }

  function drop(stack: string, table: string, key: string): void {
    const { changes } = sql("DELETE FROM removed_files WHERE stack = ? AND name = ? AND key = ?").run(
      stack,
      table,
      key,
    );
    if (changes > 0) noteLoose(connection, { stack, role: "lake", key });
  }

  /** Takes a run's contribution back, for that whose place it took, or that which has taken its own. */
  function takeBack(stack: string, table: string, run: string): void {
    const row = sql(
      "DELETE FROM contributions WHERE stack = ? AND name = ? AND run = ? RETURNING key, replaced_by",
    ).get(stack, table, run);
    if (row === undefined) return;
    noteLoose(connection, { stack, role: "lake", key: String(row["key"]) });
    sql("UPDATE contributions SET replaced_by = ? WHERE stack = ? AND name = ? AND replaced_by = ?").run(
      row["replaced_by"] ?? null,
      stack,
      table,
      run,
    );
  }

  return {
    async pending(of) {
      return sql(
        `SELECT ${COLUMNS} FROM publications WHERE (?1 IS NULL OR stack = ?1) AND (?2 IS NULL OR name = ?2) ORDER BY id`,
      )
        .all(of?.stack ?? null, of?.table ?? null)
        .map((row) => Row.parse({ ...row }));
    },
    published: (ids, { version, unwritten = [] }) =>
      write(() => {
        for (const id of ids) {
          const publication = take(id);
          if (publication === undefined) continue;
          const { stack, table, runs } = publication;
          sql("UPDATE tables SET version = max(coalesce(version, 0), ?) WHERE stack = ? AND name = ?").run(
            version,
            stack,
            table,
          );
          for (const run of runs) {
            sql("UPDATE outputs SET version = ? WHERE run = ? AND kind = 'table' AND name = ?").run(
              version,
              run,
              table,
            );
            dropReplaced(connection, { stack, name: table, run });
          }
          for (const key of unwritten) drop(stack, table, key);
        }
      }),
    refused: (refusals, followed) =>
      write(() => {
        const taken = refusals.flatMap(({ id, reason }) => {
          const publication = take(id);
          return publication === undefined ? [] : [{ ...publication, reason }];
        });
        const [first] = taken;
        if (first === undefined) return;
        const { stack, table } = first;
        const dropped = new Set(taken.flatMap(({ adds }) => adds.map(({ key }) => key)));
        followNow(stack, table, followed, dropped);
        // Those that a later commit took out again: no version names them either.
        for (const key of dropped) drop(stack, table, key);
        for (const { runs, reason } of taken)
          for (const run of runs) {
            sql("DELETE FROM outputs WHERE run = ? AND kind = 'table' AND name = ?").run(run, table);
            takeBack(stack, table, run);
            sql("INSERT OR IGNORE INTO untold_runs SELECT id FROM runs WHERE id = ? AND state = 'done'").run(run);
            sql(
              `UPDATE runs SET refusal = ?1, state = iif(state = 'done', 'failed', state),
                 error = iif(state = 'done', ?1, error), finished_at = iif(state = 'done', ?3, finished_at)
               WHERE id = ?2`,
            ).run(reason, run, time());
          }
      }),
    async untold() {
      return sql("SELECT run FROM untold_runs ORDER BY run")
        .all()
        .map(({ run }) => byId(String(run)));
    },
    told: (run) =>
      write(() => {
        sql("DELETE FROM untold_runs WHERE run = ?").run(run);
      }),
  };
}
