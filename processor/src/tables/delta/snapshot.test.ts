import { rm, utimes } from "node:fs/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type ObjectStore, openObjectStore } from "../../object-store/index.ts";
import { testFolder } from "../../processor-for-tests.ts";
import { LogGone, type TableHead, UnsupportedTable } from "./actions.ts";
import { writeCheckpoint } from "./checkpoint.ts";
import { commit } from "./commit.ts";
import { append, changeOf, fileOf, makeTable, overwrite, removedOf, writeLog } from "./delta-for-tests.ts";
import { checkpointKey, lastCheckpointKey, versionKey } from "./log.ts";
import { evolve } from "./schema.ts";
import { changesSince, snapshotAt } from "./snapshot.ts";

let folder: string;
let store: ObjectStore;
beforeAll(async () => {
  folder = await testFolder("delta-snapshot");
  store = await openObjectStore({ driver: "fs", path: "lake" }, folder);
});
afterAll(() => rm(folder, { recursive: true }));

let made = 0;
let table: string;
let head: TableHead;
beforeEach(async () => {
  table = `t${made++}`;
  ({ head } = await makeTable(store, table));
});

async function snapshot(at?: Parameters<typeof snapshotAt>[2]) {
  const found = await snapshotAt(store, table, at);
  if (found === undefined) throw new Error("There is no table.");
  return found;
}

const paths = async (at?: Parameters<typeof snapshotAt>[2]) => [...(await snapshot(at)).files.keys()];

const at = async (time: string) => (await snapshot({ time: new Date(`2024-01-01T${time}Z`) })).version;

