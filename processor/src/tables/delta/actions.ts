import { z } from "zod";

/** A Delta table's actions as the log spells them: https://github.com/delta-io/delta/blob/master/PROTOCOL.md#actions */

/** A checkpoint has INT64, which is a bigint; sizes, times and versions fit a number, or the action is refused. */
const int = z.preprocess((value) => (typeof value === "bigint" ? Number(value) : value), z.int());
const strings = z.record(z.string(), z.string());
/** A partition's values by column; the log leaves out what is null, or gives null or an empty text for it. */
const partitionValues = z.record(z.string(), z.string().nullable());
const optional = <T extends z.ZodType>(type: T) => type.nullish().transform((value) => value ?? undefined);

const Protocol = z.object({
  minReaderVersion: int,
  minWriterVersion: int,
  readerFeatures: optional(z.array(z.string())),
  writerFeatures: optional(z.array(z.string())),
});
/** What a program must know to read and to write the table. */
export interface Protocol {
  minReaderVersion: number;
  minWriterVersion: number;
  /** Only with reader version 3. */
  readerFeatures?: string[] | undefined;
  /** Only with writer version 7. */
  writerFeatures?: string[] | undefined;
}

const Metadata = z.object({
  id: z.string(),
  name: optional(z.string()),
  description: optional(z.string()),
  format: z.object({ provider: z.string(), options: optional(strings) }),
  schemaString: z.string(),
  partitionColumns: z.array(z.string()),
  createdTime: optional(int),
  configuration: optional(strings),
});
/** The table's columns, partition columns and properties. */
export interface Metadata {
  id: string;
  name?: string | undefined;
  description?: string | undefined;
  format: { provider: string; options?: Record<string, string> | undefined };
  /** The columns, as `schema.ts` reads them. */
  schemaString: string;
  partitionColumns: string[];
  /** Milliseconds since 1970. */
  createdTime?: number | undefined;
  /** Properties such as `delta.appendOnly`. */
  configuration?: Record<string, string> | undefined;
}

const Add = z.object({
  path: z.string(),
  partitionValues,
  size: int,
  modificationTime: int,
  dataChange: z.boolean(),
  stats: optional(z.string()),
  tags: optional(z.record(z.string(), z.string().nullable())),
  deletionVector: z.unknown().optional(),
});

const Remove = z.object({
  path: z.string(),
  deletionTimestamp: optional(int),
  dataChange: z.boolean().default(true),
  partitionValues: optional(partitionValues),
  size: optional(int),
  deletionVector: z.unknown().optional(),
});

const Transaction = z.object({ appId: z.string(), version: int, lastUpdated: optional(int) });
/** How far a program has come: it never writes the same version twice. */
export interface Transaction {
  appId: string;
  version: number;
  /** Milliseconds since 1970. */
  lastUpdated?: number | undefined;
}

const CommitInfo = z.looseObject({
  timestamp: optional(int),
  operation: optional(z.string()),
  operationParameters: optional(z.record(z.string(), z.unknown())),
  engineInfo: optional(z.string()),
  userMetadata: optional(z.string()),
});
/** What a commit says of itself. Nothing of it can be relied on. */
export type CommitInfo = z.output<typeof CommitInfo>;

/** One line of the log. What a line holds beside these is ignored, as the protocol asks. */
export const Action = z.object({
  protocol: optional(Protocol),
  metaData: optional(Metadata),
  add: optional(Add),
  remove: optional(Remove),
  txn: optional(Transaction),
  commitInfo: optional(CommitInfo),
});
export type Action = z.output<typeof Action>;

/** A data file of a table. */
export interface DataFile {
  /** Relative to the table's folder, as the store knows it: nothing in it is escaped. */
  path: string;
  /** In bytes. */
  size: number;
  /** Milliseconds since 1970. */
  modificationTime: number;
  /** By partition column, as the protocol writes values: `2024-01-31`, `1.5`, `true`; never an empty text, which means null. */
  partitionValues: Record<string, string | null>;
  /** JSON: numRecords, minValues, maxValues, nullCount. See `stats.ts`. */
  stats: string | null;
  /** False if the commit only rearranges rows, as compacting does. */
  dataChange: boolean;
  tags?: Record<string, string | null>;
  /** As the log spells the path, where this is not what `pathToUri` makes of it. */
  uri?: string;
}

/** A file that a commit takes out of the table; it stays in the store until `vacuum`. */
export interface RemovedFile {
  path: string;
  /** Milliseconds since 1970. */
  deletionTimestamp: number;
  dataChange: boolean;
  partitionValues?: Record<string, string | null>;
  size?: number;
  uri?: string;
}

/** A table as its log leaves it at one version, without its files. */
export interface TableHead {
  version: number;
  protocol: Protocol;
  metadata: Metadata;
}

/** A table as its log leaves it at one version. */
export interface Snapshot extends TableHead {
  /** By path. */
  files: Map<string, DataFile>;
  /** By path: what was removed and may still be read by those who began before. */
  tombstones: Map<string, RemovedFile>;
  /** By appId. */
  transactions: Map<string, Transaction>;
}

/** Thrown for a table that needs of its readers or writers what Cais does not know. */
export class UnsupportedTable extends Error {
  override name = "UnsupportedTable";
}

/** Thrown for columns that changed in a way a table cannot follow. */
export class SchemaChanged extends Error {
  override name = "SchemaChanged";
}

/** Thrown when the log no longer holds what came after a version: the table must be read anew. */
export class LogGone extends Error {
  override name = "LogGone";
}

/** Thrown when another commit came between that what is to be committed does not fit. */
export class CommitConflict extends Error {
  override name = "CommitConflict";
}
