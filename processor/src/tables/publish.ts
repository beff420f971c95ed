import type { Publication } from "../ledger/index.ts";
import { CommitConflict } from "./delta/actions.ts";
import { isCheckpointDue, readLastCheckpoint, writeCheckpoint } from "./delta/checkpoint.ts";
import { commit } from "./delta/commit.ts";
import { newMetadata } from "./delta/schema.ts";
import { snapshotAt } from "./delta/snapshot.ts";
import { type FollowedTable, follow } from "./follow.ts";
import { appIdOf, type LogView, withoutStats } from "./log-view.ts";
import { changeOf, dataFileOf, planPublications, together, unwrittenOf } from "./plan-publication.ts";

/** Other programs commit between as often as this before a publication waits for its next turn. */
const ATTEMPTS = 20;

/**
 * Writes what waits for a table's log, and makes a log for a table that has none. Each commit carries the ledger's batch
 * number, so that one that a crash cut off is found in the log and not written again. Gives the number of commits.
 */
export async function publish(of: FollowedTable): Promise<number> {
  let commits = 0;
  for (let conflicts = 0; ;) {
    const { view, pending } = await follow(of);
    try {
      if (view === undefined) {
        if (!(await create(of, pending))) return commits;
      } else {
        if (pending.length === 0) return commits;
        await write(of, view, together(pending));
      }
      commits += 1;
    } catch (error) {
      conflicts += 1;
      // What it conflicts with is followed first, which also finds out whether it can be made at all.
      if (!(error instanceof CommitConflict) || conflicts === ATTEMPTS) throw error;
    }
  }
}

/** The first version of a log: all that the ledger has of the table. False: it has nothing. */
async function create(of: FollowedTable, pending: Publication[]): Promise<boolean> {
  const { stack, table, lake, ledger } = of;
  const state = await ledger.tables.read(stack, table);
  if (state === undefined) return false;
  const modifiedAt = Date.parse(state.updatedAt);
  const files = state.files.map((file) => dataFileOf(table, { ...file, modifiedAt }, true));
  const last = pending.at(-1);
  const { version, head } = await commit(lake, table, {
    operation: "CREATE TABLE",
    readVersion: null,
    metadata: newMetadata(state.columns, state.partitionBy),
    adds: files,
    removes: [],
    ...(last && { transaction: { appId: appIdOf(stack, table), version: last.batch, lastUpdated: Date.now() } }),
    blindAppend: false,
  });
  const present = new Set(state.files.map(({ key }) => key));
  const unwritten = pending.flatMap(({ adds }) => adds.map(({ key }) => key)).filter((key) => !present.has(key));
  await ledger.publications.published(
    pending.map(({ id }) => id),
    { version, unwritten },
  );
  of.view = { head, files: new Map(files.map((file) => [file.path, withoutStats(file)])), batch: last?.batch ?? 0 };
  return true;
}

async function write(of: FollowedTable, view: LogView, group: Publication[]): Promise<void> {
  const { table, lake, ledger } = of;
  const { planned, refused } = planPublications(view, group, { known: [], foreign: false });
  const [refusal] = refused;
  if (refusal !== undefined) {
    // It was made after the log was followed last; that is done again, which says what becomes of it.
    of.view = undefined;
    of.alignedAt = undefined;
    throw new CommitConflict(refusal.reason);
  }
  const change = changeOf(view, group, planned);
  const { version, applied, head } = await commit(lake, table, change, view.head);
  await ledger.publications.published(
    group.map(({ id }) => id),
    { version, unwritten: unwrittenOf(group, planned) },
  );
  if (applied && version === view.head.version + 1) {
    for (const { path } of change.removes) view.files.delete(path);
    for (const file of change.adds) view.files.set(file.path, withoutStats(file));
    of.view = { head, files: view.files, batch: change.transaction?.version ?? view.batch };
    of.alignedAt = version;
  }
  if (applied) await checkpoint(of, version);
}

/**
 * A checkpoint where the last one is that far behind, whoever wrote the versions between. It only spares readers time, so it
 * may be missing: the next commit tries again.
 */
async function checkpoint(of: FollowedTable, version: number): Promise<void> {
  const { table, lake } = of;
  try {
    of.checkpointAt ??= (await readLastCheckpoint(lake, table)) ?? 0;
    if (!isCheckpointDue(version, of.checkpointAt)) return;
    const snapshot = await snapshotAt(lake, table, { version });
    if (snapshot !== undefined) await writeCheckpoint(lake, table, snapshot);
    of.checkpointAt = version;
  } catch (error) {
    of.onCheckpointFailed(error);
  }
}
