import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { TableColumn } from "@cais/spec/api.ts";
import type { Engine } from "../engine/index.ts";
import type { Ledger, Part, PresentFile, TableFile } from "../ledger/index.ts";
import { newRunId } from "../ledger/run-id.ts";
import { fetchAll, lakeLacks } from "../object-store/fetch-all.ts";
import type { ObjectStore } from "../object-store/index.ts";
import { tableFileKey } from "./index.ts";

/** Files that are smaller are put together, to files of about that size: what readers of a table like best. */
const SMALL_BYTES = 64e6;
const TARGET_BYTES = 256e6;

/** A table that has as many files below that size which could be fewer is optimized by itself. */
const TINY_BYTES = 16e6;
const TINY_FILES = 100;

export interface OptimizedTable {
  stack: string;
  table: string;
  lake: ObjectStore;
  ledger: Ledger;
}

/** How many files became how many. */
export interface Optimized {
  removed: number;
  added: number;
  bytes: number;
}

/** Whether a table has so many small files that reading it takes long. */
export async function isOptimizeDue({ stack, table, ledger }: OptimizedTable): Promise<boolean> {
  const { files, partitions } = await ledger.tables.smaller(stack, table, TINY_BYTES);
  return files - partitions > TINY_FILES;
}

/**
 * Puts small files of a table together, as one commit that only moves rows. Which rows came in by which run stays known.
 * In a session of the engine, whose folder `folder` is in. Throws TableChanged if the table changes meanwhile.
 */
export async function optimize(
  of: OptimizedTable,
  engine: Pick<Engine, "begin" | "rewrite">,
  folder: string,
  { smallBytes = SMALL_BYTES, targetBytes = TARGET_BYTES }: { smallBytes?: number; targetBytes?: number } = {},
): Promise<Optimized> {
  const { stack, table, ledger } = of;
  const state = await ledger.tables.read(stack, table);
  const done: Optimized = { removed: 0, added: 0, bytes: 0 };
  if (state === undefined) return done;
  const { columns, partitionBy, location, change: base } = state;
  const groups = byPartition(state.files.filter(({ bytes }) => bytes < smallBytes))
    .flatMap((files) => chunks(files, targetBytes))
    .filter((files) => files.length > 1);
  if (groups.length === 0) return done;
  const adds: TableFile[] = [];
  const id = newRunId(new Date());
  for (const [nth, files] of groups.entries()) {
    await engine.begin();
    const made = await putTogether(of, engine, { folder, columns, files, key: tableFileKey(table, id, 0, nth) });
    adds.push(made);
    done.bytes += made.bytes;
  }
  const removes = groups.flat().map(({ key }) => key);
  const change = { name: table, columns, partitionBy, location, adds, removes, base };
  await ledger.tables.change(stack, { ...change, operation: "OPTIMIZE", how: { mode: "full" } });
  return { ...done, removed: removes.length, added: adds.length };
}

interface Together {
  folder: string;
  columns: TableColumn[];
  files: PresentFile[];
  key: string;
}

async function putTogether(
  { stack, table, lake, ledger }: OptimizedTable,
  engine: Pick<Engine, "rewrite">,
  { folder, columns, files, key }: Together,
): Promise<TableFile> {
  const own = join(folder, "optimize");
  await mkdir(own, { recursive: true, mode: 0o700 });
  try {
    const partition = files[0]?.partition ?? {};
    const wanted = files.map((file, index) => ({ ...file, file: join(own, `${index}.parquet`) }));
    const [missing] = await fetchAll(lake, wanted);
    if (missing !== undefined) throw lakeLacks(lake, missing);
    // Files of other programs lack the columns of their partition.
    const seen = wanted.map((file) => (isForeign(file) ? { file: file.file, partition } : { file: file.file }));
    const { files: written } = await engine.rewrite({ folder: own, name: table, columns, files: seen });
    const rows = files.reduce((sum, file) => sum + file.rows, 0);
    const [made] = written;
    // Where rows came from goes by their number, so none may be missing.
    if (made === undefined || written.length > 1 || made.rows !== rows)
      throw new Error(
        `The engine made ${written.length} files of ${rows} rows of the table "${table}", and not one with all of them; nothing was changed.`,
      );
    await ledger.loose.note({ stack, role: "lake", key });
    const { bytes } = await lake.putFile(key, made.file);
    return { key, rows, bytes, partition, stats: made.stats, parts: partsOf(files) };
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

const isForeign = ({ parts }: PresentFile) => parts.some(({ run }) => run === null);

/** Groups that may be put together: of one partition, and either all ours or all of other programs. */
function byPartition(files: PresentFile[]): PresentFile[][] {
  const groups = Map.groupBy(files, (file) =>
    JSON.stringify([
      isForeign(file),
      Object.entries(file.partition).toSorted(([one], [other]) => (one < other ? -1 : 1)),
    ]),
  );
  return [...groups.values()];
}

/** Neighbours of about that size together. */
function chunks(files: PresentFile[], targetBytes: number): PresentFile[][] {
  const all: PresentFile[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const file of files) {
    if (size + file.bytes > targetBytes) {
      all.push([]);
      size = 0;
    }
    all.at(-1)?.push(file);
    size += file.bytes;
  }
  return all;
}

/** The parts of files that are one now. Neighbours of one run become one part. */
function partsOf(files: PresentFile[]): Part[] {
  const parts: Part[] = [];
  let firstRow = 0;
  for (const { run, rows } of files.flatMap((file) => file.parts)) {
    const last = parts.at(-1);
    if (last !== undefined && last.run === run) last.rows += rows;
    else parts.push({ run, firstRow, rows });
    firstRow += rows;
  }
  return parts;
}
