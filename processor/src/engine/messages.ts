import { TableColumn } from "@cais/spec/api.ts";
import { Contract } from "@cais/spec/contract.ts";
import { Upload } from "@cais/spec/upload.ts";
import { z } from "zod";
import { Writes, Written } from "../sinks/writes.ts";

/** What a replay reads; null for a file that is read as it was received. */
export const Replay = z
  .discriminatedUnion("scope", [
    z.object({
      scope: z.literal("rows"),
      /** The Parquet file of the rows that are open. */
      rejected: z.string(),
      /** An edited CSV of these rows. */
      correction: z.string().nullable(),
    }),
    z.object({
      scope: z.literal("file"),
      /** Edited CSVs of rows of the file; of two that hold the same row, the later one counts. */
      corrections: z.array(z.string()),
      /** The Parquet file of the rows that are open, which alone the last correction may hold; null: any row. */
      open: z.string().nullable(),
    }),
  ])
  .nullable();
export type Replay = z.output<typeof Replay>;

/** What a bronze table says of all rows of a file. */
export const Received = z.object({ file: z.string(), run: z.string(), receivedAt: z.iso.datetime() });
export type Received = z.output<typeof Received>;

/** A Parquet file of a table, as SQL is to see it. */
export const SeenFile = z.object({
  file: z.string(),
  /** Values of the partition columns as Delta writes them; asked only where the file itself lacks such a column. */
  partition: z.record(z.string(), z.string().nullable()).optional(),
  /** Rows that are left out, counted from 0 as they stand in the file. */
  without: z.array(z.object({ firstRow: z.number(), rows: z.number() })).optional(),
});
export type SeenFile = z.output<typeof SeenFile>;

/** How a table's files are written. */
const Writing = { folder: z.string(), name: z.string(), partitionBy: z.array(z.string()).optional() };

/** What the processor asks of an engine's process, one after the other. Paths are absolute and in the session's folder. */
export const Request = z.discriminatedUnion("do", [
  z.object({
    do: z.literal("open"),
    folder: z.string(),
    limits: z.object({ memoryBytes: z.number(), tempBytes: z.number(), threads: z.number() }),
  }),
  z.object({ do: z.literal("begin") }),
  z.object({
    do: z.literal("contract"),
    folder: z.string(),
    file: z.string(),
    name: z.string(),
    upload: Upload,
    contract: Contract,
    replay: Replay,
    /** Asked where rows are to be kept as received. */
    received: Received.optional(),
    /** The key of columns that are hashed. */
    piiKey: z.string().optional(),
  }),
  z.object({
    do: z.literal("table"),
    ...Writing,
    /** null: the rows as they were received. */
    sql: z.string().nullable(),
    before: z.array(SeenFile),
  }),
  z.object({ do: z.literal("attach"), name: z.string(), files: z.array(SeenFile), columns: z.array(TableColumn) }),
  z.object({
    do: z.literal("merge"),
    ...Writing,
    key: z.array(z.string()),
    columns: z.array(TableColumn),
    present: z.array(SeenFile),
    added: z.array(z.string()),
  }),
  z.object({
    do: z.literal("fold"),
    ...Writing,
    key: z.array(z.string()),
    columns: z.array(TableColumn),
    contributions: z.array(z.string()),
  }),
  z.object({ do: z.literal("rewrite"), ...Writing, columns: z.array(TableColumn), files: z.array(SeenFile) }),
  z.object({ do: z.literal("convert"), ...Writing, from: z.string(), columns: z.array(TableColumn) }),
  z.object({ do: z.literal("write"), table: z.string(), file: z.string(), writes: Writes }),
  z.object({ do: z.literal("reads"), tables: z.array(z.object({ name: z.string(), sql: z.string() })) }),
  z.object({ do: z.literal("sources"), sql: z.string() }),
  z.object({
    do: z.literal("answer"),
    folder: z.string(),
    sql: z.string(),
    tables: z.array(z.object({ files: z.array(SeenFile), columns: z.array(TableColumn) })),
    limit: z.number(),
    writes: Writes,
  }),
  z.object({ do: z.literal("close") }),
]);
export type Request = z.output<typeof Request>;

/** The contract's result: counts, and the Parquet file of refused rows if there are any. */
export const Checked = z.object({
  read: z.number(),
  clean: z.number(),
  rejected: z.number(),
  file: z.string().nullable(),
  /** Of the file, or of a zip's first member. */
  header: z.array(z.string()),
  found: z.object({ format: z.string(), encoding: z.string().optional(), delimiter: z.string().optional() }),
});
export type Checked = z.output<typeof Checked>;

/** A Parquet file of one partition, as it was written. */
export const MadeFile = z.object({
  file: z.string(),
  rows: z.number(),
  bytes: z.number(),
  /** Values of the partition columns as Delta writes them. */
  partition: z.record(z.string(), z.string().nullable()),
  /** Statistics as Delta writes them: JSON. */
  stats: z.string().nullable(),
});
export type MadeFile = z.output<typeof MadeFile>;

/** A table's result: the rows of this run, in one file at least for each partition. */
export const Made = z.object({ columns: z.array(TableColumn), files: z.array(MadeFile) });
export type Made = z.output<typeof Made>;

/** What became of a merged table: its new files, and which of the present ones they take the place of. */
export const Merged = Made.extend({ replaced: z.array(z.string()) });
export type Merged = z.output<typeof Merged>;

/** What each table's SQL does. */
export const Reads = z.record(
  z.string(),
  z.object({
    /** `input` and tables before it, in lower case. */
    tables: z.array(z.string()),
    /** Why it does not give for each row of its one table what it gives for that row alone; null: it does. */
    whole: z.string().nullable(),
  }),
);
export type Reads = z.output<typeof Reads>;

/** A table that a query names. */
export const Source = z.object({
  /** As it stands in the SQL; null: the table alone is named. */
  stack: z.string().nullable(),
  table: z.string(),
  /** Which version of it is meant, or what was the newest one at a time; both null: the table as it is now. */
  version: z.number().nullable(),
  time: z.iso.datetime().nullable(),
});
export type Source = z.output<typeof Source>;
export const Sources = z.array(Source);

/** A query's first rows, as they were written. */
export const Answer = Written.extend({
  columns: z.array(TableColumn),
  /** Whether there are more rows than were asked for. */
  more: z.boolean(),
});
export type Answer = z.output<typeof Answer>;

/** Memory that the process holds after a session, in bytes. */
export const Closed = z.object({ bytes: z.number() });

export const Reply = z.discriminatedUnion("as", [
  z.object({ as: z.literal("done"), result: z.unknown() }),
  z.object({
    as: z.literal("failed"),
    /**
     * `unreadable`: the file's fault. `refused`: the stack's. `engine`: what the SQL engine said. `memory`: it lacked
     * memory. `disk`: the disk is full. `broken`: the engine cannot go on.
     */
    fault: z.enum(["unreadable", "refused", "engine", "memory", "disk", "broken"]),
    message: z.string(),
  }),
  z.object({ as: z.literal("out of memory"), bytes: z.number() }),
]);
export type Reply = z.output<typeof Reply>;