describe("a snapshot", () => {
  it("is of the newest version, or of any that is asked for", async () => {
    await append(store, table, head, ["b", "c", "d", "e", "f", "g", "h", "i", "j", "k"]);
    expect(await snapshot()).toMatchObject({ version: 10, protocol: head.protocol, metadata: head.metadata });
    expect(await paths()).toEqual(["first", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"]);
    expect(await paths({ version: 0 })).toEqual(["first"]);
    expect(await paths({ version: 4 })).toEqual(["first", "b", "c", "d", "e"]);
    await expect(snapshot({ version: 11 })).rejects.toThrow(
      `Table "${table}" has no version 11; its newest one is 10.`,
    );
    expect(await snapshotAt(store, "none")).toBeUndefined();
    expect(await snapshotAt(store, "none", { time: new Date() })).toBeUndefined();
  });

  it("is of what was newest at a time, each version being later than the one before", async () => {
    await append(store, table, head, ["b", "c", "d"]);
    const times = ["10:00", "11:00", "10:30", "12:00"].map((time) => new Date(`2024-01-01T${time}:00Z`));
    for (const [version, time] of times.entries()) await utimes(store.location(versionKey(table, version)), time, time);
    expect(await at("10:00:00")).toBe(0);
    expect(await at("11:00:00")).toBe(1);
    expect(await at("11:00:00.001")).toBe(2);
    expect(await at("11:59:59")).toBe(2);
    expect(await at("23:00:00")).toBe(3);
    await expect(at("09:59:59")).rejects.toThrow(
      `Table "${table}" has no version of 2024-01-01T09:59:59.000Z; its oldest one is of 2024-01-01T10:00:00.000Z.`,
    );
  });

  it("is the same from a checkpoint as from all versions", async () => {
    const removes = [removedOf(fileOf("b"), { deletionTimestamp: Date.now() - 1000 })];
    const newest = await append(store, table, head, ["b", "c"]);
    const partly = changeOf(["é d/1"], {
      readVersion: 2,
      metadata: evolve(newest.metadata, [{ name: "new", type: "MAP(VARCHAR, INTEGER[])" }], table),
      removes,
      transaction: { appId: "stack/table", version: 12, lastUpdated: 5 },
      blindAppend: false,
    });
    await commit(store, table, { ...partly, adds: [fileOf("é d/1", { stats: null, tags: { a: null, b: "ü" } })] });
    const before = await snapshot();
    expect([...before.files.keys()]).toEqual(["first", "c", "é d/1"]);
    expect([...before.tombstones.keys()]).toEqual(["b"]);
    await writeCheckpoint(store, table, before);
    for (const version of [0, 1, 2, 3]) await store.delete(versionKey(table, version));
    const after = await snapshot();
    // A checkpoint changes no rows.
    const quiet = new Map([...before.files].map(([path, file]) => [path, { ...file, dataChange: false }]));
    expect({ ...after, files: new Map([...after.files].toSorted()) }).toEqual({
      ...before,
      files: new Map([...quiet].toSorted()),
    });
    const added = await append(store, table, after, ["z"]);
    expect(await paths({ version: added.version })).toContain("z");
    await expect(snapshot({ version: 2 })).rejects.toThrow(
      `The Delta log of table "${table}" begins with version 4 and has no classic checkpoint for version 2 any more`,
    );
  });

  it("needs no pointer to the last checkpoint, nor a right one", async () => {
    await append(store, table, head, ["b", "c"]);
    await writeCheckpoint(store, table, await snapshot({ version: 1 }));
    for (const version of [0, 1]) await store.delete(versionKey(table, version));
    expect(await paths()).toEqual(["first", "b", "c"]);
    await overwrite(store, lastCheckpointKey(table), '{"version":7}');
    expect(await paths()).toEqual(["first", "b", "c"]);
    await overwrite(store, lastCheckpointKey(table), '{"ver');
    expect(await paths()).toEqual(["first", "b", "c"]);
    await store.delete(lastCheckpointKey(table));
    expect(await paths()).toEqual(["first", "b", "c"]);
  });

  it("takes a checkpoint of several parts, but not with one missing", async () => {
    const newest = await append(store, table, head, ["b"]);
    await writeCheckpoint(store, table, { ...newest, ...(await snapshot()), files: new Map() });
    const part = (one: number) => checkpointKey(table, 1).replace(".parquet", `.000000000${one}.0000000002.parquet`);
    await copy(checkpointKey(table, 1), part(1));
    const files = new Map([["other", fileOf("other")]]);
    await writeCheckpoint(store, table, { ...(await snapshot()), files });
    await copy(checkpointKey(table, 1), part(2));
    await store.delete(checkpointKey(table, 1));
    for (const version of [0, 1]) await store.delete(versionKey(table, version));
    expect(await paths()).toEqual(["other"]);
    await store.delete(part(1));
    expect(await snapshotAt(store, table)).toBeUndefined();
  });
});

async function copy(from: string, to: string): Promise<void> {
  const body = await store.get(from);
  if (body !== undefined) await store.put(to, body);
}

describe("what came after a version", () => {
  it("is what all versions together did", async () => {
    const newest = await append(store, table, head, ["b", "c"]);
    const { head: last } = await commit(
      store,
      table,
      changeOf(["d"], {
        readVersion: 2,
        removes: [removedOf(fileOf("first")), removedOf(fileOf("c"))],
        transaction: { appId: "x", version: 1 },
        blindAppend: false,
      }),
      newest,
    );
    const changes = await changesSince(store, table, head);
    expect(changes).toMatchObject({ head: last, transactions: new Map([["x", { appId: "x", version: 1 }]]) });
    expect(changes.adds.map(({ path }) => path)).toEqual(["b", "d"]);
    expect(changes.removes.map(({ path }) => path)).toEqual(["first", "c"]);
    expect(await changesSince(store, table, 3)).toMatchObject({ head: last, adds: [], removes: [] });
  });

  it("knows a file that came back as present, as after a restore", async () => {
    const removes = [removedOf(fileOf("first"))];
    const gone = await commit(store, table, { ...changeOf([], { readVersion: 0, blindAppend: false }), removes }, head);
    await append(store, table, gone.head, ["first"]);
    const { adds, removes: lasting } = await changesSince(store, table, head);
    expect([adds.map(({ path }) => path), lasting]).toEqual([["first"], []]);
    expect((await snapshot()).tombstones).toEqual(new Map());
  });

  it("cannot be told once the log was cleaned up", async () => {
    await append(store, table, head, ["b", "c"]);
    await writeCheckpoint(store, table, await snapshot());
    await store.delete(versionKey(table, 2));
    // Another program is about to clean it up, and has not come to version 1 yet.
    await expect(changesSince(store, table, head)).rejects.toThrow(LogGone);
    for (const version of [0, 1]) await store.delete(versionKey(table, version));
    await expect(changesSince(store, table, head)).rejects.toThrow(LogGone);
  });
});

describe("a log that Cais cannot read", () => {
  const cases: { what: string; action: object; why: string }[] = [
    {
      what: "deletion vectors",
      action: { add: { ...fileOf("b"), deletionVector: { storageType: "u" } } },
      why: "has files with deleted rows (deletion vectors), which Cais does not read; set delta.enableDeletionVectors",
    },
    {
      what: "files elsewhere",
      action: { add: fileOf("s3://other/b") },
      why: "holds a file outside of its folder (s3://other/b), as shallow clones do",
    },
    ...["../other/b", "a/..%2F..%2Fb", "/etc/b", "a//b", ""].map((path) => ({
      what: `files at ${path}`,
      action: { add: fileOf(path) },
      why: `holds a file outside of its folder (${path})`,
    })),
    { what: "broken names", action: { add: fileOf("b%2") }, why: "holds a file with the broken name b%2." },
    { what: "no path", action: { add: { size: 1 } }, why: "of a Delta table's log cannot be read" },
    {
      what: "a feature",
      action: { protocol: { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: ["v2Checkpoint"] } },
      why: "has the Delta feature v2Checkpoint, with which Cais cannot read it; ALTER TABLE … DROP FEATURE v2Checkpoint",
    },
  ];
  it.each(cases)("is refused with the way out: $what", async ({ action, why }) => {
    await writeLog(store, table, 1, action);
    const refused = snapshot();
    await expect(refused).rejects.toThrow(UnsupportedTable);
    await expect(refused).rejects.toThrow(why);
  });

  it("says which line is broken, and passes over what it need not know", async () => {
    await writeLog(store, table, 1, { add: { ...fileOf("b"), baseRowId: 4 } }, { domainMetadata: {} }, { cdc: {} });
    expect(await paths()).toEqual(["first", "b"]);
    await overwrite(store, versionKey(table, 1), '{"add":');
    await expect(snapshot()).rejects.toThrow(/00000000000000000001\.json of a Delta table's log cannot be read/);
  });
});
