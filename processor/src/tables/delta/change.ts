import {
  type DataFile,
  type Metadata,
  type RemovedFile,
  SchemaChanged,
  type TableHead,
  type Transaction,
  UnsupportedTable,
} from "./actions.ts";
import { checkWritable, protocol } from "./features.ts";
import { pathToUri, type Version } from "./log.ts";
import { fieldsOf } from "./schema.ts";
import { readStats } from "./stats.ts";

/** What is to become one version of a table. */
export interface Change {
  /** What the commit calls itself in the table's history. */
  operation: "CREATE TABLE" | "WRITE" | "MERGE" | "DELETE" | "OPTIMIZE";
  /** The version that this change was worked out from; null for a table that is to be made. */
  readVersion: number | null;
  /** New columns or properties; required for a table that is to be made. */
  metadata?: Metadata;
  adds: readonly DataFile[];
  removes: readonly RemovedFile[];
  /** Makes the change idempotent: if the log has this or a later version of the appId, nothing is written. */
  transaction?: Transaction;
  /** True if nothing was read to make the change, so that no other commit's files are in its way. */
  blindAppend: boolean;
  /** True if the change stands for all rows of the table, so that whatever files others added meanwhile are a conflict. */
  replacesAll?: boolean;
  /** True if rows that others append meanwhile are a conflict, as one with the same key is for a merge. */
  seesAll?: boolean;
  /** Shown in the history. */
  operationParameters?: Record<string, string>;
  userMetadata?: string;
}

/** Throws unless a change is one that the protocol allows of a table; `before` is undefined for one that is to be made. */
export function checkChange(table: string, change: Change, before: TableHead | undefined): void {
  const metadata = change.metadata ?? before?.metadata;
  if (metadata === undefined) throw new Error(`Table "${table}" cannot be made without columns.`);
  checkWritable(table, { version: -1, protocol, ...before, metadata });
  if (before !== undefined && before.metadata.id !== metadata.id)
    throw new Error(`The columns of table "${table}" are for a table of another id; make them with evolve.`);
  if (before?.metadata.partitionColumns.join("\0") !== (before && metadata.partitionColumns.join("\0")))
    throw new SchemaChanged(
      `Table "${table}" is partitioned by ${list(before?.metadata.partitionColumns ?? [])} and would be by ` +
        `${list(metadata.partitionColumns)}; leave partitionBy as it was, or give the stack's table another name.`,
    );
  if (metadata.configuration?.["delta.appendOnly"] === "true" && change.removes.some(({ dataChange }) => dataChange))
    throw new UnsupportedTable(
      `Table "${table}" sets delta.appendOnly, so no rows can leave it; unset that property, or use the disposition append.`,
    );
  checkFiles(table, change.adds, metadata);
  mustDiffer(table, "adds", change.adds);
  mustDiffer(table, "removes", change.removes);
}

function checkFiles(table: string, adds: readonly DataFile[], metadata: Metadata): void {
  const partitionBy = metadata.partitionColumns.toSorted().join("\0");
  const required = fieldsOf(metadata).filter(({ nullable }) => !nullable);
  for (const { path, partitionValues, stats } of adds) {
    if (Object.keys(partitionValues).toSorted().join("\0") !== partitionBy)
      throw new Error(
        `The file ${path} of table "${table}" has no value for each of ${list(metadata.partitionColumns)}.`,
      );
    if (Object.values(partitionValues).includes(""))
      throw new Error(
        `The file ${path} of table "${table}" has an empty partition value, which Delta has not; make it null.`,
      );
    const { columns } = readStats(required.length === 0 ? null : stats);
    const empty = required.find(({ name }) =>
      name in partitionValues ? partitionValues[name] === null : columns.get(name)?.nulls !== 0,
    );
    if (empty !== undefined)
      throw new UnsupportedTable(
        `Column ${JSON.stringify(empty.name)} of table "${table}" must not be null, and is or may be in ${path}; ` +
          `replace nulls in the SQL, or ALTER TABLE … DROP NOT NULL.`,
      );
  }
}

function mustDiffer(table: string, what: string, files: readonly { path: string }[]): void {
  if (new Set(files.map(({ path }) => path)).size < files.length)
    throw new Error(`A commit to table "${table}" ${what} a file twice.`);
}

/** The lines of a version, in the order in which Spark writes them. */
export function actionsOf(change: Change, id: string, isNew: boolean): object[] {
  const { operation, readVersion, blindAppend, adds, removes, metadata, transaction, userMetadata } = change;
  const rows = adds.map(({ stats }) => readStats(stats).rows);
  return [
    {
      commitInfo: {
        timestamp: Date.now(),
        operation,
        operationParameters: change.operationParameters ?? {},
        ...(readVersion !== null && { readVersion }),
        isolationLevel: "WriteSerializable",
        isBlindAppend: blindAppend,
        operationMetrics: {
          numFiles: String(adds.length),
          numRemovedFiles: String(removes.length),
          numOutputBytes: String(adds.reduce((sum, { size }) => sum + size, 0)),
          ...(!rows.includes(undefined) && { numOutputRows: String(rows.reduce((sum: number, n = 0) => sum + n, 0)) }),
        },
        engineInfo: "Cais",
        txnId: id,
        ...(userMetadata !== undefined && { userMetadata }),
      },
    },
    ...(isNew ? [{ protocol }] : []),
    ...(metadata === undefined ? [] : [{ metaData: { ...metadata, configuration: metadata.configuration ?? {} } }]),
    ...(transaction === undefined ? [] : [{ txn: transaction }]),
    ...removes.map(({ path, uri, ...file }) => ({
      remove: {
        path: uri ?? pathToUri(path),
        ...file,
        extendedFileMetadata: file.partitionValues !== undefined && file.size !== undefined,
      },
    })),
    ...adds.map(({ path, uri, stats, ...file }) => ({
      add: { path: uri ?? pathToUri(path), ...file, ...(stats !== null && { stats }) },
    })),
  ];
}

/**
 * Why a change cannot come behind a version that another writer wrote since the change's data was read; undefined if it can
 * (https://docs.delta.io/latest/concurrency-control.html). A blind append by others is in no one's way but of who replaces
 * all rows or must have seen them all, as in Delta's isolation level WriteSerializable.
 */
export function conflictWith(change: Change, { adds, removes, others }: Version): string | undefined {
  if (others.some(({ protocol }) => protocol !== undefined)) return "changed what the table asks of its writers";
  if (others.some(({ metaData }) => metaData !== undefined)) return "changed the table's columns or properties";
  const removed = new Set(removes.map(({ path }) => path));
  const both = change.removes.find(({ path }) => removed.has(path));
  if (both !== undefined) return `removed ${both.path} too`;
  const isData = [...change.adds, ...change.removes].some(({ dataChange }) => dataChange);
  const isBlind = others.some(({ commitInfo }) => commitInfo?.["isBlindAppend"] === true);
  if (
    change.replacesAll === true
      ? adds.length === 0
      : change.blindAppend || !isData || (isBlind && change.seesAll !== true)
  )
    return undefined;
  const added = adds.find(({ dataChange }) => dataChange || change.replacesAll === true);
  return added && `added ${added.path}`;
}

const list = (columns: string[]) =>
  columns.length === 0 ? "nothing" : columns.map((name) => JSON.stringify(name)).join(", ");
