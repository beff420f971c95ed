import { z } from "zod";
import { TableColumn } from "./api.ts";

/** Rows of an answer: unless asked for otherwise, and at most. */
export const QUERY_ROWS = { byDefault: 1000, atMost: 1_000_000 } as const;

export const QueryFormat = z.enum(["json", "ndjson", "csv"]);
export type QueryFormat = z.output<typeof QueryFormat>;

export const NewQuery = z.strictObject({
  sql: z
    .string()
    .trim()
    .min(1, "is empty; write one SELECT, such as FROM stack.table")
    .max(100_000, "must have at most 100,000 characters")
    .describe(
      "One SELECT in DuckDB's SQL. A table is named stack.table, or table if no other stack has one of that name; a stack with a hyphen in quotes (\"azure-cost\".cost) or with _ for it (azure_cost.cost). AT (VERSION => 3) or AT (TIMESTAMP => '2026-01-31') after a table is the table as it was.",
    ),
  limit: z
    .number()
    .int()
    .min(1)
    .max(QUERY_ROWS.atMost)
    .default(QUERY_ROWS.byDefault)
    .describe("How many rows are answered; `more`, or the header x-cais-more, tells whether there are others."),
  format: QueryFormat.default("json"),
});
export type NewQuery = z.input<typeof NewQuery>;

/** A query's answer as JSON. */
export const QueryAnswer = z.object({
  columns: z.array(TableColumn),
  rows: z.number().int(),
  more: z.boolean().describe("Whether there are more rows than were asked for."),
  data: z
    .array(z.array(z.string().nullable()))
    .describe(
      "Each row's cells in the order of the columns, as text, so that no number loses a digit; null: no value.",
    ),
});
export type QueryAnswer = z.output<typeof QueryAnswer>;
