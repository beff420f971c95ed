import type { TableColumn } from "@cais/spec/api.ts";
import type { TableVersion } from "@cais/spec/table-versions.ts";
import type { ObjectStore } from "../object-store/index.ts";
import type { DataFile } from "./delta/actions.ts";
import { listLog, type LogFiles, readVersion } from "./delta/log.ts";
import { columnsOf } from "./delta/schema.ts";
import { snapshotAt } from "./delta/snapshot.ts";
import { readStats } from "./delta/stats.ts";
import type { LakeFile, LakeFiles } from "./index.ts";

/** Where in a table's history: a version, or what was the newest one at a time. */
export type At = { version: number } | { time: Date };

/** Thrown where a table's log has no such version, or none of that time; the message says which it has. */
export class NoSuchVersion extends Error {
  override name = "NoSuchVersion";
}

/** A table as it was at a version. */
export interface TableThen {
  version: number;
  /** When the version was written. */
  at: Date;
  columns: TableColumn[];
  partitionBy: string[];
  files: (LakeFile & { bytes: number })[];
}

/** A table as it was. `known` are its columns of now, whose types are kept where they mean the same. Throws NoSuchVersion. */
export async function tableAt(
  store: ObjectStore,
  table: string,
  at: At,
  known: TableColumn[] = [],
): Promise<TableThen> {
  const { versions } = await listLog(store, table);
  const version = "version" in at ? at.version : versionOf(versions, at.time);
  const time = version === undefined ? undefined : versions.get(version);
  const snapshot =
    version === undefined || time === undefined ? undefined : await snapshotAt(store, table, { version });
  if (snapshot === undefined || time === undefined) throw noSuch(versions, table, at);
  const { metadata } = snapshot;
  const files = [...snapshot.files.values()].map(({ path, partitionValues, stats, size }) => ({
    key: `${table}/${path}`,
    partition: partitionValues,
    rows: readStats(stats).rows,
    bytes: size,
  }));
  return {
    version: snapshot.version,
    at: time,
    columns: columnsOf(metadata, known),
    partitionBy: metadata.partitionColumns,
    files,
  };
}

/** What an older version's rows are read from. Once vacuum deleted some of it, that is NoSuchVersion and no loss. */
export const filesThen = (lake: ObjectStore, table: string, { version, files }: TableThen): LakeFiles => ({
  lake,
  files: async () => files,
  gone: () =>
    new NoSuchVersion(
      `Version ${version} of table "${table}" can no longer be read, for vacuum deleted files of it; ask for a later one.`,
    ),
});

function versionOf(versions: LogFiles["versions"], time: Date): number | undefined {
  let found: number | undefined;
  for (const [version, written] of versions) if (written <= time) found = version;
  return found;
}

function noSuch(versions: LogFiles["versions"], table: string, at: At): NoSuchVersion {
  const all = [...versions];
  const [oldest, newest] = [all[0], all.at(-1)];
  if (oldest === undefined || newest === undefined)
    return new NoSuchVersion(
      `Table "${table}" has no version yet; the first one is written a moment after its first run.`,
    );
  const wanted = "version" in at ? `version ${at.version}` : `version of ${at.time.toISOString()}`;
  return new NoSuchVersion(
    `Table "${table}" has no ${wanted}; it has ${oldest[0]} (${oldest[1].toISOString()}) to ${newest[0]} (${newest[1].toISOString()}).`,
  );
}

/** A table's versions as its log has them, newest first: `limit` at most, those before `before`. */
export async function versionsOf(
  store: ObjectStore,
  table: string,
  { limit, before = Number.POSITIVE_INFINITY }: { limit: number; before?: number | undefined },
): Promise<{ versions: TableVersion[]; next: number | null }> {
  const log = await listLog(store, table);
  const all = [...log.versions].filter(([version]) => version < before);
  const page = all.slice(-limit);
  const [first] = page[0] ?? [];
  if (first === undefined) return { versions: [], next: null };
  // A removal says no rows, so the files from before are looked at once, and then followed.
  let files = log.versions.has(first - 1) ? await filesAt(store, table, first - 1) : new Map<string, FileSize>();
  const versions: TableVersion[] = [];
  for (const [version, time] of page) {
    const done = await follow(store, table, version, files);
    // The log before it was cleaned up, so that nothing is known of what it took out.
    if (version === first && first > 0 && !log.versions.has(first - 1)) files = await filesAt(store, table, first);
    versions.push({
      version,
      at: time.toISOString(),
      ...done,
      rows: sum([...files.values()].map(({ rows }) => rows)),
      files: files.size,
      bytes: [...files.values()].reduce((total, { bytes }) => total + bytes, 0),
    });
  }
  return { versions: versions.toReversed(), next: all.length > page.length ? first : null };
}

interface FileSize {
  /** null: the file does not say. */
  rows: number | null;
  bytes: number;
}

const sizeOf = ({ stats, size }: DataFile): FileSize => ({ rows: readStats(stats).rows ?? null, bytes: size });

/** The sum of what is known; null if one is not. */
const sum = (rows: Iterable<number | null>): number | null => {
  let total: number | null = 0;
  for (const one of rows) total = one === null || total === null ? null : total + one;
  return total;
};

const filesAt = async (store: ObjectStore, table: string, version: number): Promise<Map<string, FileSize>> =>
  new Map(
    [...((await snapshotAt(store, table, { version }))?.files ?? [])].map(([path, file]) => [path, sizeOf(file)]),
  );

/** Makes of the files before a version those after it, and says what it did. */
async function follow(store: ObjectStore, table: string, version: number, files: Map<string, FileSize>) {
  const { adds, removes, others } = (await readVersion(store, table, version)) ?? { adds: [], removes: [], others: [] };
  const removed = removes.filter(({ dataChange }) => dataChange).map(({ path }) => files.get(path)?.rows ?? null);
  for (const { path } of removes) files.delete(path);
  for (const file of adds) files.set(file.path, sizeOf(file));
  const added = adds.filter(({ dataChange }) => dataChange).map((file) => sizeOf(file).rows);
  const info = others.find(({ commitInfo }) => commitInfo !== undefined)?.commitInfo;
  return {
    operation: info?.operation ?? null,
    program: info?.engineInfo ?? null,
    added: sum(added),
    removed: sum(removed),
  };
}
