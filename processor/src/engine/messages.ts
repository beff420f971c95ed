import { TableColumn } from "@cais/spec/api.ts";
import { Contract } from "@cais/spec/contract.ts";
import { Upload } from "@cais/spec/upload.ts";
import { z } from "zod";
import { Writes } from "../sinks/writes.ts";

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
  }),
  z.object({
    do: z.literal("table"),
    folder: z.string(),
    name: z.string(),
    sql: z.string(),
    before: z.array(z.string()),
  }),
  z.object({ do: z.literal("attach"), name: z.string(), files: z.array(z.string()) }),
  z.object({ do: z.literal("convert"), from: z.string(), to: z.string(), columns: z.array(TableColumn) }),
  z.object({ do: z.literal("write"), table: z.string(), file: z.string(), writes: Writes }),
  z.object({ do: z.literal("reads"), tables: z.array(z.object({ name: z.string(), sql: z.string() })) }),
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

/** A table's result: the rows of this run. */
export const Made = z.object({ columns: z.array(TableColumn), rows: z.number(), file: z.string() });
export type Made = z.output<typeof Made>;

/** What each table's SQL reads: `input` and tables before it, in lower case. */
export const Reads = z.record(z.string(), z.array(z.string()));
export type Reads = z.output<typeof Reads>;

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
