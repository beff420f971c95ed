import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { ObjectStore } from "../../object-store/index.ts";
import { CommitConflict, type Snapshot, type TableHead, UnsupportedTable } from "./actions.ts";
import { actionsOf, type Change, checkChange, conflictWith } from "./change.ts";
import { protocol } from "./features.ts";
import { createVersion, isPlainPath, type Version } from "./log.ts";
import { mustFollow, snapshotAt, versionsAfter } from "./snapshot.ts";

export interface Committed {
  /** The version with the change: the new one, or one that had it already. */
  version: number;
  /** False if `transaction` was there already, so that nothing was written. */
  applied: boolean;
  /** The table's newest head, for the next commit. */
  head: TableHead;
}

/** How often others may be first, with up to a second between: some minutes. */
const ATTEMPTS = 200;
const LONGEST_PAUSE = 1000;

/**
 * Commits a change as the table's next version. Another writer may be first: then the change goes behind that version, if
 * it still fits. `head` is the table's at `readVersion`, as the call before gave it; without it the log is read up to there.
 * Throws CommitConflict, LogGone if `readVersion` is too old to tell, UnsupportedTable and SchemaChanged.
 */
export async function commit(store: ObjectStore, table: string, change: Change, head?: TableHead): Promise<Committed> {
  const { readVersion } = change;
  const read =
    head === undefined || head.version !== readVersion ? await readTable(store, table, readVersion) : undefined;
  if (read !== undefined && isIn(read.transactions.get(change.transaction?.appId ?? ""), change))
    return { version: read.version, applied: false, head: await newestHead(store, table, read) };
  if (readVersion === null && read !== undefined)
    throw new CommitConflict(`Table "${table}" was made by another commit meanwhile; follow its log and try again.`);
  const before = read ?? (readVersion === null ? undefined : head);
  checkChange(table, change, before);
  if (before !== undefined) await mustFollow(store, table, before.version);
  const id = randomUUID();
  const actions = actionsOf(await withUris(store, table, change, read), id, before === undefined);
  let newest = before;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const version = (newest?.version ?? -1) + 1;
    if (await createVersion(store, table, version, actions)) {
      const metadata = change.metadata ?? newest?.metadata;
      if (metadata === undefined) throw new Error(`Table "${table}" was made without columns.`);
      return { version, applied: true, head: { protocol, ...newest, version, metadata } };
    }
    const met = await meet(store, table, newest, change, id);
    if (met.mine !== undefined) return { ...met.mine, head: met.head };
    if (met.conflict !== undefined)
      throw new CommitConflict(
        `A commit to table "${table}" came too late: ${met.conflict}. Follow its log and try again.`,
      );
    newest = met.head;
    await setTimeout(Math.random() * Math.min(LONGEST_PAUSE, 5 * 2 ** attempt));
  }
  throw new CommitConflict(
    `Table "${table}" got other commits ${ATTEMPTS} times while one was to be written; try again.`,
  );
}

/** The table as the change knew it; undefined if it is to be made and there is none. */
async function readTable(store: ObjectStore, table: string, readVersion: number | null): Promise<Snapshot | undefined> {
  const read = await snapshotAt(store, table, readVersion === null ? undefined : { version: readVersion });
  if (read === undefined && readVersion !== null)
    throw new UnsupportedTable(
      `Table "${table}" has no Delta log any more, but had one at version ${readVersion}; restore ${table}/_delta_log.`,
    );
  return read;
}

async function newestHead(store: ObjectStore, table: string, from: TableHead): Promise<TableHead> {
  let { version, protocol, metadata } = from;
  for await (const [number, { others }] of versionsAfter(store, table, version, Infinity)) {
    version = number;
    for (const other of others) {
      protocol = other.protocol ?? protocol;
      metadata = other.metaData ?? metadata;
    }
  }
  return { version, protocol, metadata };
}

const isIn = (found: { version: number } | undefined, { transaction }: Change): boolean =>
  found !== undefined && transaction !== undefined && found.version >= transaction.version;

/** What the versions that others wrote meanwhile mean for a change. */
async function meet(
  store: ObjectStore,
  table: string,
  from: TableHead | undefined,
  change: Change,
  id: string,
): Promise<{ head: TableHead; mine?: { version: number; applied: boolean }; conflict?: string }> {
  let head = from;
  let mine: { version: number; applied: boolean } | undefined;
  let conflict: string | undefined;
  for await (const [version, found] of versionsAfter(store, table, from?.version ?? -1, Infinity)) {
    mine ??= mineIn(found, version, change, id);
    const why = from === undefined ? "made the table" : conflictWith(change, found);
    if (why !== undefined) conflict ??= `version ${version} ${why}`;
    const next: Partial<TableHead> = { ...head, version };
    for (const { protocol, metaData } of found.others) {
      if (protocol !== undefined) next.protocol = protocol;
      if (metaData !== undefined) next.metadata = metaData;
    }
    head = headOf(next, table);
  }
  // The version that was there when ours should be written is not yet, or no longer, to be read.
  if (head === undefined) throw new CommitConflict(`Table "${table}" was made and removed meanwhile; try again.`);
  return { head, ...(mine && { mine }), ...(conflict !== undefined && { conflict }) };
}

function headOf({ version, protocol, metadata }: Partial<TableHead>, table: string): TableHead {
  if (version === undefined || protocol === undefined || metadata === undefined)
    throw new UnsupportedTable(`The Delta log of table "${table}" begins without the table's columns; restore it.`);
  return { version, protocol, metadata };
}

/** Whether a version is the change itself: a store may have written it and lost its answer, and then met it as another's. */
function mineIn({ others }: Version, version: number, change: Change, id: string) {
  if (others.some(({ commitInfo }) => commitInfo?.["txnId"] === id)) return { version, applied: true };
  const isThere = others.some(({ txn }) => txn?.appId === change.transaction?.appId && isIn(txn, change));
  return isThere ? { version, applied: false } : undefined;
}

/** Names files to remove as they were added, because readers compare the spelling. */
async function withUris(
  store: ObjectStore,
  table: string,
  change: Change,
  read: Snapshot | undefined,
): Promise<Change> {
  const { readVersion, removes } = change;
  const isOdd = removes.some(({ path, uri }) => uri === undefined && !isPlainPath(path));
  if (!isOdd || readVersion === null) return change;
  const files = (read ?? (await readTable(store, table, readVersion)))?.files;
  return {
    ...change,
    removes: removes.map((remove) => {
      const uri = remove.uri ?? files?.get(remove.path)?.uri;
      return uri === undefined ? remove : { ...remove, uri };
    }),
  };
}
