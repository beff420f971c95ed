import { z } from "zod";
import {
  type Followed,
  type Ledger,
  type NewContribution,
  type TableChange,
  TableChanged,
  type TableFile,
  type TableHead,
  type TableLedger,
} from "../index.ts";
import type { Connection } from "./connection.ts";
import { forgetLoose, noteLoose } from "./loose.ts";
import { parsed, tableStates } from "./states.ts";

/** Drops the contributions to a merge table whose place a run's took. */
export function dropReplaced(
  connection: Connection,
  { stack, name, run }: { stack: string; name: string; run: string },
): void {
  // By its own index: of a table, there may be as many as it has files.
  const dropped = connection
    .sql("DELETE FROM contributions WHERE +stack = ? AND +name = ? AND replaced_by = ? RETURNING key")
    .all(stack, name, run);
  for (const { key } of dropped) noteLoose(connection, { stack, role: "lake", key: String(key) });
}

const Parts = z.array(z.object({ run: z.string().nullable(), firstRow: z.number(), rows: z.number() }));

/** What tables are made of, and the ways to change that. */
export interface Tables {
  answers: TableLedger;
  commit: Ledger["commit"];
  /** `follow`, inside a transaction. Files of `dropped` are in no version of the log. */
  followNow(stack: string, name: string, followed: Followed, dropped?: ReadonlySet<string>): void;
}

function mustBe(stack: string, name: string, head: TableHead | undefined, change: number): void {
  if ((head?.change ?? 0) !== change)
    throw new TableChanged(`The table "${name}" of the stack "${stack}" has changed since it was read; do it again.`);
}

