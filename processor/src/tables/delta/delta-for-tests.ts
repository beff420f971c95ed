import { readFile, writeFile } from "node:fs/promises";
import type { TableColumn } from "@cais/spec/api.ts";
import type { ObjectStore } from "../../object-store/index.ts";
import type { DataFile, RemovedFile, TableHead } from "./actions.ts";
import type { Change } from "./change.ts";
import { commit, type Committed } from "./commit.ts";
import { versionKey } from "./log.ts";
import { newMetadata } from "./schema.ts";

/** A file that only the log knows: what commits and snapshots are about. */
export const fileOf = (path: string, change: Partial<DataFile> = {}): DataFile => ({
  path,
  size: 10,
  modificationTime: 1_700_000_000_000,
  partitionValues: {},
  stats: '{"numRecords":2}',
  dataChange: true,
  ...change,
});

export const removedOf = (
  { path, size, partitionValues }: DataFile,
  change: Partial<RemovedFile> = {},
): RemovedFile => ({
  path,
  size,
  partitionValues,
  deletionTimestamp: Date.now(),
  dataChange: true,
  ...change,
});

/** An append of files by their names, with what a test changes of it. */
export const changeOf = (paths: string[], change: Partial<Change> = {}): Change => ({
  operation: "WRITE",
  readVersion: null,
  adds: paths.map((path) => fileOf(path)),
  removes: [],
  blindAppend: true,
  ...change,
});

/** Makes a table with a file `first`. */
export function makeTable(
  store: ObjectStore,
  table: string,
  {
    columns = [{ name: "a", type: "BIGINT" }],
    configuration = {},
  }: { columns?: TableColumn[]; configuration?: Record<string, string> } = {},
): Promise<Committed> {
  return commit(store, table, changeOf(["first"], { metadata: newMetadata(columns, [], configuration) }));
}

/** Commits one file after another, so that the table has a version for each. */
export async function append(store: ObjectStore, table: string, head: TableHead, paths: string[]): Promise<TableHead> {
  let newest = head;
  for (const path of paths)
    newest = (await commit(store, table, changeOf([path], { readVersion: newest.version }), newest)).head;
  return newest;
}

/** Writes a version as another program would. */
export const writeLog = (store: ObjectStore, table: string, version: number, ...actions: object[]) =>
  store.put(versionKey(table, version), lines(actions));

async function* lines(actions: object[]): AsyncGenerator<Uint8Array> {
  yield Buffer.from(actions.map((action) => `${JSON.stringify(action)}\n`).join(""));
}

/** A version's lines. */
export const readLog = async (store: ObjectStore, table: string, version: number): Promise<unknown[]> =>
  (await readFile(store.location(versionKey(table, version)), "utf8"))
    .trim()
    .split("\n")
    .map((line): unknown => JSON.parse(line));

/** Spoils an object. */
export const overwrite = (store: ObjectStore, key: string, text: string) => writeFile(store.location(key), text);
