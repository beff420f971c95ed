import { readFile, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ObjectStore, openObjectStore } from "../../object-store/index.ts";
import { testFolder } from "../../processor-for-tests.ts";
import type { Snapshot } from "./actions.ts";
import { isCheckpointDue, readCheckpoint, readLastCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { fileOf, makeTable, overwrite, removedOf } from "./delta-for-tests.ts";
import { checkpointKey, lastCheckpointKey } from "./log.ts";
import { snapshotAt } from "./snapshot.ts";

const DAY = 86_400_000;

let folder: string;
let store: ObjectStore;
beforeAll(async () => {
  folder = await testFolder("delta-checkpoint");
  store = await openObjectStore({ driver: "fs", path: "lake" }, folder);
});
afterAll(() => rm(folder, { recursive: true }));

async function madeSnapshot(table: string, change: Partial<Snapshot> = {}, configuration = {}): Promise<Snapshot> {
  await makeTable(store, table, { configuration });
  const snapshot = await snapshotAt(store, table);
  if (snapshot === undefined) throw new Error("There is no table.");
  return { ...snapshot, ...change };
}

const read = (table: string, version = 0) => readCheckpoint(store, table, [checkpointKey(table, version)]);

it("is due every ten versions, whichever the last one was", () => {
  expect([0, 1, 9, 10, 11, 20, 105].filter((version) => isCheckpointDue(version))).toEqual([10, 20]);
  expect([3, 12, 13, 20].filter((version) => isCheckpointDue(version, 3))).toEqual([13, 20]);
});

it("keeps ten thousand files, of any value in their partition", async () => {
  const values = ["a", null, "São Paulo", "a/b=c%", "1.5", "\u{1F332}", "'\"\\\n"];
  const files = new Map(
    Array.from({ length: 10_000 }, (_, index) => {
      const partitionValues = { p: values[index % values.length] ?? null, q: index % 3 === 0 ? null : String(index) };
      const file = fileOf(`f${index}`, { partitionValues, stats: index % 5 === 0 ? null : `{"numRecords":${index}}` });
      return [file.path, { ...file, dataChange: false }];
    }),
  );
  await writeCheckpoint(store, "many", await madeSnapshot("many", { files }));
  const checkpoint = await read("many");
  expect(checkpoint?.adds.length).toBe(10_000);
  expect(new Map(checkpoint?.adds.map((file) => [file.path, file]))).toEqual(files);
  expect(JSON.parse(await readFile(store.location(lastCheckpointKey("many")), "utf8"))).toEqual({
    version: 0,
    size: 10_002,
    sizeInBytes: (await store.head(checkpointKey("many", 0)))?.bytes,
    numOfAddFiles: 10_000,
  });
});

const removed = (days: number) => removedOf(fileOf(`${days}`), { deletionTimestamp: Date.now() - days * DAY });

it("forgets what was removed longer ago than readers need it", async () => {
  const tombstones = new Map([1, 6, 8].map((days) => [`${days}`, removed(days)]));
  await writeCheckpoint(store, "week", await madeSnapshot("week", { tombstones }));
  expect((await read("week"))?.removes).toEqual([tombstones.get("1"), tombstones.get("6")]);
  const property = { "delta.deletedFileRetentionDuration": "interval 5 days 12 hours" };
  await writeCheckpoint(store, "days", await madeSnapshot("days", { tombstones }, property));
  expect((await read("days"))?.removes).toEqual([tombstones.get("1")]);
});

it("refuses a retention that it cannot read rather than to guess", async () => {
  const property = { "delta.deletedFileRetentionDuration": "interval 1 month 2 days" };
  await expect(writeCheckpoint(store, "month", await madeSnapshot("month", {}, property))).rejects.toThrow(
    'A table\'s property delta.deletedFileRetentionDuration is "interval 1 month 2 days", which is no duration that Cais knows',
  );
});

it("does not point back to an older one", async () => {
  const snapshot = await madeSnapshot("back");
  await writeCheckpoint(store, "back", { ...snapshot, version: 20 });
  await writeCheckpoint(store, "back", { ...snapshot, version: 10 });
  expect(await readLastCheckpoint(store, "back")).toBe(20);
  expect((await read("back", 10))?.adds.length).toBe(1);
});

it("reads what others compress otherwise", async () => {
  const compressors = { GZIP: (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes)) };
  const columnData = [{ name: "txn", data: [{ appId: "a", version: 3n }, null] }];
  const schema = [
    { name: "root", num_children: 1 },
    { name: "txn", repetition_type: "OPTIONAL" as const, num_children: 2 },
    {
      name: "appId",
      type: "BYTE_ARRAY" as const,
      converted_type: "UTF8" as const,
      repetition_type: "OPTIONAL" as const,
    },
    { name: "version", type: "INT64" as const, repetition_type: "OPTIONAL" as const },
  ];
  const bytes = parquetWriteBuffer({ columnData, schema, codec: "GZIP", compressors });
  await store.put(checkpointKey("gzip", 3), Readable.from([new Uint8Array(bytes)]));
  expect((await read("gzip", 3))?.others[0]).toEqual({ txn: { appId: "a", version: 3 } });
});

it("says which one is broken", async () => {
  await writeCheckpoint(store, "broken", await madeSnapshot("broken"));
  await overwrite(store, checkpointKey("broken", 0), "PAR1 no");
  await expect(read("broken")).rejects.toThrow(
    "The checkpoint broken/_delta_log/00000000000000000000.checkpoint.parquet of a Delta table's log cannot be read",
  );
  expect(await read("absent")).toBeUndefined();
});
