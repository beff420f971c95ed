import { z } from "zod";
import { Identifier, ObjectKey, SecretName, tempUrlKey } from "./names.ts";

/** A secret's value, which no stack ever holds: its name in `cais:secrets.<stack>.<name>`. */
export const SecretRef = z
  .strictObject({
    secret: SecretName.refine((name) => name !== tempUrlKey, {
      message: `must not be ${tempUrlKey}, which signs the addresses of the stack's input store`,
    }),
  })
  .describe("The name of a secret that the platform team sets in `cais:secrets.<stack>.<name>`.");
export type SecretRef = z.output<typeof SecretRef>;

const table = Identifier.describe("The table to deliver.");
// A key has 512 characters; a run's id takes 28 of them.
const to = ObjectKey.max(480).describe("Key in the stack's output store.");
const per = z
  .enum(["table", "run"])
  .default("table")
  .describe(
    "table: one file with the whole table, replaced each time; run: a file of its own with what each run added, `-<run>` before the ending.",
  );

const Csv = z.strictObject({
  table,
  to,
  delimiter: z.enum([",", ";", "\t", "|"]).default(",").describe("What stands between cells."),
  decimal: z.enum([".", ","]).default(".").describe("What stands before a number's fraction."),
  per,
});

const Parquet = z.strictObject({ table, to, per });

/** How a run can end, for those who want to hear of it. */
export const RunEnding = z.enum(["done", "failed", "quarantined"]);
export type RunEnding = z.output<typeof RunEnding>;

const Webhook = z.strictObject({
  url: SecretRef.describe("Secret with the address that is told: https, or http where the processor may reach it."),
  secret: SecretRef.describe("Secret that signs what is sent: whsec_ and 24 to 64 bytes in base64."),
  on: z.array(RunEnding).min(1).default(["done", "failed", "quarantined"]).describe("Runs that end so are told."),
});

const Bi = z.strictObject({
  table: table.optional(),
  url: SecretRef.optional().describe(
    "Secret with the address that takes the table's rows: a push dataset's own, with its key, or `…/tables/<name>/rows` of the REST API, which needs `token`.",
  ),
  rows: z
    .enum(["aggregates", "all"])
    .default("aggregates")
    .describe("aggregates: only a gold table may be pushed; all: any table."),
  replace: z
    .boolean()
    .optional()
    .describe(
      "true: the rows there are deleted first and the whole table is pushed, which needs `token`; false: what each run added is added. Default: false for a table whose disposition is append, else true.",
    ),
  token: SecretRef.optional().describe(
    "Secret with the application that may do so: JSON with tenant, client and secret.",
  ),
  refresh: z
    .strictObject({ group: z.guid().optional(), dataset: z.guid() })
    .optional()
    .describe("The dataset, and its workspace, that is refreshed after the run; needs `token`."),
});

const Database = z.strictObject({
  table,
  url: SecretRef.describe(
    "Secret with the database's address: postgres://user:password@host:5432/database. TLS is asked for and checked.",
  ),
  ca: SecretRef.optional().describe("Secret with the certificate (PEM) of who signed the server's."),
  to: z
    .string()
    .regex(
      /^[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62})?$/,
      "must be table or schema.table, in letters without accents, digits and _",
    )
    .describe("The table there, or schema.table, in the case it is written in. It is made if it is not there."),
  key: z
    .array(Identifier)
    .min(1)
    .optional()
    .describe(
      "Columns that tell rows apart: a row takes the place of the one with its key. Default: all rows are replaced.",
    ),
});

/** What each kind of sink is given: the key under which it stands in the stack. */
export const sinkKinds = { csv: Csv, parquet: Parquet, bi: Bi, webhook: Webhook, database: Database };
export type SinkKind = keyof typeof sinkKinds;
/** The options of a kind, as parsed. */
export type SinkOptions<Kind extends SinkKind> = z.output<(typeof sinkKinds)[Kind]>;

/** Where results are delivered: one kind and its options. */
export const Sink = z.strictObject(sinkKinds).partial().meta({ minProperties: 1, maxProperties: 1 });
export type Sink = z.output<typeof Sink>;

/** A sink's kind. Throws if it is none, which `crossCheck` refuses. */
export function kindOf(sink: Sink): SinkKind {
  for (const [kind, options] of Object.entries(sink)) if (options !== undefined && isKind(kind)) return kind;
  throw new Error("The sink has no kind; validate the stack.");
}

const isKind = (text: string): text is SinkKind => Object.hasOwn(sinkKinds, text);

/** The table that a sink delivers; undefined for one that tells of runs. */
export function tableOf(sink: Sink): string | undefined {
  for (const options of Object.values(sink))
    if (options !== undefined && "table" in options && options.table !== undefined) return options.table;
  return undefined;
}

/** The names of all secrets that a stack mentions, each once: wherever it holds `{ secret: name }`. */
export function secretsOf(value: unknown): string[] {
  const reference = SecretRef.safeParse(value);
  if (reference.success) return [reference.data.secret];
  const inner = typeof value === "object" && value !== null ? Object.values(value) : [];
  return [...new Set(inner.flatMap(secretsOf))].toSorted();
}
