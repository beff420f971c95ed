import type { ObjectStore } from "../../object-store/index.ts";
import {
  type DataFile,
  LogGone,
  type Metadata,
  type Protocol,
  type RemovedFile,
  type Snapshot,
  type TableHead,
  type Transaction,
  UnsupportedTable,
} from "./actions.ts";
import { readCheckpoint, readLastCheckpoint } from "./checkpoint.ts";
import { checkReadable } from "./features.ts";
import { checkpointKey, listLog, type LogFiles, readVersion, type Version, versionKey } from "./log.ts";

/** Where in a table's history: a version, or what was the newest version at a time. */
export type At = { version: number } | { time: Date };

/**
 * The table at its newest version, or at another one. Undefined if there is no table. Throws if the table was not there
 * yet then, if the log no longer holds that version, and UnsupportedTable if Cais cannot read the table.
 */
export async function snapshotAt(store: ObjectStore, table: string, at?: At): Promise<Snapshot | undefined> {
  let log: LogFiles | undefined;
  let target = Infinity;
  if (at !== undefined && "version" in at) target = at.version;
  if (at !== undefined && "time" in at) {
    log = await listLog(store, table);
    if (log.versions.size === 0) return undefined;
    target = versionAt(log, at.time, table);
  }
  const last = log === undefined ? await readLastCheckpoint(store, table) : undefined;
  const state = await begin(store, table, target, last, log);
  if (state === undefined) return undefined;
  for await (const [number, version] of versionsAfter(store, table, state.version, target)) {
    apply(state, version, table);
    state.version = number;
  }
  if (target !== Infinity && state.version !== target)
    throw new Error(`Table "${table}" has no version ${target}; its newest one is ${state.version}.`);
  const head = headOf(state, table);
  checkReadable(table, head);
  return { ...head, files: state.files, tombstones: state.tombstones, transactions: state.transactions };
}

/** What the versions after one did, all together. */
export interface Changes {
  head: TableHead;
  /** Files that are in the table now and were not, or whose statistics changed. */
  adds: DataFile[];
  /** Files that are no longer in the table. One may have come and gone meanwhile. */
  removes: RemovedFile[];
  /** The newest of each appId. */
  transactions: Map<string, Transaction>;
}

/**
 * What was committed after a version that is known. Only newer versions of the log are read if the head is given whole,
 * else the snapshot of that version too. Throws LogGone if the log no longer holds the versions between.
 */
export async function changesSince(store: ObjectStore, table: string, known: number | TableHead): Promise<Changes> {
  const before = typeof known === "number" ? await snapshotAt(store, table, { version: known }) : known;
  if (before === undefined)
    throw new Error(
      `Table "${table}" has no Delta log, but had one at version ${String(known)}; restore ${table}/_delta_log.`,
    );
  const state: State = { ...emptyState(before.version), protocol: before.protocol, metadata: before.metadata };
  for await (const [number, version] of versionsAfter(store, table, before.version, Infinity)) {
    apply(state, version, table);
    state.version = number;
  }
  // The versions may end here because later ones are just being cleaned up.
  await mustFollow(store, table, state.version);
  const head = headOf(state, table);
  checkReadable(table, head);
  return {
    head,
    adds: [...state.files.values()],
    removes: [...state.tombstones.values()],
    transactions: state.transactions,
  };
}

/** A table while its log is read. */
interface State extends Omit<Snapshot, "protocol" | "metadata"> {
  protocol?: Protocol;
  metadata?: Metadata;
}

const emptyState = (version: number): State => ({
  version,
  files: new Map(),
  tombstones: new Map(),
  transactions: new Map(),
});

