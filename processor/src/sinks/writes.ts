import { z } from "zod";

/** How the engine writes what a sink delivers: the form of the file. */
export const Writes = z.discriminatedUnion("as", [
  z.object({ as: z.literal("csv"), delimiter: z.string(), decimal: z.enum([".", ","]) }),
  z.object({ as: z.literal("parquet") }),
  z.object({ as: z.literal("ndjson"), form: z.enum(["texts", "objects"]) }),
]);
export type Writes = z.output<typeof Writes>;

/** What is delivered, as it was written. */
export const Written = z.object({ file: z.string(), rows: z.number(), bytes: z.number() });
export type Written = z.output<typeof Written>;
