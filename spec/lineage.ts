import { z } from "zod";
import { DeliveryState, How, SinkKind } from "./api.ts";
import { layers } from "./names.ts";

/** What became of something that a run was to make. `none`: nothing, since the run ended before it. */
export const LineageState = z.enum(["done", "waiting", "failed", "none"]);
export type LineageState = z.output<typeof LineageState>;

export const LineageNode = z.object({
  id: z.string().describe("`file`, `table/<table>` or `sink/<sink>`."),
  kind: z.enum(["file", "table", "sink"]),
  name: z.string().describe("The file's name as sent; the table's; the table that a sink delivers, or whom it tells."),
  layer: z.enum(layers).nullable().describe("Of a table."),
  sink: SinkKind.nullable().describe("Of a sink: its kind."),
  state: LineageState,
  rows: z
    .number()
    .int()
    .nullable()
    .describe("Rows of the file, that the run made of the table, or that were delivered."),
  bytes: z.number().int().nullable(),
  how: How.nullable().describe("How a table was made."),
  version: z.number().int().nullable().describe("The version of the table's Delta log."),
  location: z.string().nullable().describe("Where it is: a path for fs, a URL elsewhere."),
  delivery: z
    .object({ id: z.number().int(), state: DeliveryState, error: z.string().nullable() })
    .nullable()
    .describe("Of a sink that delivers beside the run."),
});
export type LineageNode = z.output<typeof LineageNode>;

/** What a run made of what: from the received file over the tables to the sinks. */
export const Lineage = z.object({
  run: z.string(),
  stack: z.string(),
  nodes: z.array(LineageNode).describe("Each after all that it is made of."),
  edges: z.array(z.object({ from: z.string(), to: z.string() })).describe("`to` is made of `from`."),
});
export type Lineage = z.output<typeof Lineage>;
