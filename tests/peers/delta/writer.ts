import { setTimeout } from "node:timers/promises";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import { parquetWriteBuffer } from "hyparquet-writer";
import { type ObjectStore, openObjectStore } from "@cais/processor/src/object-store/index.ts";
import { CommitConflict, type DataFile } from "@cais/processor/src/tables/delta/actions.ts";
import { isCheckpointDue, writeCheckpoint } from "@cais/processor/src/tables/delta/checkpoint.ts";
import type { Change } from "@cais/processor/src/tables/delta/change.ts";
import { commit } from "@cais/processor/src/tables/delta/commit.ts";
import { newMetadata } from "@cais/processor/src/tables/delta/schema.ts";
import { snapshotAt } from "@cais/processor/src/tables/delta/snapshot.ts";
import { z } from "zod";
import { randomOf } from "../../crash/point.ts";

/**
 * One of our writers in a race, as a process of its own: `writer.ts FOLDER NAME`. It is told of each race by a message, and
 * answers when it has committed all that it was to.
 */
export const Race = z.object({ table: z.string(), commits: z.int(), seed: z.int() });
export type Race = z.output<typeof Race>;

export const raced = z.object({ rearranged: z.int(), conflicts: z.int() });

interface Written {
  writer: string;
  n: bigint;
}

/** Makes an empty table of a writer's rows. */
export async function makeTable(store: ObjectStore, table: string): Promise<void> {
  const columns = [
    { name: "writer", type: "VARCHAR" },
    { name: "n", type: "BIGINT" },
  ];
  await commit(store, table, {
    operation: "CREATE TABLE",
    readVersion: null,
    metadata: newMetadata(columns, []),
    adds: [],
    removes: [],
    blindAppend: true,
  });
}

/** The rows of a table, by our own snapshot of it. */
export async function rowsOf(store: ObjectStore, table: string): Promise<Written[]> {
  const files = (await snapshotAt(store, table))?.files.values() ?? [];
  return (await Promise.all([...files].map(({ path }) => rowsOfFile(store, table, path)))).flat();
}

/** Appends a row a commit. Now and then it makes one file of all that are there, which is where writers are in each other's way. */
export async function race(store: ObjectStore, writer: string, { table, commits, seed }: Race) {
  const random = randomOf(seed);
  const counts = { rearranged: 0, conflicts: 0 };
  for (let n = 0; n < commits; n++) {
    await setTimeout(random() * 10);
    const readVersion = (await snapshotAt(store, table))?.version ?? null;
    const adds = [await writeFile(store, table, `${writer}-${n}`, [{ writer, n: BigInt(n) }], true)];
    const change: Change = { operation: "WRITE", readVersion, adds, removes: [], blindAppend: true };
    await checkpointed(store, table, (await commit(store, table, change)).version);
    if (random() < 0.4) await rearrange(store, table, writer, n, counts);
  }
  return counts;
}

async function rearrange(
  store: ObjectStore,
  table: string,
  writer: string,
  n: number,
  counts: { rearranged: number; conflicts: number },
): Promise<void> {
  const snapshot = await snapshotAt(store, table);
  if (snapshot === undefined) throw new Error(`There is no table ${table}.`);
  const files = [...snapshot.files.values()];
  const rows = (await Promise.all(files.map(({ path }) => rowsOfFile(store, table, path)))).flat();
  const adds = [await writeFile(store, table, `${writer}-${n}-all`, rows, false)];
  const removes = files.map(({ path, size, partitionValues }) => ({
    path,
    size,
    partitionValues,
    deletionTimestamp: Date.now(),
    dataChange: false,
  }));
  const { version: readVersion } = snapshot;
  const change: Change = { operation: "OPTIMIZE", readVersion, adds, removes, blindAppend: false };
  try {
    await checkpointed(store, table, (await commit(store, table, change)).version);
    counts.rearranged++;
  } catch (error) {
    if (!(error instanceof CommitConflict)) throw error;
    counts.conflicts++;
  }
}

async function checkpointed(store: ObjectStore, table: string, version: number): Promise<void> {
  if (!isCheckpointDue(version)) return;
  const snapshot = await snapshotAt(store, table, { version });
  if (snapshot !== undefined) await writeCheckpoint(store, table, snapshot);
}

async function writeFile(
  store: ObjectStore,
  table: string,
  name: string,
  rows: Written[],
  dataChange: boolean,
): Promise<DataFile> {
  const path = `part-${name}.parquet`;
  const bytes = parquetWriteBuffer({
    columnData: [
      { name: "writer", data: rows.map(({ writer }) => writer), type: "STRING" },
      { name: "n", data: rows.map(({ n }) => n), type: "INT64" },
    ],
  });
  const { bytes: size } = await store.put(`${table}/${path}`, pieces(bytes));
  const stats = JSON.stringify({ numRecords: rows.length });
  return { path, size, modificationTime: Date.now(), partitionValues: {}, stats, dataChange };
}

async function* pieces(bytes: ArrayBuffer): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(bytes);
}

async function rowsOfFile(store: ObjectStore, table: string, path: string): Promise<Written[]> {
  const file = await asyncBufferFromFile(store.location(`${table}/${path}`));
  return z.array(z.object({ writer: z.string(), n: z.bigint() })).parse(await parquetReadObjects({ file }));
}

const [, program, folder, writer] = process.argv;
if (program === import.meta.filename && folder !== undefined && writer !== undefined) {
  const store = await openObjectStore({ driver: "fs", path: "lake" }, folder);
  process.on("message", (message) => {
    void race(store, writer, Race.parse(message)).then(
      (counts) => process.send?.(counts),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  // Opening the store does away with what is unfinished there, so none may write before all have opened it.
  process.send?.("ready");
}
