import type { ObjectStore } from "../../object-store/index.ts";
import { checkWritable } from "./features.ts";
import { fileRetention } from "./retention.ts";
import { snapshotAt } from "./snapshot.ts";

/** A file of a table that no version which readers may still use has. */
export interface UnusedFile {
  key: string;
  bytes: number;
}

/** The names that Cais gives to data files: `tableFileKey`. What others left unnamed in the log may be anything. */
const ownName = /^part-\d{5}-[\w-]+\.parquet$/;

/**
 * Deletes the files of a table that its newest version does not have: those that the log says were removed longer ago than
 * `delta.deletedFileRetentionDuration` (7 days), and those older than that which Cais wrote and no commit took. After that
 * there is no travelling to versions that had them. `isNeeded` keeps files for who knows more than the log. Returns what it
 * deleted, or with `dryRun` what it would.
 */
export async function vacuum(
  store: ObjectStore,
  table: string,
  {
    dryRun = false,
    retention,
    now = new Date(),
    isNeeded = () => false,
  }: {
    dryRun?: boolean;
    /** In milliseconds, instead of the table's own. */
    retention?: number;
    now?: Date;
    isNeeded?: (key: string) => boolean | Promise<boolean>;
  } = {},
): Promise<UnusedFile[]> {
  const snapshot = await snapshotAt(store, table);
  if (snapshot === undefined) return [];
  checkWritable(table, snapshot);
  const oldest = now.getTime() - (retention ?? fileRetention(snapshot.metadata));
  const unused: UnusedFile[] = [];
  for await (const { key, bytes, modifiedAt } of store.list(table)) {
    const path = key.slice(table.length + 1);
    // By the protocol, what begins so is no data file: the log itself, change data, indexes.
    if (path.split("/").some((part) => /^[_.]/.test(part)) || snapshot.files.has(path)) continue;
    const removedAt = snapshot.tombstones.get(path)?.deletionTimestamp;
    if (removedAt === undefined && !ownName.test(path)) continue;
    if (Math.max(removedAt ?? 0, modifiedAt.getTime()) >= oldest || (await isNeeded(key))) continue;
    unused.push({ key, bytes });
  }
  if (!dryRun) for (const { key } of unused) await store.delete(key);
  return unused;
}
