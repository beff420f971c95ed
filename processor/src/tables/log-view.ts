import type { ObjectStore } from "../object-store/index.ts";
import { type DataFile, LogGone, type Snapshot, type TableHead } from "./delta/actions.ts";
import { changesSince, snapshotAt } from "./delta/snapshot.ts";
import { readStats } from "./delta/stats.ts";

/** What the ledger's batches are called in a table's log. */
export const appIdOf = (stack: string, table: string) => `${stack}/${table}`;

/** A table as its log was read last. */
export interface LogView {
  head: TableHead;
  /** By path. */
  files: Map<string, DataFile>;
  /** The newest batch of the ledger that the log has; 0: none. */
  batch: number;
}

/**
 * Once the ledger has a file, its statistics are kept there alone, but for how many rows it has: they are most of what a file
 * takes in memory.
 */
export function withoutStats(file: DataFile): DataFile {
  const { rows } = readStats(file.stats);
  return { ...file, stats: rows === undefined ? null : JSON.stringify({ numRecords: rows }) };
}

/** The table as its log is now: `known`, moved on, if the log still holds what came after it. Undefined: there is no log. */
export async function readView(
  lake: ObjectStore,
  stack: string,
  table: string,
  known: LogView | undefined,
): Promise<LogView | undefined> {
  if (known === undefined) return viewOf(await snapshotAt(lake, table), stack, table);
  try {
    const { head, adds, removes, transactions } = await changesSince(lake, table, known.head);
    if (head.version === known.head.version) return known;
    for (const { path } of removes) known.files.delete(path);
    for (const file of adds) known.files.set(file.path, file);
    return { head, files: known.files, batch: transactions.get(appIdOf(stack, table))?.version ?? known.batch };
  } catch (error) {
    if (error instanceof LogGone) return viewOf(await snapshotAt(lake, table), stack, table);
    throw error;
  }
}

function viewOf(snapshot: Snapshot | undefined, stack: string, table: string): LogView | undefined {
  if (snapshot === undefined) return undefined;
  const { version, protocol, metadata, files, transactions } = snapshot;
  const batch = transactions.get(appIdOf(stack, table))?.version ?? 0;
  return { head: { version, protocol, metadata }, files, batch };
}
