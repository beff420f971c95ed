import { z } from "zod";

/** What became of a table whose small files were put together. */
export const Optimized = z.object({
  stack: z.string(),
  name: z.string(),
  removed: z.number().int().describe("Files that are in the table no more."),
  added: z.number().int().describe("Files that hold their rows now."),
  bytes: z.number().int().describe("The size of these."),
});
export type Optimized = z.output<typeof Optimized>;

/** Files that no version of a table which is kept needs. */
export const Vacuumed = z.object({
  stack: z.string(),
  name: z.string(),
  dryRun: z.boolean().describe("Whether they were only listed."),
  files: z.array(z.object({ key: z.string(), bytes: z.number().int() })),
});
export type Vacuumed = z.output<typeof Vacuumed>;
