import { z } from "zod";
import { crossCheck } from "./cross-check.ts";
import { environments, Identifier, ObjectKey, StackName, TagValue } from "./names.ts";

const units: Record<string, number> = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

function bytesOf(size: string): number {
  const [, amount, unit] = /^([\d.]+)\s*(\w+)$/.exec(size) ?? [];
  return Math.floor(Number(amount) * (units[unit ?? ""] ?? Number.NaN));
}

/** A size: bytes as a number, or a number with its unit (`500MB`, `2GiB`). Decimal units are powers of 1,000 (IEC 80000-13). */
const Bytes = z.union([
  z.number().int().positive(),
  z
    .string()
    .regex(/^\d+(\.\d+)?\s*(B|kB|MB|GB|KiB|MiB|GiB)$/, "must be a number and one of B, kB, MB, GB, KiB, MiB, GiB")
    .refine((text) => !(bytesOf(text) < 1), "must be at least 1 byte")
    .transform(bytesOf),
]);

/** The name of a SQL file in a stack's folder. */
export const SqlFile = z
  .string()
  .regex(/^[\w-]+\.sql$/, "must be the name of a .sql file in the stack's folder")
  .describe("File in this folder with one SELECT. It sees `input` (the rows of this run) and the tables above it.");

/** One column of the contract: what it is called here, in the file, and what it must hold. */
export const Column = z.strictObject({
  name: Identifier.describe("The column's name in SQL and in the tables."),
  from: z.string().min(1).optional().describe("Its header in the file. Default: the name."),
  type: z.enum(["string", "integer", "double", "boolean", "date", "timestamp"]),
  required: z.boolean().default(false).describe("A row with this cell empty, or of white space only, is refused."),
  min: z.number().optional().describe("Smallest value accepted (integer, double)."),
  max: z.number().optional().describe("Largest value accepted (integer, double)."),
  pattern: z.string().optional().describe("Regular expression (RE2) that the whole cell must match (string)."),
  values: z.array(z.string()).min(1).optional().describe("The only values accepted (string)."),
  reason: z
    .string()
    .min(1)
    .optional()
    .describe(
      "What is told to the person who sent the row when pattern or values are not met. Default: what they are.",
    ),
});
export type Column = z.output<typeof Column>;

const Rule = z.strictObject({
  check: z
    .string()
    .min(1)
    .describe(
      "SQL expression over the columns. A row for which it is false is refused; null passes, as in SQL's CHECK.",
    ),
  reason: z.string().min(1).describe("What is told to the person who sent the row."),
});

export const Contract = z.strictObject({
  columns: z.array(Column).min(1),
  rules: z.array(Rule).default([]).describe("Rules over whole rows."),
  onViolation: z
    .enum(["quarantine", "fail", "discard"])
    .default("quarantine")
    .describe(
      "quarantine: refused rows are kept with the reason; fail: one refused row fails the run; discard: refused rows are only counted.",
    ),
});
export type Contract = z.output<typeof Contract>;

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
    upload: z.strictObject({
      formats: z
        .array(z.enum(["csv"]))
        .min(1)
        .default(["csv"]),
      maxBytes: Bytes.default(2e9).describe("Largest file accepted, such as 500MB. Default: 2GB."),
    }),
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
