import { z } from "zod";
import { Identifier, SecretName } from "./names.ts";

/** How numbers are written: the character before the fraction, and the one between groups of three digits. */
const Decimal = z.enum([".", ","]);
const Thousands = z.enum(["", ".", ",", " ", "'"]);

const Nulls = z
  .array(z.string().min(1))
  .describe("Cells that mean no value, beside the empty one: `NULL`, `N/A`, or a sentinel such as -9999.");

/** Where a column's cells come from. */
const From = z.union([
  z.string().min(1).describe("Its header in the file."),
  z
    .strictObject({ preamble: z.string().min(1).describe("The label, without the separator after it.") })
    .describe("The value of a line before the header, such as `ESTACAO:;BRASILIA`; it is the same in every row."),
]);

/** One column of the contract: what it is called here, in the file, and what it must hold. */
export const Column = z.strictObject({
  name: Identifier.describe("The column's name in SQL and in the tables."),
  from: From.optional().describe("Its header in the file. Default: the name."),
  type: z.enum(["string", "integer", "double", "decimal", "boolean", "date", "timestamp"]),
  required: z.boolean().default(false).describe("A row with this cell empty, or of white space only, is refused."),
  optional: z.boolean().default(false).describe("A file may lack the column; its cells are empty then."),
  unique: z.boolean().default(false).describe("No two rows of a file may have the same value; the first one is taken."),
  scale: z.number().int().min(0).max(18).optional().describe("Digits after the point (decimal). Default: 2."),
  min: z
    .union([z.number(), z.string()])
    .optional()
    .describe("Smallest value accepted (integer, double, decimal; date and timestamp as ISO 8601 text)."),
  max: z
    .union([z.number(), z.string()])
    .optional()
    .describe("Largest value accepted (integer, double, decimal; date and timestamp as ISO 8601 text)."),
  pattern: z.string().optional().describe("Regular expression (RE2) that the whole cell must match (string)."),
  values: z.array(z.string()).min(1).optional().describe("The only values accepted (string)."),
  format: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .optional()
    .describe("How dates are written, such as %d/%m/%Y; of several, the first that fits (date, timestamp)."),
  timezone: z
    .string()
    .optional()
    .describe("IANA time zone of times that name none, such as America/Sao_Paulo. Default: UTC (timestamp)."),
  decimal: Decimal.optional().describe("Default: the contract's."),
  thousands: Thousands.optional().describe("Default: the contract's."),
  nulls: Nulls.optional().describe("Default: the contract's."),
  pii: z
    .enum(["mask", "hash", "drop"])
    .optional()
    .describe(
      "Personal data: no SQL of a table, and so no table and no sink, sees the value. mask: *** stands in its place; hash: its HMAC-SHA-256 by the contract's piiKey, the same for the same value; drop: there is no such column.",
    ),
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
  unique: z
    .array(z.array(Identifier).min(1))
    .default([])
    .describe("Sets of columns whose values together occur once in a file; the first row is taken."),
  decimal: Decimal.default(".").describe("The character before a number's fraction. Default: a point."),
  thousands: Thousands.default("").describe("The character between groups of three digits. Default: none."),
  nulls: Nulls.default([]),
  piiKey: z
    .strictObject({ secret: SecretName })
    .optional()
    .describe("The key of `pii: hash`: a secret of at least 32 characters."),
  unknownColumns: z
    .enum(["drop", "keep", "reject"])
    .default("drop")
    .describe(
      "Columns of the file that the contract does not name. keep: SQL sees them in the map `unknown_columns`; reject: the file is quarantined whole.",
    ),
  onViolation: z
    .enum(["quarantine", "fail", "discard"])
    .default("quarantine")
    .describe(
      "quarantine: refused rows are kept with the reason; fail: one refused row fails the run; discard: refused rows are only counted.",
    ),
  limit: z
    .strictObject({
      rows: z.number().int().min(0).optional().describe("Most refused rows of a file."),
      share: z.number().min(0).max(1).optional().describe("Largest share of a file's rows that may be refused."),
    })
    .default({})
    .describe("A file with more refused rows than this is quarantined whole. Default: no limit."),
});
export type Contract = z.output<typeof Contract>;
