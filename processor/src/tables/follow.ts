import {
  type Followed,
  type Ledger,
  type Publication,
  TableChanged,
  type TableFile,
  type TableState,
} from "../ledger/index.ts";
import { type ObjectStore, StoreUnreachable } from "../object-store/index.ts";
import type { DataFile } from "./delta/actions.ts";
import { checkWritable } from "./delta/features.ts";
import { readStats } from "./delta/stats.ts";
import { countRows } from "./footer.ts";
import { type LogView, readView, withoutStats } from "./log-view.ts";
import { keyOf, pathOf, type Planned, planPublications, type Refusal } from "./plan-publication.ts";

/** A table of which the log is read and the ledger written, by one at a time. */
export interface FollowedTable {
  stack: string;
  table: string;
  lake: ObjectStore;
  ledger: Ledger;
  /** The log as it was read or written last. */
  view?: LogView | undefined;
  /** The version up to which the ledger has what the log has. */
  alignedAt?: number | undefined;
  /** The version of its last checkpoint, as far as it is known. */
  checkpointAt?: number | undefined;
  onRefused: (refusal: Refusal) => void;
  onCheckpointFailed: (error: unknown) => void;
}

/** A table whose ledger and log agree, but for what is to be published. */
export interface Aligned {
  /** Undefined: there is no log yet. */
  view: LogView | undefined;
  pending: Publication[];
}

/** Thrown where a table's log is ahead of the ledger. It passes when the table is rewound. */
export class LedgerBehind extends StoreUnreachable {
  override name = "LedgerBehind";
}

/** Reads a table's log, and throws LedgerBehind if it is ahead of the ledger. */
export async function checkAhead(of: FollowedTable): Promise<void> {
  of.view = await readView(of.lake, of.stack, of.table, of.view);
  if (of.view !== undefined) await checkLedger(of, of.view);
}

/**
 * Brings the ledger in line with a table's log: what other programs added or took out, and publications that are there
 * although a crash kept that from being recorded. A publication that does not fit what others did is refused, with what
 * builds on it. Everything is worked out from the log and the ledger as they are, so a crash in between changes nothing.
 */
export async function follow(of: FollowedTable): Promise<Aligned> {
  const { stack, table, lake, ledger } = of;
  of.view = await readView(lake, stack, table, of.view);
  const { view } = of;
  const head = await ledger.tables.head(stack, table);
  checkHistory(of, head?.version ?? null);
  // What waits is published when that is mended; no run goes on meanwhile.
  if (view !== undefined) {
    checkWritable(table, view.head);
    await checkLedger(of, view);
  }
  if (view === undefined) return { view, pending: await ledger.publications.pending({ stack, table }) };
  if (of.alignedAt !== view.head.version) {
    await recordWritten(of, view);
    // A run that committed meanwhile may fit what the log has, or not: that is worked out anew.
    while (!(await align(of, view)));
    for (const [path, file] of view.files) view.files.set(path, withoutStats(file));
    of.alignedAt = view.head.version;
  }
  return { view, pending: await ledger.publications.pending({ stack, table }) };
}

/** A log that ends before what the ledger saw of it was restored or deleted; going on would lose rows. */
function checkHistory({ lake, table, view }: FollowedTable, version: number | null): void {
  const newest = view?.head.version ?? null;
  if (version === null || (newest !== null && newest >= version)) return;
  const found = newest === null ? "is gone" : `ends with version ${newest}`;
  throw new Error(
    `The Delta log of table "${table}" ${found}, but had version ${version}; restore ${lake.location(`${table}/_delta_log`)}.`,
  );
}

/**
 * A batch gets its number before it is in a log, so a log with a larger one than the table's last is of a later ledger. What
 * that one loaded is loaded again, and would be there twice. The numbers of other tables do not count: they go on meanwhile.
 */
async function checkLedger({ ledger, stack, table }: FollowedTable, { batch }: LogView): Promise<void> {
  const last = await ledger.tables.lastBatch(stack, table);
  if (batch <= last) return;
  throw new LedgerBehind(
    `The Delta log of table "${table}" has batch ${batch} of a ledger that was later than this one, which knows ${last}: ` +
      `it was restored or is new. Take off what came since: npx cais tables rewind ${stack}/${table}.`,
  );
}

/** Publications that the log has: an attempt wrote them and was cut off. */
async function recordWritten({ stack, table, ledger }: FollowedTable, view: LogView): Promise<void> {
  const pending = await ledger.publications.pending({ stack, table });
  const written = pending.filter(({ batch }) => batch <= view.batch);
  if (written.length === 0) return;
  const removed = new Set(written.flatMap(({ removes }) => removes));
  const unwritten = written
    .flatMap(({ adds }) => adds.map(({ key }) => key))
    .filter((key) => removed.has(key) && !view.files.has(pathOf(table, key)));
  await ledger.publications.published(
    written.map(({ id }) => id),
    { version: view.head.version, unwritten },
  );
}

/** False if the ledger's table changed while it was worked out what it lacks. */
async function align(of: FollowedTable, view: LogView): Promise<boolean> {
  const { stack, table, ledger } = of;
  const state = await ledger.tables.read(stack, table);
  const pending = await ledger.publications.pending({ stack, table });
  const plan = planPublications(view, pending, {
    known: state?.columns ?? [],
    foreign: hasForeignRows(of, view, state, pending),
  });
  const followed = await difference(of, view, state, plan.planned);
  try {
    // In one transaction with all that the log says, so that until then these are found again.
    const refusals = plan.refused.map(({ publication: { id }, reason }) => ({ id, reason }));
    if (refusals.length > 0) await ledger.publications.refused(refusals, followed);
    else await ledger.tables.follow(stack, table, followed);
  } catch (error) {
    if (error instanceof TableChanged) return false;
    throw error;
  }
  for (const refusal of plan.refused) of.onRefused(refusal);
  return true;
}

/** Whether other programs added rows that the ledger does not know yet. */
function hasForeignRows(
  { table }: FollowedTable,
  { files }: LogView,
  state: TableState | undefined,
  pending: Publication[],
): boolean {
  const ours = new Set([...(state?.files.map(({ key }) => key) ?? []), ...pending.flatMap(({ removes }) => removes)]);
  // A checkpoint does not say of a file whether it brought rows or only moved them.
  return files.values().some(({ path }) => !ours.has(keyOf(table, path)));
}

/** What the ledger's table lacks, or has too much, of the log with what is to be published. */
async function difference(
  { table, lake }: FollowedTable,
  view: LogView,
  state: TableState | undefined,
  { columns, metadata, added, removed }: Planned,
): Promise<Followed> {
  const ours = new Set(state?.files.map(({ key }) => key) ?? []);
  const isThere = (key: string) => added.has(key) || (view.files.has(pathOf(table, key)) && !removed.has(key));
  const adds: TableFile[] = [];
  for (const file of view.files.values()) {
    const key = keyOf(table, file.path);
    if (!ours.has(key) && !removed.has(key)) adds.push(await foreignFile(lake, key, file));
  }
  return {
    version: view.head.version,
    adds,
    removes: [...ours].filter((key) => !isThere(key)),
    columns,
    partitionBy: metadata.partitionColumns,
    location: lake.location(table),
    batch: view.batch,
    base: state?.change ?? 0,
  };
}

async function foreignFile(lake: ObjectStore, key: string, file: DataFile): Promise<TableFile> {
  const rows = readStats(file.stats).rows ?? (await countRows(lake, key, file.size));
  const { size: bytes, partitionValues: partition, stats } = file;
  return { key, rows, bytes, partition, stats, parts: [{ run: null, firstRow: 0, rows }] };
}
