import { rm } from "node:fs/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ObjectExists, type ObjectStore, openObjectStore } from "../../object-store/index.ts";
import { testFolder } from "../../processor-for-tests.ts";
import { CommitConflict, LogGone, type TableHead } from "./actions.ts";
import type { Change } from "./change.ts";
import { writeCheckpoint } from "./checkpoint.ts";
import { commit } from "./commit.ts";
import { append, changeOf, fileOf, makeTable, readLog, removedOf, writeLog } from "./delta-for-tests.ts";
import { versionKey } from "./log.ts";
import { evolve, newMetadata } from "./schema.ts";
import { snapshotAt } from "./snapshot.ts";

let folder: string;
let store: ObjectStore;
beforeAll(async () => {
  folder = await testFolder("delta-commit");
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

const filesOf = async () => [...((await snapshotAt(store, table))?.files.keys() ?? [])].toSorted();

describe("a version", () => {
  it("holds what the change says, as the protocol spells it", async () => {
    const removes = [removedOf(fileOf("first"), { deletionTimestamp: 5 })];
    const change = changeOf(["second"], {
      operation: "MERGE",
      readVersion: 0,
      removes,
      transaction: { appId: "stack/table", version: 7 },
      blindAppend: false,
      operationParameters: { mode: "Append" },
      userMetadata: "run 1",
    });
    const done = await commit(store, table, change, head);
    expect(done).toEqual({ version: 1, applied: true, head: { ...head, version: 1 } });
    expect(await readLog(store, table, 1)).toEqual([
      {
        commitInfo: {
          timestamp: expect.any(Number),
          operation: "MERGE",
          operationParameters: { mode: "Append" },
          readVersion: 0,
          isolationLevel: "WriteSerializable",
          isBlindAppend: false,
          operationMetrics: { numFiles: "1", numRemovedFiles: "1", numOutputBytes: "10", numOutputRows: "2" },
          engineInfo: "Cais",
          txnId: expect.any(String),
          userMetadata: "run 1",
        },
      },
      { txn: { appId: "stack/table", version: 7 } },
      {
        remove: {
          path: "first",
          size: 10,
          partitionValues: {},
          deletionTimestamp: 5,
          dataChange: true,
          extendedFileMetadata: true,
        },
      },
      {
        add: {
          path: "second",
          size: 10,
          modificationTime: 1_700_000_000_000,
          partitionValues: {},
          dataChange: true,
          stats: '{"numRecords":2}',
        },
      },
    ]);
    const [, protocol, metaData] = await readLog(store, table, 0);
    expect(protocol).toEqual({ protocol: { minReaderVersion: 1, minWriterVersion: 2 } });
    expect(metaData).toEqual({ metaData: head.metadata });
  });

  it("names a removed file as it was added", async () => {
    await writeLog(store, table, 1, { add: { ...fileOf("d=a%252Fb%2Bc/é"), path: "d=a%252Fb+c/é" } });
    const { removes: _, ...change } = changeOf([], { readVersion: 1, blindAppend: false });
    await commit(store, table, { ...change, removes: [removedOf(fileOf("d=a%2Fb+c/é"))] });
    expect(await readLog(store, table, 2)).toContainEqual({
      remove: expect.objectContaining({ path: "d=a%252Fb+c/é" }),
    });
    expect(await filesOf()).toEqual(["first"]);
  });

  it("is not written in part, and is there or not when the store broke off", async () => {
    const change = changeOf(["second"], { readVersion: 0 });
    const broken: ObjectStore = {
      ...store,
      put: (key, body, options) => store.put(key, breaking(body), options),
    };
    await expect(commit(broken, table, change, head)).rejects.toThrow("The cable was cut.");
    expect(await store.head(versionKey(table, 1))).toBeUndefined();
    expect(await Array.fromAsync(store.list(table))).toHaveLength(1);
    expect((await commit(store, table, change, head)).version).toBe(1);
    expect(await filesOf()).toEqual(["first", "second"]);
  });

  it("is known again if the store wrote it and met it as another's", async () => {
    const forgetful: ObjectStore = {
      ...store,
      async put(key, body, options) {
        await store.put(key, body, options);
        throw new ObjectExists(`There is an object ${key} already.`);
      },
    };
    const done = await commit(forgetful, table, changeOf(["second"], { readVersion: 0 }), head);
    expect(done).toMatchObject({ version: 1, applied: true });
    expect(await store.head(versionKey(table, 2))).toBeUndefined();
  });
});

async function* breaking(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of body) yield piece.subarray(0, piece.length / 2);
  throw new Error("The cable was cut.");
}

describe("a transaction", () => {
  const transaction = { appId: "stack/table", version: 3 };

  it("is written once, whoever tries again with what it read before", async () => {
    const change = changeOf(["second"], { readVersion: 0, transaction });
    await commit(store, table, change, head);
    expect(await commit(store, table, change, head)).toMatchObject({
      version: 1,
      applied: false,
      head: { version: 1 },
    });
    await append(store, table, { ...head, version: 1 }, ["third"]);
    expect(await commit(store, table, change)).toMatchObject({ version: 1, applied: false, head: { version: 2 } });
    const earlier = { ...change, transaction: { ...transaction, version: 2 } };
    expect(await commit(store, table, earlier, head)).toMatchObject({ applied: false });
    expect(await filesOf()).toEqual(["first", "second", "third"]);
  });

  it("is found in a snapshot if the log is read whole", async () => {
    const change = changeOf(["second"], { readVersion: 0, transaction });
    await commit(store, table, change, head);
    expect(await commit(store, table, { ...change, readVersion: 1 })).toMatchObject({ version: 1, applied: false });
  });

  it("that makes a table is written once", async () => {
    const change = changeOf(["first"], { metadata: head.metadata, transaction });
    expect(await commit(store, `${table}-new`, change)).toMatchObject({ version: 0, applied: true });
    expect(await commit(store, `${table}-new`, change)).toMatchObject({ version: 0, applied: false });
    const other = { ...change, transaction: { ...transaction, version: 4 } };
    await expect(commit(store, `${table}-new`, other)).rejects.toThrow(CommitConflict);
  });
});

const both = (removes: string[]) => removes.map((path) => removedOf(fileOf(path)));

describe("a commit that comes second", () => {
  const rearranged = { dataChange: false };
  const cases: { what: string; first: Partial<Change>; second: Partial<Change>; why?: string }[] = [
    { what: "appends go behind appends", first: {}, second: {} },
    {
      what: "appends go behind removals",
      first: { adds: [], removes: both(["first"]), blindAppend: false },
      second: {},
    },
    { what: "merges go behind blind appends", first: {}, second: { removes: both(["first"]), blindAppend: false } },
    {
      what: "merges that must see all rows do not",
      first: {},
      second: { removes: both(["first"]), blindAppend: false, seesAll: true },
      why: "version 1 added one",
    },
    {
      what: "a file leaves once",
      first: { removes: both(["first"]), blindAppend: false },
      second: { adds: [], removes: both(["first"]), blindAppend: false },
      why: "version 1 removed first too",
    },
    {
      what: "merges do not go behind rows that they did not see",
      first: { blindAppend: false },
      second: { removes: both(["first"]), blindAppend: false },
      why: "version 1 added one",
    },
    {
      what: "all rows are not replaced behind an append",
      first: {},
      second: { removes: both(["first"]), blindAppend: false, replacesAll: true },
      why: "version 1 added one",
    },
    {
      what: "rows are rearranged behind others",
      first: { blindAppend: false },
      second: {
        adds: [fileOf("two", rearranged)],
        removes: [removedOf(fileOf("first"), rearranged)],
        blindAppend: false,
      },
    },
    {
      what: "merges go behind rearranged rows of other files",
      first: { adds: [fileOf("one", rearranged)], blindAppend: false },
      second: { removes: both(["first"]), blindAppend: false },
    },
  ];
  it.each(cases)("fits or does not: $what", async ({ first, second, why }) => {
    await commit(store, table, changeOf(["one"], { readVersion: 0, ...first }), head);
    const late = commit(store, table, changeOf(["two"], { readVersion: 0, ...second }), head);
    const met = await late.then(
      ({ version }) => version,
      (error: unknown) => error,
    );
    const refusal = new CommitConflict(
      `A commit to table "${table}" came too late: ${why}. Follow its log and try again.`,
    );
    expect(met).toEqual(why === undefined ? 2 : refusal);
  });

  it("does not go behind other columns or another protocol", async () => {
    const metadata = evolve(head.metadata, [{ name: "b", type: "DATE" }], table);
    const grown = await commit(store, table, changeOf([], { readVersion: 0, metadata }), head);
    expect(grown.head.metadata).toEqual(metadata);
    await expect(commit(store, table, changeOf(["two"], { readVersion: 0 }), head)).rejects.toThrow(
      "version 1 changed the table's columns or properties",
    );
    await writeLog(store, table, 2, { protocol: { minReaderVersion: 1, minWriterVersion: 3 } });
    await expect(commit(store, table, changeOf(["two"], { readVersion: 1 }), grown.head)).rejects.toThrow(
      "version 2 changed what the table asks of its writers",
    );
  });

  it("goes behind a checkpoint of others, as long as the log holds what came between", async () => {
    await append(store, table, head, ["b", "c"]);
    const snapshot = await snapshotAt(store, table);
    if (snapshot !== undefined) await writeCheckpoint(store, table, snapshot);
    expect((await commit(store, table, changeOf(["late"], { readVersion: 0 }), head)).version).toBe(3);
  });

  it("is refused if the log no longer holds what came between", async () => {
    const newest = await append(store, table, head, ["b", "c"]);
    const snapshot = await snapshotAt(store, table);
    if (snapshot !== undefined) await writeCheckpoint(store, table, snapshot);
    for (const version of [0, 1, 2]) await store.delete(versionKey(table, version));
    await expect(commit(store, table, changeOf(["late"], { readVersion: 0 }), head)).rejects.toThrow(LogGone);
    expect((await commit(store, table, changeOf(["next"], { readVersion: 2 }), newest)).version).toBe(3);
    await expect(
      commit(store, table, changeOf(["x"], { metadata: newMetadata([{ name: "a", type: "DATE" }], []) })),
    ).rejects.toThrow(CommitConflict);
  });
});
