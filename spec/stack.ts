import { z } from "zod";
import { Contract } from "./contract.ts";
import { crossCheck } from "./cross-check.ts";
import { environments, Identifier, layers, StackName, TagValue } from "./names.ts";
import { Sink } from "./sinks.ts";
import { Upload } from "./upload.ts";

/** The name of a SQL file in a stack's folder. */
export const SqlFile = z
  .string()
  .regex(/^[\w-]+\.sql$/, "must be the name of a .sql file in the stack's folder")
  .describe("File in this folder with one SELECT. It sees `input` (the rows of this run) and the tables above it.");

/** A table of a stack: SQL over the rows of a run and the tables above it, or, of bronze, the rows as received. */
export const Table = z.strictObject({
  name: Identifier,
  layer: z
    .enum(layers)
    .describe("The medallion layer: bronze is as received, silver is cleaned, gold is aggregated. Bronze has no SQL."),
  sql: SqlFile.optional(),
  disposition: z
    .enum(["append", "replace", "merge"])
    .default("append")
    .describe(
      "append: a run's rows are added; replace: a run's result becomes the whole table; merge: a run's rows take the place of those with the same key. Only a bronze table, which is appended, may leave it out.",
    ),
  key: z
    .array(Identifier)
    .default([])
    .describe("Columns that tell a merged table's rows apart. None of them may be null."),
  partitionBy: z.array(Identifier).default([]).describe("Columns whose values each have files of their own."),
  replace: z
    .enum(["table", "partitions"])
    .default("table")
    .describe("What a run's result replaces: the whole table, or only the partitions that the result holds."),
});
export type Table = z.output<typeof Table>;

/** What a stack may cost. */
const Budget = z.strictObject({
  monthly: z.number().positive().describe("What it may cost in a month."),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, "must be the three letters of a currency (ISO 4217), such as USD")
    .describe("The currency's three letters (ISO 4217), such as USD."),
});

/** A stack key by key, without the rules that span keys. */
export const StackShape = z.strictObject({
  name: StackName.describe("The pipeline stack's name: the name of its folder."),
  owner: TagValue.describe("Who answers for it; becomes a tag on every resource."),
  costCentre: TagValue.optional().describe("Who pays for it. Default: the owner."),
  budget: Budget.optional().describe(
    "What it may cost: shown in the plan, and asked of every stack in production. Nothing measures costs yet.",
  ),
  description: z.string().optional(),
  environments: z.array(z.enum(environments)).min(1).describe("Where it is deployed."),
  isolated: z
    .boolean()
    .default(false)
    .describe(
      "Deployed apart, as a Pulumi stack of its own with its own processor, such as prod-openstack.<name>. `dev` holds it with all others.",
    ),
  source: z.strictObject({
    upload: Upload,
  }),
  contract: Contract,
  tables: z.array(Table).min(1),
  sinks: z.array(Sink).default([]).describe("Where results are delivered; each has one kind."),
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
