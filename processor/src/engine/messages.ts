import { TableColumn } from "@cais/spec/api.ts";
import { Contract } from "@cais/spec/contract.ts";
import { z } from "zod";

/** What the processor asks of an engine's process, one after the other. Paths are absolute and in the run's folder. */
export const Request = z.discriminatedUnion("do", [
  z.object({
    do: z.literal("open"),
    folder: z.string(),
    limits: z.object({ memoryBytes: z.number(), tempBytes: z.number(), threads: z.number() }),
  }),
  z.object({ do: z.literal("contract"), file: z.string(), contract: Contract }),
  z.object({ do: z.literal("table"), name: z.string(), sql: z.string(), before: z.array(z.string()) }),
  z.object({ do: z.literal("attach"), name: z.string(), files: z.array(z.string()) }),
  z.object({ do: z.literal("csv"), table: z.string() }),
]);
export type Request = z.output<typeof Request>;

/** The contract's result: counts, and the Parquet file of refused rows if there are any. */
export const Checked = z.object({
  read: z.number(),
  clean: z.number(),
  rejected: z.number(),
  file: z.string().nullable(),
});
export type Checked = z.output<typeof Checked>;

/** A table's result: the rows of this run. */
export const Made = z.object({ columns: z.array(TableColumn), rows: z.number(), file: z.string() });
export type Made = z.output<typeof Made>;

/** A sink's result: the whole table. */
export const Written = z.object({ rows: z.number(), file: z.string() });
export type Written = z.output<typeof Written>;

export const Reply = z.discriminatedUnion("as", [
  z.object({ as: z.literal("done"), result: z.unknown() }),
  z.object({
    as: z.literal("failed"),
    /** `unreadable`: the file's fault. `refused`: the stack's. `engine`: what the SQL engine said. */
    fault: z.enum(["unreadable", "refused", "engine"]),
    message: z.string(),
  }),
  z.object({ as: z.literal("out of memory"), bytes: z.number() }),
]);
export type Reply = z.output<typeof Reply>;
