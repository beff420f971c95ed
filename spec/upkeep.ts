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

/** A table whose log went back to what the ledger knows, after a restore. */
export const Rewound = z.object({
  stack: z.string(),
  name: z.string(),
  version: z.number().int().nullable().describe("The newest one now; null: the table begins anew."),
  versions: z.number().int().describe("How many were taken off."),
});
export type Rewound = z.output<typeof Rewound>;

/** Files that no version of a table which is kept needs. */
export const Vacuumed = z.object({
  stack: z.string(),
  name: z.string(),
  dryRun: z.boolean().describe("Whether they were only listed."),
  files: z.array(z.object({ key: z.string(), bytes: z.number().int() })),
});
export type Vacuumed = z.output<typeof Vacuumed>;
