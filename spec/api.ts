import { z } from "zod";
import { layers } from "./names.ts";

/** The processor's answers, for the API itself, the CLI and the page. Times are ISO 8601 in UTC. */

export const Upload = z.object({
  id: z.string().describe("The run's id."),
  stack: z.string(),
  name: z.string().describe("The file's name as sent."),
  bytes: z.number().int(),
  sha256: z.string(),
});
export type Upload = z.output<typeof Upload>;

/** Where a file is put without passing through the processor. */
export const TempUpload = z.object({
  id: z.string(),
  method: z.literal("PUT"),
  url: z.string().describe("Takes the file as the body of a PUT. It is a secret."),
  expiresAt: z.iso.datetime(),
  confirm: z.string().describe("Where a POST says that it was put; below the address of the API."),
});
export type TempUpload = z.output<typeof TempUpload>;

/** A file that was put there. */
export const ConfirmedUpload = Upload.extend({
  known: z.boolean().describe("Whether another file brought this content before: it is not loaded again."),
});
export type ConfirmedUpload = z.output<typeof ConfirmedUpload>;

export const RunState = z.enum(["queued", "running", "done", "failed", "quarantined"]);
export type RunState = z.output<typeof RunState>;

export const Step = z.object({
  name: z
    .string()
    .describe(
      "`contract`, `tables/<table>`, `merge/<table>`, `commit`, `sinks/<kind>/<name>`, `after/archive` or `after/delete`.",
    ),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime().nullable().describe("null while it runs, and for the step that failed."),
});
export type Step = z.output<typeof Step>;

export const How = z.object({
  mode: z.enum(["incremental", "full"]),
  why: z.string().optional().describe("Why it was not done incrementally."),
});
export type How = z.output<typeof How>;

export const SinkKind = z.enum(["csv", "parquet", "bi", "webhook", "database"]);

export const RunOutput = z.object({
  kind: z.enum(["table", ...SinkKind.options]),
  name: z.string().describe("The table's name."),
  location: z.string().describe("Where it is: a path for fs, a URL elsewhere."),
  rows: z.number().int(),
  bytes: z.number().int(),
  how: How.nullable().optional().describe("How a table was made: of the new rows alone, or whole."),
  version: z
    .number()
    .int()
    .nullable()
    .optional()
    .describe("The version of the table's Delta log; null: not yet in it."),
});
export type RunOutput = z.output<typeof RunOutput>;

export const DeliveryState = z.enum(["pending", "delivering", "delivered", "retrying", "failed", "superseded"]);
export type DeliveryState = z.output<typeof DeliveryState>;

export const Delivery = z.object({
  id: z.number().int(),
  stack: z.string(),
  sink: z.string().describe("The sink's place in stack.yaml, its kind and name, such as `0-csv-rain`."),
  kind: SinkKind,
  name: z.string().describe("The table's name; of a webhook, its secret's."),
  run: z.string(),
  payloadKey: z.string().nullable().describe("Where the lake keeps what is delivered until it is."),
  state: DeliveryState.describe(
    "pending: not tried yet; retrying: waits for retryAt; superseded: a later one says what it was to say.",
  ),
  attempts: z.number().int(),
  retryAt: z.iso.datetime().nullable(),
  error: z.string().nullable().describe("Why the last attempt failed, and what to do."),
  rows: z.number().int(),
  bytes: z.number().int(),
  canDouble: z.string().nullable().describe("Why it can be delivered twice; null: it cannot."),
  addedAt: z.iso.datetime(),
  deliveredAt: z.iso.datetime().nullable(),
});
export type Delivery = z.output<typeof Delivery>;

export const RunKind = z.enum(["load", "replay", "rerun"]);
export type RunKind = z.output<typeof RunKind>;

export const Run = z.object({
  id: z.string(),
  stack: z.string(),
  kind: RunKind.describe(
    "load: a file's first run; replay: of its open rejected rows, or of all of it; rerun: of the whole file again.",
  ),
  root: z.string().nullable().describe("The file's first run; null for that run itself."),
  state: RunState,
  file: z.object({ name: z.string(), key: z.string(), bytes: z.number().int(), sha256: z.string() }),
  rows: z
    .object({ read: z.number().int(), clean: z.number().int(), rejected: z.number().int() })
    .describe("Rows of the file. Every row read is either clean or rejected."),
  open: z
    .object({ scope: z.enum(["rows", "file"]), rows: z.number().int() })
    .nullable()
    .describe("What a replay would do: the file's rows that are in no table yet, or the whole file; null: nothing."),
  found: z
    .object({ format: z.string(), encoding: z.string().nullable(), delimiter: z.string().nullable() })
    .nullable()
    .describe("What the file was found to be; null until it was read."),
  attempts: z.number().int(),
  retryAt: z.iso.datetime().nullable().describe("When a run whose last attempt broke off is tried again."),
  by: z.string().nullable().describe("Who asked for it: a token's name, or null."),
  error: z.string().nullable().describe("Why it failed or was quarantined, and what to do."),
  steps: z.array(Step),
  outputs: z.array(RunOutput),
  deliveries: z.array(Delivery).describe("What its sinks deliver, or delivered, beside the run."),
  queuedAt: z.iso.datetime(),
  startedAt: z.iso.datetime().nullable(),
  finishedAt: z.iso.datetime().nullable(),
});
export type Run = z.output<typeof Run>;

