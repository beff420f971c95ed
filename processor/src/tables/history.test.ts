import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ObjectStore, openObjectStore } from "../object-store/index.ts";
import { testFolder } from "../processor-for-tests.ts";
import { writeCheckpoint } from "./delta/checkpoint.ts";
import { commit } from "./delta/commit.ts";
import { versionKey } from "./delta/log.ts";
import { newMetadata } from "./delta/schema.ts";
import { snapshotAt } from "./delta/snapshot.ts";
import { tableAt, versionsOf } from "./history.ts";

const file = (path: string, rows: number | null, dataChange = true) => ({
  path,
  size: 100,
  modificationTime: 1,
  partitionValues: {},
  stats: rows === null ? null : JSON.stringify({ numRecords: rows }),
  dataChange,
});
const remove = (path: string, dataChange = true) => ({ path, deletionTimestamp: 1, dataChange });

let folder: string;
let store: ObjectStore;
beforeAll(async () => {
  folder = await testFolder("history");
  store = await openObjectStore({ driver: "fs", path: "lake" }, folder);
  const metadata = newMetadata([{ name: "id", type: "INTEGER" }], []);
  const base = { blindAppend: false, adds: [], removes: [] };
  await commit(store, "t", { ...base, operation: "CREATE TABLE", readVersion: null, metadata });
  await commit(store, "t", { ...base, operation: "WRITE", readVersion: 0, adds: [file("a", 5), file("b", 7)] });
  await commit(store, "t", {
    ...base,
    operation: "OPTIMIZE",
    readVersion: 1,
    adds: [file("c", 12, false)],
    removes: [remove("a", false), remove("b", false)],
  });
  await commit(store, "t", {
    ...base,
    operation: "MERGE",
    readVersion: 2,
    adds: [file("d", 20)],
    removes: [remove("c")],
  });
  await commit(store, "t", { ...base, operation: "WRITE", readVersion: 3, adds: [file("e", null)] });
});
afterAll(() => rm(folder, { recursive: true }));

const told = async (options: { limit: number; before?: number }) => {
  const { versions, next } = await versionsOf(store, "t", options);
  return {
    versions: versions.map(({ version, operation, added, removed, rows, files, bytes }) =>
      [version, operation, added, removed, rows, files, bytes].join(" "),
    ),
    next,
  };
};

describe("a table's versions", () => {
  it("tell what each did and what the table was then, newest first", async () => {
    expect(await told({ limit: 10 })).toEqual({
      versions: [
        // A file that does not say its rows.
        "4 WRITE  0  2 200",
        "3 MERGE 20 12 20 1 100",
        "2 OPTIMIZE 0 0 12 1 100",
        "1 WRITE 12 0 12 2 200",
        "0 CREATE TABLE 0 0 0 0 0",
      ],
      next: null,
    });
  });

  it("come in pages, each with the rows from before", async () => {
    expect(await told({ limit: 1, before: 4 })).toEqual({ versions: ["3 MERGE 20 12 20 1 100"], next: 3 });
    expect(await told({ limit: 2, before: 2 })).toEqual({
      versions: ["1 WRITE 12 0 12 2 200", "0 CREATE TABLE 0 0 0 0 0"],
      next: null,
    });
    expect(await versionsOf(store, "none", { limit: 5 })).toEqual({ versions: [], next: null });
  });
});

describe("a table as it was", () => {
  it("is found by version and by time", async () => {
    const then = await tableAt(store, "t", { version: 1 });
    expect(then).toEqual({
      version: 1,
      at: expect.any(Date),
      columns: [{ name: "id", type: "INTEGER" }],
      partitionBy: [],
      files: [
        { key: "t/a", partition: {}, rows: 5, bytes: 100 },
        { key: "t/b", partition: {}, rows: 7, bytes: 100 },
      ],
    });
    const versionAt = async (time: Date) => (await tableAt(store, "t", { time })).version;
    expect(await versionAt(then.at)).toBe(1);
    expect(await versionAt(new Date(then.at.getTime() - 1))).toBe(0);
    expect(await versionAt(new Date("2999-01-01"))).toBe(4);
  });

  it("that never was is refused with the versions that there are", async () => {
    await expect(tableAt(store, "t", { version: 5 })).rejects.toThrow(
      /^Table "t" has no version 5; it has 0 \(.+\) to 4 \(.+\)\.$/,
    );
    await expect(tableAt(store, "t", { time: new Date(0) })).rejects.toThrow(
      "has no version of 1970-01-01T00:00:00.000Z",
    );
    await expect(tableAt(store, "none", { version: 0 })).rejects.toThrow('Table "none" has no version yet');
  });
});

it("does not guess what a version took out whose log before was cleaned up", async () => {
  const kept = await openObjectStore({ driver: "fs", path: "kept" }, folder);
  for (const version of [2, 3, 4]) {
    const body = await store.get(versionKey("t", version));
    if (body !== undefined) await kept.put(versionKey("t", version), body);
  }
  const snapshot = await snapshotAt(store, "t", { version: 2 });
  if (snapshot !== undefined) await writeCheckpoint(kept, "t", snapshot);
  const { versions } = await versionsOf(kept, "t", { limit: 10 });
  expect(versions.map(({ version, rows, removed }) => [version, rows, removed])).toEqual([
    [4, null, 0],
    [3, 20, 12],
    [2, 12, 0],
  ]);
  await expect(tableAt(kept, "t", { version: 1 })).rejects.toThrow('Table "t" has no version 1; it has 2 (');
});