export function tables(connection: Connection, time: () => string): Tables {
  const { sql, write } = connection;

  const states = tableStates(connection);
  const { headOf } = states;

  function put(
    stack: string,
    name: string,
    to: Pick<TableHead, "columns" | "partitionBy" | "location"> & Partial<Pick<TableChange, "operation">>,
  ): void {
    sql(
      `INSERT INTO tables (stack, name, columns, partition_by, location, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
       ON CONFLICT DO UPDATE SET columns = excluded.columns, partition_by = excluded.partition_by,
         location = excluded.location, updated_at = excluded.updated_at, change = change + 1, content = content + ?7`,
    ).run(
      stack,
      name,
      JSON.stringify(to.columns),
      JSON.stringify(to.partitionBy),
      to.location,
      time(),
      Number(to.operation !== "OPTIMIZE"),
    );
  }

  function base(stack: string, name: string, { sources, ...basis }: NonNullable<TableChange["basis"]>): void {
    const contents = sources.map((source) => [source, headOf(stack, source)?.content ?? 0]);
    const kept = JSON.stringify({ ...basis, sources: Object.fromEntries(contents) });
    sql("UPDATE tables SET basis = ? WHERE stack = ? AND name = ?").run(kept, stack, name);
  }

  function add(stack: string, name: string, { key, rows, bytes, partition, stats, parts }: TableFile): void {
    forgetLoose(connection, { stack, role: "lake", key });
    sql("DELETE FROM removed_files WHERE stack = ? AND name = ? AND key = ?").run(stack, name, key);
    const { lastInsertRowid } = sql(
      "INSERT INTO files (stack, name, key, rows, bytes, partition, stats) VALUES (?, ?, ?, ?, ?, ?, ?)",
    ).run(stack, name, key, rows, bytes, JSON.stringify(partition), stats);
    for (const [position, part] of parts.entries())
      sql("INSERT INTO parts (file, position, run, first_row, rows) VALUES (?, ?, ?, ?, ?)").run(
        lastInsertRowid,
        position,
        part.run,
        part.firstRow,
        part.rows,
      );
  }

  /** Takes a file out of a table; false if the table does not hold it. */
  function remove(stack: string, name: string, key: string, isDropped: boolean): boolean {
    const file = sql("SELECT number FROM files WHERE stack = ? AND name = ? AND key = ?").get(stack, name, key);
    if (file === undefined) return false;
    const number = Number(file["number"]);
    if (isDropped) noteLoose(connection, { stack, role: "lake", key });
    else
      sql(
        `INSERT INTO removed_files (stack, name, key, parts, removed_at)
         SELECT ?, ?, ?, json_group_array(json_object('run', run, 'firstRow', first_row, 'rows', rows) ORDER BY position), ?
         FROM parts WHERE file = ?`,
      ).run(stack, name, key, time(), number);
    sql("DELETE FROM files WHERE number = ?").run(number);
    return true;
  }

  /** `runs` are those of the `asked` ones that were not committed before. Of the others, nothing is taken. */
  function change(stack: string, asked: string[], runs: ReadonlySet<string>, batch: number, to: TableChange): void {
    const { name, columns, partitionBy, location, removes, operation, how } = to;
    const before = headOf(stack, name);
    mustBe(stack, name, before, to.base);
    const isTaken = (run: string | null) => run === null || runs.has(run) || !asked.includes(run);
    const adds = to.adds.filter(({ parts }) => parts.some(({ run }) => isTaken(run)));
    const isSame = before !== undefined && JSON.stringify(before.columns) === JSON.stringify(columns);
    const isPublished = !isSame || adds.length > 0 || removes.length > 0;
    if (isPublished) {
      put(stack, name, to);
      sql("UPDATE tables SET batch = ? WHERE stack = ? AND name = ?").run(batch, stack, name);
      for (const key of removes)
        if (!remove(stack, name, key, false))
          throw new Error(`The table "${name}" of the stack "${stack}" does not hold ${key}, which is to be removed.`);
      for (const file of adds) add(stack, name, file);
      const at = time();
      const modifiedAt = Date.parse(at);
      sql(
        `INSERT INTO publications (stack, name, batch, operation, whole, columns, partition_by, adds, removes, runs, at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ).run(
        stack,
        name,
        batch,
        operation,
        Number(to.whole === true),
        JSON.stringify(columns),
        JSON.stringify(partitionBy),
        JSON.stringify(
          adds.map(({ key, rows, bytes, partition, stats }) => ({ key, rows, bytes, partition, stats, modifiedAt })),
        ),
        JSON.stringify(removes),
        JSON.stringify([...runs]),
        at,
      );
    }
    for (const run of runs) {
      const isAll = to.shared ?? to.whole === true;
      const contributed = to.contributions?.filter((contribution) => contribution.run === run);
      const own = contributed ?? adds.filter(({ parts }) => isAll || parts.some((part) => part.run === run));
      if (own.length === 0) continue;
      const rowsOf = (file: NewContribution | TableFile) =>
        isAll || !("parts" in file)
          ? file.rows
          : file.parts.reduce((sum, part) => sum + (part.run === run ? part.rows : 0), 0);
      sql(
        `INSERT OR REPLACE INTO outputs (run, kind, name, location, rows, bytes, how) VALUES (?, 'table', ?, ?, ?, ?, ?)`,
      ).run(
        run,
        name,
        location,
        own.reduce((sum, file) => sum + rowsOf(file), 0),
        own.reduce((sum, { bytes }) => sum + bytes, 0),
        JSON.stringify(how),
      );
    }
    for (const contribution of to.contributions ?? [])
      if (runs.has(contribution.run)) contribute(stack, name, contribution, isPublished);
  }

  /** `isPublished`: what it takes the place of is kept until the table's log has it. */
  function contribute(stack: string, name: string, of: NewContribution, isPublished: boolean): void {
    const { run, key, rows, bytes, scope } = of;
    if (scope === "file") {
      sql(
        `UPDATE contributions SET replaced_by = ?3 WHERE stack = ?1 AND name = ?2 AND replaced_by IS NULL
           AND run IN (SELECT id FROM runs WHERE root = (SELECT root FROM runs WHERE id = ?3))`,
      ).run(stack, name, run);
      if (!isPublished) dropReplaced(connection, { stack, name, run });
    }
    forgetLoose(connection, { stack, role: "lake", key });
    sql("INSERT INTO contributions (stack, name, run, key, rows, bytes) VALUES (?, ?, ?, ?, ?, ?)").run(
      stack,
      name,
      run,
      key,
      rows,
      bytes,
    );
  }

  const nextBatch = () => Number(sql("UPDATE batches SET last = last + 1 RETURNING last").get()?.["last"]);

  function followNow(stack: string, name: string, followed: Followed, dropped?: ReadonlySet<string>): void {
    const { version, adds, removes, columns, partitionBy, batch, base } = followed;
    const before = headOf(stack, name);
    if (base !== undefined) mustBe(stack, name, before, base);
    const isSame =
      JSON.stringify([before?.columns, before?.partitionBy]) === JSON.stringify([columns, partitionBy]) &&
      adds.length === 0 &&
      removes.length === 0;
    if (!isSame) put(stack, name, followed);
    for (const key of removes) remove(stack, name, key, dropped?.has(key) === true);
    for (const file of adds) {
      const known = sql("SELECT parts FROM removed_files WHERE stack = ? AND name = ? AND key = ?").get(
        stack,
        name,
        file.key,
      );
      // Another program restored a version: it is known what brought these rows.
      add(stack, name, known === undefined ? file : { ...file, parts: parsed(Parts, String(known["parts"])) });
    }
    sql("UPDATE tables SET version = ?1, batch = max(batch, ?2) WHERE stack = ?3 AND name = ?4").run(
      version,
      batch ?? 0,
      stack,
      name,
    );
    if (batch !== undefined) sql("UPDATE batches SET last = max(last, ?)").run(batch);
  }

  const answers: TableLedger = {
    async read(stack, name) {
      const head = headOf(stack, name);
      return head && { ...head, files: states.filesOf(stack, name) };
    },
    async head(stack, name) {
      return headOf(stack, name);
    },
    async smaller(stack, name, bytes) {
      const row = sql(
        `SELECT count(*) AS files, count(DISTINCT partition || EXISTS (
           SELECT 1 FROM parts p WHERE p.file = f.number AND p.run IS NULL)) AS partitions
         FROM files f WHERE stack = ? AND name = ? AND bytes < ?`,
      ).get(stack, name, bytes);
      return { files: Number(row?.["files"]), partitions: Number(row?.["partitions"]) };
    },
    async list(stack) {
      return sql("SELECT stack, name FROM tables WHERE ?1 IS NULL OR stack = ?1 ORDER BY stack, name")
        .all(stack ?? null)
        .map((row) => ({ stack: String(row["stack"]), name: String(row["name"]) }));
    },
    change: (stack, to) => write(() => change(stack, [], new Set(), nextBatch(), to)),
    follow: (stack, name, followed) => write(() => followNow(stack, name, followed)),
    async lastBatch(stack, name) {
      return Number(sql("SELECT batch FROM tables WHERE stack = ? AND name = ?").get(stack, name)?.["batch"] ?? 0);
    },
    async contributions(stack, name) {
      return states.contributionsOf(stack, name);
    },
    async removed(stack, name) {
      return sql("SELECT key, removed_at FROM removed_files WHERE stack = ? AND name = ? ORDER BY removed_at, key")
        .all(stack, name)
        .map((row) => ({ key: String(row["key"]), removedAt: String(row["removed_at"]) }));
    },
    vacuumed: (stack, name, keys) =>
      write(() => {
        for (const key of keys) {
          noteLoose(connection, { stack, role: "lake", key });
          sql("DELETE FROM removed_files WHERE stack = ? AND name = ? AND key = ?").run(stack, name, key);
        }
      }),
  };

  const commit: Ledger["commit"] = ({ stack, runs, changes, openOnly = [] }) =>
    write(() => {
      const committed = new Set<string>();
      for (const id of runs) {
        const row = sql(
          "UPDATE runs SET committed_at = ? WHERE id = ? AND stack = ? AND committed_at IS NULL RETURNING root",
        ).get(time(), id, stack);
        if (row === undefined) continue;
        committed.add(id);
        const root = String(row["root"]);
        sql("UPDATE sources SET committed_run = ? WHERE root = ?").run(id, root);
        // After a refusal all of the file is open, so this run brings what was refused.
        const { changes: refusals } = sql(
          "UPDATE runs SET refusal = NULL WHERE root = ? AND id <> ? AND refusal IS NOT NULL",
        ).run(root, id);
        if (refusals > 0 && openOnly.includes(id))
          throw new TableChanged(`A table's log has refused what the file of the run ${id} brought; do it again.`);
        // With the commit, so that a run cut off right after it shows the step as finished.
        sql("UPDATE steps SET finished_at = ? WHERE run = ? AND finished_at IS NULL").run(time(), id);
      }
      if (committed.size === 0 || changes.length === 0) return;
      const batch = nextBatch();
      for (const one of changes) change(stack, runs, committed, batch, one);
      // When all tables are as this commit leaves them.
      for (const { name, basis } of changes) if (basis !== undefined) base(stack, name, basis);
    });

  return { answers, commit, followNow };
}