export const Runs = z.object({
  runs: z.array(Run).describe("Newest first."),
  next: z.string().nullable().describe("Pass as `before` for the next page."),
});
export type Runs = z.output<typeof Runs>;

/** What became of a wish to run several files again. */
export const Reruns = z.object({
  runs: z.array(Run).describe("What was queued, in the order in which it is done."),
  skipped: z
    .array(z.object({ run: z.string().describe("The file's first run."), reason: z.string() }))
    .describe("Files that cannot be run again now."),
});
export type Reruns = z.output<typeof Reruns>;

export const RejectedRow = z.object({
  row: z.number().int().describe("The row's number as a spreadsheet shows it: the header is row 1."),
  member: z.string().nullable().describe("The file inside a zip; null where the file is none."),
  column: z.string().nullable().describe("The column as the contract names it; null for a rule over the row."),
  reason: z.string(),
  value: z.string().nullable().describe("The refused cell as it was in the file."),
  text: z.string().nullable().describe("The row as it was in the file, at most its first 1,000 characters."),
});
export type RejectedRow = z.output<typeof RejectedRow>;

export const TableColumn = z.object({ name: z.string(), type: z.string().describe("DuckDB's name of the type.") });

export type TableColumn = z.output<typeof TableColumn>;

export const Table = z.object({
  stack: z.string(),
  name: z.string(),
  layer: z.enum(layers),
  columns: z.array(TableColumn).describe("Empty until the first run."),
  partitionBy: z.array(z.string()).describe("Columns whose values each have files of their own."),
  version: z
    .number()
    .int()
    .nullable()
    .describe("The version of its Delta log; null: it has none yet. A commit is in the log a moment after it counts."),
  rows: z.number().int(),
  bytes: z.number().int(),
  updatedAt: z.iso.datetime().nullable(),
});
export type Table = z.output<typeof Table>;

export const Tables = z.object({ tables: z.array(Table) });

export const TableRows = Table.extend({
  data: z.array(z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))),
  offset: z.number().int(),
});
export type TableRows = z.output<typeof TableRows>;

/** What the last look at all of an input store found. */
export const FullScan = z.object({
  finishedAt: z.iso.datetime(),
  seconds: z.number().describe("How long it took: so long a new file may wait that is found by no other way."),
  objects: z.number().int(),
  ignored: z
    .number()
    .int()
    .describe(
      "Those that are never taken, as their names are no keys or of no format of the stack, or that are too large.",
    ),
});
export type FullScan = z.output<typeof FullScan>;

export const StackSummary = z.object({
  name: z.string(),
  owner: z.string(),
  description: z.string().nullable(),
  formats: z.array(z.string()),
  endings: z.array(z.string()).describe("How names of files that are taken may end, such as .csv and .gz."),
  maxBytes: z.number().int(),
  direct: z.boolean().describe("Whether a page may put files straight into the store, by an address of its `uploads`."),
  fullScan: FullScan.nullable().describe("null: its input store is not looked through, or was not yet."),
  tables: z.array(z.object({ name: z.string(), layer: z.enum(layers) })),
});
export type StackSummary = z.output<typeof StackSummary>;

export const Stacks = z.object({ environment: z.string(), stacks: z.array(StackSummary) });

/** Objects that Cais wrote and that no run or table has. */
export const Garbage = z.object({
  dryRun: z.boolean().describe("Whether they were only listed."),
  objects: z.array(z.object({ store: z.string(), key: z.string(), bytes: z.number().int() })),
});
export type Garbage = z.output<typeof Garbage>;

/** An error (RFC 9457, application/problem+json). */
export const Problem = z.object({
  type: z.string().describe("`urn:cais:problem:<code>`: what a program may branch on."),
  title: z.string(),
  status: z.number().int(),
  detail: z.string().describe("What failed, on what, and what to do."),
});
export type Problem = z.output<typeof Problem>;
