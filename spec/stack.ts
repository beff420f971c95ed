import { z } from "zod";
import { Contract } from "./contract.ts";
import { crossCheck } from "./cross-check.ts";
import { environments, Identifier, ObjectKey, StackName, TagValue } from "./names.ts";
import { Upload } from "./upload.ts";

/** The name of a SQL file in a stack's folder. */
export const SqlFile = z
  .string()
  .regex(/^[\w-]+\.sql$/, "must be the name of a .sql file in the stack's folder")
  .describe("File in this folder with one SELECT. It sees `input` (the rows of this run) and the tables above it.");

const Table = z.strictObject({
  name: Identifier,
  layer: z.enum(["silver", "gold"]).describe("The medallion layer: silver is cleaned, gold is aggregated."),
  sql: SqlFile,
  disposition: z
    .enum(["append", "replace"])
    .describe("append: a run's rows are added; replace: a run's result becomes the whole table."),
});
export type Table = z.output<typeof Table>;

const CsvSink = z.strictObject({
  csv: z.strictObject({
    table: Identifier.describe("The table to deliver, whole."),
    to: ObjectKey.describe("Key in the stack's output store."),
  }),
});

/** A stack key by key, without the rules that span keys. */
export const StackShape = z.strictObject({
  name: StackName.describe("The pipeline stack's name: the name of its folder."),
  owner: TagValue.describe("Who answers for it; becomes a tag on every resource."),
  costCentre: TagValue.optional().describe("Who pays for it. Default: the owner."),
  description: z.string().optional(),
  environments: z.array(z.enum(environments)).min(1).describe("Where it is deployed."),
  source: z.strictObject({
    upload: Upload,
  }),
  contract: Contract,
  tables: z.array(Table).min(1),
  sinks: z.array(CsvSink).default([]),
});

/** One pipeline stack: what a data team asks for in `stacks/<name>/stack.yaml`. */
export const Stack = StackShape.superRefine((stack, context) => {
  for (const { path, message } of crossCheck(stack)) context.addIssue({ code: "custom", path, message });
});
export type Stack = z.output<typeof Stack>;

/** The JSON schema of a stack.yaml for editors: its shape. `cais validate` knows the rest. */
export const stackJsonSchema = () => ({
  title: "A Cais pipeline stack",
  ...z.toJSONSchema(StackShape, { io: "input", target: "draft-7" }),
});
