import { rm, utimes } from "node:fs/promises";
import { Readable } from "node:stream";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { type ObjectStore, openObjectStore } from "../../object-store/index.ts";
import { testFolder } from "../../processor-for-tests.ts";
import type { TableHead } from "./actions.ts";
import { writeCheckpoint } from "./checkpoint.ts";
import { cleanLog } from "./cleanup.ts";
import { commit } from "./commit.ts";
import { append, changeOf, fileOf, makeTable, overwrite, removedOf } from "./delta-for-tests.ts";
import { checkpointKey, logFolder, versionKey } from "./log.ts";
import { snapshotAt } from "./snapshot.ts";
import { vacuum } from "./vacuum.ts";

const DAY = 86_400_000;
const now = new Date("2026-03-31T12:00:00Z");
const ago = (days: number) => new Date(now.getTime() - days * DAY);

let folder: string;
let store: ObjectStore;
beforeAll(async () => {
  folder = await testFolder("delta-vacuum");
  store = await openObjectStore({ driver: "fs", path: "lake" }, folder);
});
afterAll(() => rm(folder, { recursive: true }));

let made = 0;
let table: string;
beforeEach(() => {
  table = `t${made++}`;
});

async function put(path: string, days: number): Promise<void> {
  await store.put(`${table}/${path}`, Readable.from([Buffer.from("four")]));
  await utimes(store.location(`${table}/${path}`), ago(days), ago(days));
}

const left = async () => {
  const keys = (await Array.fromAsync(store.list(table))).map(({ key }) => key.slice(table.length + 1));
  return keys.filter((key) => !key.startsWith("_delta_log/")).toSorted();
};

const isNeeded = (key: string) => key.endsWith("pending.parquet");

it("deletes what was removed or left over longer ago than readers may need it, and nothing else", async () => {
  const { head } = await makeTable(store, table);
  const present = ["part-00001-present.parquet", "day=1/spark.parquet"];
  const removed = [6, 8].map((days) =>
    removedOf(fileOf(`removed ${days}`), { deletionTimestamp: ago(days).getTime() }),
  );
  await commit(store, table, changeOf([...present, "removed 6", "removed 8"], { readVersion: 0 }), head);
  await commit(store, table, { ...changeOf([], { readVersion: 1, blindAppend: false }), removes: removed });
  for (const path of [...present, "removed 6", "removed 8", "first"]) await put(path, 20);
  await put("part-00001-late.parquet", 6);
  await put("part-00002-left-over.parquet", 8);
  await put("part-00001-pending.parquet", 20);
  await put("theirs.parquet", 20);
  await put("_change_data/part-00001-x.parquet", 20);
  const kept = [
    "_change_data/part-00001-x.parquet",
    "day=1/spark.parquet",
    "first",
    "part-00001-late.parquet",
    "part-00001-pending.parquet",
    "part-00001-present.parquet",
    "removed 6",
    "theirs.parquet",
  ];
  const unused = ["part-00002-left-over.parquet", "removed 8"];
  const found = await vacuum(store, table, { dryRun: true, now, isNeeded });
  expect(found.toSorted((one, other) => one.key.localeCompare(other.key))).toEqual(
    unused.map((path) => ({ key: `${table}/${path}`, bytes: 4 })),
  );
  expect(await left()).toEqual([...kept, ...unused].toSorted());
  await vacuum(store, table, { now, isNeeded });
  expect(await left()).toEqual(kept);
  await vacuum(store, table, { now, isNeeded, retention: 5 * DAY });
  expect(await left()).toEqual(kept.filter((path) => path !== "part-00001-late.parquet" && path !== "removed 6"));
});

it("deletes nothing of what is no table that Cais writes", async () => {
  await put("part-00001-x.parquet", 20);
  expect(await vacuum(store, table, { now })).toEqual([]);
  await makeTable(store, table, { configuration: { "delta.enableChangeDataFeed": "true" } });
  await overwrite(
    store,
    versionKey(table, 1),
    '{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["vacuumProtocolCheck"]}}',
  );
  await expect(vacuum(store, table, { now })).rejects.toThrow("has the Delta feature vacuumProtocolCheck");
  expect(await left()).toEqual(["part-00001-x.parquet"]);
});

/** A table of six versions with checkpoints of versions 2 and 4, each version a number of days old. */
async function logOf(days: number[], configuration: Record<string, string> = {}): Promise<TableHead> {
  const { head } = await makeTable(store, table, { configuration });
  const newest = await append(store, table, head, ["b", "c", "d", "e", "f"]);
  for (const version of [2, 4]) {
    const snapshot = await snapshotAt(store, table, { version });
    if (snapshot !== undefined) await writeCheckpoint(store, table, snapshot);
  }
  for (const [version, count] of days.entries())
    await utimes(store.location(versionKey(table, version)), ago(count), ago(count));
  return newest;
}

const log = async () =>
  (await Array.fromAsync(store.list(logFolder(table))))
    .map(({ key }) => key.slice(logFolder(table).length + 1))
    .map((name) => name.replace(/^0+(?=\d)/, ""))
    .toSorted();

it("cleans the log up to the checkpoint that the kept versions need", async () => {
  const head = await logOf([50, 45, 40, 35, 20, 10]);
  expect(await cleanLog(store, table, head, { now })).toEqual([versionKey(table, 0), versionKey(table, 1)]);
  expect(await log()).toEqual([
    "2.checkpoint.parquet",
    "2.json",
    "3.json",
    "4.checkpoint.parquet",
    "4.json",
    "5.json",
    "_last_checkpoint",
  ]);
  expect([...((await snapshotAt(store, table, { version: 3 }))?.files.keys() ?? [])]).toEqual(["first", "b", "c", "d"]);
  expect(await cleanLog(store, table, head, { now })).toEqual([]);
  const later = new Date(now.getTime() + 12 * DAY);
  expect(await cleanLog(store, table, head, { now: later })).toEqual(
    expect.arrayContaining([checkpointKey(table, 2), versionKey(table, 2), versionKey(table, 3)]),
  );
  expect((await snapshotAt(store, table))?.files.size).toBe(6);
});

it("cleans nothing without a whole checkpoint, too early, or where the table says so", async () => {
  const head = await logOf([50, 45, 29, 20, 15, 10]);
  expect(await cleanLog(store, table, head, { now })).toEqual([]);
  const never = {
    ...head,
    metadata: { ...head.metadata, configuration: { "delta.enableExpiredLogCleanup": "false" } },
  };
  const late = new Date(now.getTime() + 100 * DAY);
  expect(await cleanLog(store, table, never, { now: late })).toEqual([]);
  await overwrite(store, checkpointKey(table, 4), "broken");
  await expect(cleanLog(store, table, head, { now: late })).rejects.toThrow("of a Delta table's log cannot be read");
  expect(await log()).toHaveLength(9);
});

it("keeps versions as long as the table says", async () => {
  const head = await logOf([50, 45, 29, 20, 15, 10], { "delta.logRetentionDuration": "interval 2 weeks" });
  expect(await cleanLog(store, table, head, { now })).toHaveLength(5);
  expect(await log()).toEqual(["4.checkpoint.parquet", "4.json", "5.json", "_last_checkpoint"]);
});
