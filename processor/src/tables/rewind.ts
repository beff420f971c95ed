import type { Ledger } from "../ledger/index.ts";
import type { ObjectStore } from "../object-store/index.ts";
import { readLastCheckpoint } from "./delta/checkpoint.ts";
import { lastCheckpointKey, listLog } from "./delta/log.ts";
import { snapshotAt } from "./delta/snapshot.ts";
import { appIdOf } from "./log-view.ts";
import { keyOf } from "./plan-publication.ts";

/** A table whose log went back to what the ledger knows. */
export interface Rewound {
  /** The version that is the newest now; null: there is no log any more. */
  version: number | null;
  /** How many versions were taken off. */
  versions: number;
}

/** Thrown for a table that cannot go back, or has no need to. */
export class NotRewound extends Error {
  override name = "NotRewound";
}

/**
 * Takes what is newer than the ledger off a table's log: after a restore, the files that brought it are loaded again, and
 * without this their rows would be there twice. What other programs wrote since goes, too. Only while nothing is published or
 * followed there. Cut off midway it is done again: until its end the log is ahead of the ledger. Throws NotRewound.
 */
export async function rewind({
  lake,
  ledger,
  stack,
  table,
}: {
  lake: ObjectStore;
  ledger: Pick<Ledger, "tables">;
  stack: string;
  table: string;
}): Promise<Rewound> {
  const newest = await snapshotAt(lake, table);
  const batch = newest?.transactions.get(appIdOf(stack, table))?.version ?? 0;
  if (newest === undefined || batch <= (await ledger.tables.lastBatch(stack, table)))
    throw new NotRewound(
      `The ledger knows all that was written to the log of table "${table}"; there is nothing to take off.`,
    );
  const { version = null, files = [] } = (await ledger.tables.read(stack, table)) ?? {};
  await mustBeWhole(lake, table, version, files);
  const { versions, all } = await listLog(lake, table);
  const isNewer = ({ key, version: first }: { key: string; version: number }) => {
    const [, last] = /\.(\d{20})\.compacted\.json$/.exec(key) ?? [];
    return version === null || Math.max(first, Number(last ?? first)) > version;
  };
  // It is only a hint, and no reader may be led to what goes.
  const pointed = await readLastCheckpoint(lake, table);
  if (pointed !== undefined && (version === null || pointed > version)) await lake.delete(lastCheckpointKey(table));
  const newer = all.filter(isNewer).toSorted((one, other) => other.version - one.version);
  for (const { key } of newer) await lake.delete(key);
  return { version, versions: [...versions.keys()].filter((of) => version === null || of > version).length };
}

/** Throws unless a version, and all files of it and of what the ledger is still to write, can be read. */
async function mustBeWhole(
  lake: ObjectStore,
  table: string,
  version: number | null,
  files: readonly { key: string }[],
): Promise<void> {
  const needed = new Set(files.map(({ key }) => key));
  if (version !== null) {
    const snapshot = await snapshotAt(lake, table, { version }).catch((cause: unknown) => {
      throw lost(table, version, "its log does not reach back so far", cause);
    });
    if (snapshot === undefined) throw lost(table, version, "it has no log");
    for (const { path } of snapshot.files.values()) needed.add(keyOf(table, path));
  }
  for await (const { key } of lake.list(table)) needed.delete(key);
  const [missing] = needed;
  if (missing !== undefined) throw lost(table, version, `its file ${missing} was deleted since`);
}

const lost = (table: string, version: number | null, why: string, cause?: unknown) =>
  new NotRewound(
    `Table "${table}" cannot go back to ${version === null ? "what" : `version ${version}, which`} the ledger knows: ${why}. ` +
      `Stop the processor, move its ledger.sqlite away, and start it: the tables are then made again from the input.`,
    { cause },
  );
