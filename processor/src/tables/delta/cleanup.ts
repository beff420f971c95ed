import type { ObjectStore } from "../../object-store/index.ts";
import type { TableHead } from "./actions.ts";
import { readCheckpoint } from "./checkpoint.ts";
import { checkWritable } from "./features.ts";
import { listLog } from "./log.ts";
import { logRetention } from "./retention.ts";

/**
 * Deletes what is older than `delta.logRetentionDuration` (30 days) of a table's log, as far as a checkpoint stands for it:
 * after that there is no travelling to those versions. Returns the keys that it deleted. Cut off midway it goes on the next
 * time (https://github.com/delta-io/delta/blob/master/PROTOCOL.md#metadata-cleanup).
 */
export async function cleanLog(
  store: ObjectStore,
  table: string,
  head: TableHead,
  { now = new Date() }: { now?: Date } = {},
): Promise<string[]> {
  checkWritable(table, head);
  if (head.metadata.configuration?.["delta.enableExpiredLogCleanup"] === "false") return [];
  const cutOff = new Date(now.getTime() - logRetention(head.metadata));
  cutOff.setUTCHours(0, 0, 0, 0);
  const { versions, checkpoints, all } = await listLog(store, table);
  const newest = [...versions].findLast(([, writtenAt]) => writtenAt <= cutOff)?.[0];
  const checkpoint = checkpoints.find(({ version }) => newest !== undefined && version <= newest);
  if (checkpoint === undefined) return [];
  const isOld = ({ key, version }: { key: string; version: number }) =>
    version < checkpoint.version || (version === checkpoint.version && key.endsWith(".compacted.json"));
  const old = all.filter(isOld).toSorted((one, other) => one.version - other.version);
  // Nothing but the checkpoint says what the deleted versions did, so it must be one that can be read.
  if (old.length === 0 || (await readCheckpoint(store, table, checkpoint.keys)) === undefined) return [];
  for (const { key } of old) await store.delete(key);
  return old.map(({ key }) => key);
}
