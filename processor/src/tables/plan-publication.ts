import type { TableColumn } from "@cais/spec/api.ts";
import type { Publication, PublishedFile } from "../ledger/index.ts";
import { type DataFile, type Metadata, type RemovedFile, SchemaChanged, UnsupportedTable } from "./delta/actions.ts";
import { type Change, checkChange } from "./delta/change.ts";
import { columnsOf, evolve, fieldsOf, newMetadata } from "./delta/schema.ts";
import { appIdOf, type LogView } from "./log-view.ts";

/** A table's log as it will be with publications that it does not have yet. */
export interface Planned {
  metadata: Metadata;
  columns: TableColumn[];
  /** What is added to the files of the log, by key. */
  added: Map<string, PublishedFile>;
  /** Keys of files of the log that are taken out. */
  removed: Set<string>;
}

/** Why a publication cannot become part of a log. */
export interface Refusal {
  publication: Publication;
  reason: string;
}

/** A data file's path in its table's folder, which its key begins with, and the other way round. */
export const pathOf = (table: string, key: string) => key.slice(table.length + 1);
export const keyOf = (table: string, path: string) => `${table}/${path}`;

/**
 * Puts publications on a log, in their order. What cannot be made is left out and told of, as is what builds on that.
 * `foreign`: other programs added rows to the log that the ledger did not know when these were made.
 */
export function planPublications(
  { head, files }: LogView,
  publications: Publication[],
  { known, foreign }: { known: TableColumn[]; foreign: boolean },
): { planned: Planned; refused: Refusal[] } {
  const refused: Refusal[] = [];
  const added: Planned["added"] = new Map();
  const removed: Planned["removed"] = new Set();
  let metadata = head.metadata;
  let columns = columnsOf(metadata, known);
  for (const publication of publications) {
    const { table, whole } = publication;
    const isThere = (key: string) => added.has(key) || (files.has(pathOf(table, key)) && !removed.has(key));
    const gone = whole ? undefined : publication.removes.find((key) => !isThere(key));
    const isMerged = !whole && publication.operation === "MERGE";
    const reason =
      gone !== undefined
        ? `Another program took ${gone} out of the table "${table}" while it was to be replaced`
        : isMerged && foreign
          ? `Another program added rows to the table "${table}" while rows were merged into it, so a key could be there twice`
          : // What it did not find in the table may be back.
            isMerged && refused.some(({ publication: { operation } }) => operation !== "OPTIMIZE")
            ? `A commit before it is not in the table "${table}", so a key could be there twice`
            : undefined;
    if (reason !== undefined) {
      refused.push({ publication, reason: `${reason}: nothing of this commit is in that table. ${RUN_AGAIN}` });
      continue;
    }
    try {
      const now = metadataWith(metadata, publication);
      checkChange(table, changeByOne(publication, now), { ...head, metadata });
      metadata = now;
    } catch (error) {
      if (!(error instanceof SchemaChanged || error instanceof UnsupportedTable)) throw error;
      refused.push({ publication, reason: `${error.message} Nothing of this commit is in that table. ${RUN_AGAIN}` });
      continue;
    }
    columns = columnsOf(metadata, [...columns, ...publication.columns]);
    if (whole) {
      added.clear();
      for (const path of files.keys()) removed.add(keyOf(table, path));
    }
    for (const key of publication.removes) if (!added.delete(key) && !whole) removed.add(key);
    for (const file of publication.adds) added.set(file.key, file);
  }
  return { planned: { metadata, columns, added, removed }, refused };
}

/** A publication as a commit of its own, as far as it depends on the table's properties whether it may be made. */
const changeByOne = ({ table, operation, adds, removes }: Publication, metadata: Metadata): Change => ({
  operation,
  readVersion: null,
  metadata,
  adds: adds.map((file) => dataFileOf(table, file, true)),
  removes: removes.map((key) => ({
    path: pathOf(table, key),
    deletionTimestamp: 0,
    dataChange: operation !== "OPTIMIZE",
  })),
  blindAppend: false,
});

const RUN_AGAIN = "Run the file again: npx cais rerun RUN.";

function metadataWith(before: Metadata, { table, columns, partitionBy, whole }: Publication): Metadata {
  if (JSON.stringify(before.partitionColumns) !== JSON.stringify(partitionBy))
    throw new SchemaChanged(
      `The table "${table}" is partitioned by ${shown(before.partitionColumns)} and would be by ${shown(partitionBy)}; give the new table another name.`,
    );
  // Nothing of the old columns is left where all rows are replaced.
  const anew = () => ({ ...before, schemaString: newMetadata(columns, partitionBy).schemaString });
  if (whole && fieldsOf(before).some(({ name }) => columns.every((column) => column.name !== name))) return anew();
  try {
    return evolve(before, columns, table);
  } catch (error) {
    if (!whole || !(error instanceof SchemaChanged)) throw error;
    return anew();
  }
}

const shown = (columns: string[]) => (columns.length === 0 ? "nothing" : columns.join(", "));

/** The publications that become one commit: those at the head of the queue that all change rows, or all only move them. */
export function together(publications: Publication[]): Publication[] {
  const isMove = publications[0]?.operation === "OPTIMIZE";
  const end = publications.findIndex(({ operation }) => (operation === "OPTIMIZE") !== isMove);
  return end === -1 ? publications : publications.slice(0, end);
}

/** One commit of a log that takes in publications. */
export function changeOf(view: LogView, group: Publication[], { metadata, added, removed }: Planned): Change {
  const [first] = group;
  const last = group.at(-1);
  if (first === undefined || last === undefined) throw new Error("A commit needs a publication.");
  const { stack, table } = first;
  const isMove = first.operation === "OPTIMIZE";
  const isMerge = group.some(({ operation }) => operation === "MERGE");
  const deletionTimestamp = Date.now();
  const removes = [...removed].flatMap((key): RemovedFile[] => {
    const file = view.files.get(pathOf(table, key));
    if (file === undefined) return [];
    const { path, size, partitionValues, uri } = file;
    const removed = { path, deletionTimestamp, dataChange: !isMove, partitionValues, size };
    return [uri === undefined ? removed : { ...removed, uri }];
  });
  return {
    operation: isMove ? "OPTIMIZE" : isMerge ? "MERGE" : "WRITE",
    readVersion: view.head.version,
    ...(metadata !== view.head.metadata && { metadata }),
    adds: [...added.values()].map((file) => dataFileOf(table, file, !isMove)),
    removes,
    transaction: { appId: appIdOf(stack, table), version: last.batch, lastUpdated: deletionTimestamp },
    blindAppend: !isMove && !isMerge && group.every(({ removes, whole }) => removes.length === 0 && !whole),
    replacesAll: group.some(({ whole }) => whole),
    seesAll: isMerge,
    operationParameters: isMove ? {} : { mode: group.some(({ whole }) => whole) ? "Overwrite" : "Append" },
    userMetadata: JSON.stringify({ runs: [...new Set(group.flatMap(({ runs }) => runs))] }),
  };
}

export function dataFileOf(table: string, file: PublishedFile, dataChange: boolean): DataFile {
  const { key, bytes, partition, stats, modifiedAt } = file;
  return {
    path: pathOf(table, key),
    size: bytes,
    modificationTime: modifiedAt,
    partitionValues: partition,
    stats,
    dataChange,
  };
}

/** Keys of files that one of the group added and another took out again, so that the log never names them. */
export function unwrittenOf(group: Publication[], { added }: Planned): string[] {
  return group.flatMap(({ adds }) => adds.map(({ key }) => key)).filter((key) => !added.has(key));
}
