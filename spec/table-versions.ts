import { z } from "zod";

const rows = z.number().int().nullable();

/** One version of a table: a commit to its Delta log. */
export const TableVersion = z.object({
  version: z.number().int(),
  at: z.iso.datetime(),
  operation: z.string().nullable().describe("What the commit calls itself, such as WRITE, MERGE or OPTIMIZE."),
  program: z.string().nullable().describe("What wrote it, as it says itself."),
  added: rows.describe(
    "Rows in the files that it added; null where a file does not say. 0 if it only rearranged rows.",
  ),
  removed: rows.describe("Rows in the files that it took out."),
  rows: rows.describe("Rows of the table since then."),
  files: z.number().int().describe("Files of the table since then."),
  bytes: z.number().int().describe("Their size."),
});
export type TableVersion = z.output<typeof TableVersion>;

export const TableVersions = z.object({
  stack: z.string(),
  name: z.string(),
  versions: z.array(TableVersion).describe("Newest first. Those whose log was cleaned up are not there any more."),
  next: z.number().int().nullable().describe("Pass as `before` for the next page."),
});
export type TableVersions = z.output<typeof TableVersions>;
