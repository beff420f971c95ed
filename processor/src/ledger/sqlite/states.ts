import { TableColumn } from "@cais/spec/api.ts";
import { z } from "zod";
import type { Contribution, PresentFile, TableHead } from "../index.ts";
import type { Connection } from "./connection.ts";

const Row = z.object({
  key: z.string(),
  rows: z.number(),
  bytes: z.number(),
  partition: z.string(),
  stats: z.string().nullable(),
  run: z.string().nullable(),
  first_row: z.number(),
  part_rows: z.number(),
  root: z.string().nullable(),
  fileNumber: z.number().nullable(),
  rerun: z.number(),
});

const Head = z.object({
  columns: z.string(),
  partition_by: z.string(),
  location: z.string(),
  change: z.number(),
  content: z.number(),
  basis: z.string().nullable(),
  version: z.number().nullable(),
  updated_at: z.string(),
});

const Based = z.object({
  sql: z.string(),
  disposition: z.enum(["append", "replace", "merge"]),
  key: z.array(z.string()),
  columns: z.array(z.string()),
  sources: z.record(z.string(), z.number()),
});

export const Names = z.array(z.string());
const Partition = z.record(z.string(), z.string().nullable());
const Contributed = z.object({
  run: z.string(),
  key: z.string(),
  rows: z.number(),
  bytes: z.number(),
  root: z.string(),
  fileNumber: z.number(),
  rerun: z.number().transform((rerun) => rerun === 1),
});

/** Whether a rerun of the file `s` waits: also one that was taken from the queue with others, and comes after them. */
const RERUN_WAITS = `EXISTS (SELECT 1 FROM runs w
  WHERE w.root = s.root AND w.state IN ('queued', 'running') AND w.kind = 'rerun' AND w.committed_at IS NULL)`;

/** What tables are now, read at once or in the middle of a transaction. */
export interface TableStates {
  /** In the order in which they were added. */
  filesOf(stack: string, name: string): PresentFile[];
  headOf(stack: string, name: string): TableHead | undefined;
  contributionsOf(stack: string, name: string): Contribution[];
}

export function tableStates({ sql }: Connection): TableStates {
  function filesOf(stack: string, name: string): PresentFile[] {
    const files = new Map<string, PresentFile>();
    const rows = sql(
      `SELECT f.key, f.rows, f.bytes, f.partition, f.stats, p.run, p.first_row, p.rows AS part_rows, s.root,
         s.number AS fileNumber,
         ${RERUN_WAITS} AS rerun
       FROM files f JOIN parts p ON p.file = f.number LEFT JOIN runs r ON r.id = p.run LEFT JOIN sources s ON s.root = r.root
       WHERE f.stack = ? AND f.name = ? ORDER BY f.number, p.position`,
    ).all(stack, name);
    for (const row of rows) {
      const { key, partition, rows, bytes, stats, ...part } = Row.parse(row);
      const file = files.get(key) ?? { key, rows, bytes, partition: parsed(Partition, partition), stats, parts: [] };
      files.set(key, file);
      const { run, first_row: firstRow, part_rows, root, fileNumber, rerun } = part;
      file.parts.push({ run, firstRow, rows: part_rows, root, fileNumber, rerun: rerun === 1 });
    }
    return [...files.values()];
  }

  function headOf(stack: string, name: string): TableHead | undefined {
    const found = sql(
      "SELECT columns, partition_by, location, change, content, basis, version, updated_at FROM tables WHERE stack = ? AND name = ?",
    ).get(stack, name);
    if (found === undefined) return undefined;
    const { columns, partition_by, basis, updated_at, ...head } = Head.parse(found);
    return {
      ...head,
      columns: parsed(z.array(TableColumn), columns),
      partitionBy: parsed(Names, partition_by),
      basis: basis === null ? null : parsed(Based, basis),
      updatedAt: updated_at,
    };
  }

  function contributionsOf(stack: string, name: string): Contribution[] {
    return sql(
      `SELECT c.run, c.key, c.rows, c.bytes, s.root, s.number AS fileNumber, ${RERUN_WAITS} AS rerun
         FROM contributions c JOIN runs r ON r.id = c.run JOIN sources s ON s.root = r.root
         WHERE c.stack = ? AND c.name = ? AND c.replaced_by IS NULL ORDER BY s.number, r.number`,
    )
      .all(stack, name)
      .map((row) => Contributed.parse({ ...row }));
  }

  return { filesOf, headOf, contributionsOf };
}

export const parsed = <T>(schema: z.ZodType<T>, json: string): T => schema.parse(JSON.parse(json));
