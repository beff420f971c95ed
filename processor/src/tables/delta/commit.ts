import type { DataFile, Metadata, RemovedFile, TableHead, Transaction } from "./actions.ts";

/** What is to become one version of a table. */
export interface Change {
  /** What the commit calls itself in the table's history. */
  operation: "CREATE TABLE" | "WRITE" | "MERGE" | "DELETE" | "OPTIMIZE" | "VACUUM";
  /** The version that this change was worked out from; null for a table that is to be made. */
  readVersion: number | null;
  /** New columns or properties; required for a table that is to be made. */
  metadata?: Metadata;
  adds: DataFile[];
  removes: RemovedFile[];
  /** Makes the change idempotent: if the log has this or a later version of the appId, nothing is written. */
  transaction?: Transaction;
  /** True if nothing was read to make the change, so that no other commit's files are in its way. */
  blindAppend: boolean;
  /** True if the change stands for all rows of the table, so that files which others added meanwhile are a conflict. */
  replacesAll?: boolean;
  /** Shown in the history. */
  operationParameters?: Record<string, string>;
  userMetadata?: string;
}

export interface Committed {
  /** The version with the change: the new one, or the newest one if it was there already. */
  version: number;
  /** False if `transaction` was there already, so that nothing was written. */
  applied: boolean;
  /** The table's head after it, for the next commit. */
  head: TableHead;
}