/** https://github.com/delta-io/delta/blob/master/PROTOCOL.md#action-reconciliation */
function apply(state: State, { adds, removes, others }: Version, table: string): void {
  for (const remove of removes) {
    state.files.delete(remove.path);
    state.tombstones.set(remove.path, remove);
  }
  for (const add of adds) {
    state.tombstones.delete(add.path);
    state.files.set(add.path, add);
  }
  for (const { protocol, metaData, txn } of others) {
    if (protocol !== undefined) state.protocol = protocol;
    if (metaData !== undefined) state.metadata = metaData;
    if (txn !== undefined) state.transactions.set(txn.appId, txn);
  }
  // Features that this version brings may say how later ones are to be read.
  if (state.protocol !== undefined && state.metadata !== undefined) checkReadable(table, headOf(state, table));
}

function headOf({ version, protocol, metadata }: State, table: string): TableHead {
  if (protocol === undefined || metadata === undefined)
    throw new UnsupportedTable(
      `The Delta log of table "${table}" lacks the table's columns; restore it from a backup.`,
    );
  return { version, protocol, metadata };
}

/** What to read the versions onto: the newest checkpoint that is not too new, or nothing before version 0. */
async function begin(
  store: ObjectStore,
  table: string,
  target: number,
  last: number | undefined,
  listed?: LogFiles,
): Promise<State | undefined> {
  if (last !== undefined && last <= target) {
    const state = await fromCheckpoint(store, table, last, [checkpointKey(table, last)]);
    if (state !== undefined) return state;
  }
  const log = listed ?? (await listLog(store, table));
  for (const { version, keys } of log.checkpoints) {
    const state = version <= target ? await fromCheckpoint(store, table, version, keys) : undefined;
    if (state !== undefined) return state;
  }
  if (log.versions.has(0)) return emptyState(-1);
  const [oldest] = log.versions.keys();
  if (oldest === undefined) return undefined;
  throw new UnsupportedTable(
    `The Delta log of table "${table}" begins with version ${oldest} and has no classic checkpoint ` +
      `${target === Infinity ? "" : `for version ${target} `}any more; ask for a later version, or write a classic checkpoint.`,
  );
}

async function fromCheckpoint(store: ObjectStore, table: string, version: number, keys: string[]) {
  const checkpoint = await readCheckpoint(store, table, keys);
  if (checkpoint === undefined) return undefined;
  const state = emptyState(version);
  apply(state, checkpoint, table);
  return state;
}

/** The most versions that are read at once. */
const AT_ONCE = 8;

/** The versions that follow, up to `target` or the newest. More are asked for the more there were. */
export async function* versionsAfter(
  store: ObjectStore,
  table: string,
  version: number,
  target: number,
): AsyncGenerator<[number, Version]> {
  for (let next = version + 1, count = 1; next <= target; next += count, count = Math.min(2 * count, AT_ONCE)) {
    const numbers = Array.from({ length: Math.min(count, target - next + 1) }, (_, index) => next + index);
    const versions = await Promise.all(numbers.map((number) => readVersion(store, table, number)));
    for (const [index, found] of versions.entries()) {
      if (found === undefined) return;
      yield [next + index, found];
    }
  }
}

/** Throws LogGone if the log was cleaned up beyond a version, so that none can follow it. */
export async function mustFollow(store: ObjectStore, table: string, version: number): Promise<void> {
  const last = await readLastCheckpoint(store, table);
  if (last === undefined || last <= version) return;
  // A checkpoint alone tells only that others went on, maybe a moment ago.
  if ((await store.head(versionKey(table, version + 1))) === undefined)
    throw new LogGone(
      `The Delta log of table "${table}" no longer holds what came after version ${version}; read the table anew.`,
    );
}

function versionAt({ versions }: LogFiles, time: Date, table: string): number {
  let found: number | undefined;
  for (const [version, writtenAt] of versions) if (writtenAt <= time) found = version;
  if (found !== undefined) return found;
  const [oldest] = versions.values();
  throw new Error(
    `Table "${table}" has no version of ${time.toISOString()}; its oldest one is of ${oldest?.toISOString() ?? "no time"}.`,
  );
}
