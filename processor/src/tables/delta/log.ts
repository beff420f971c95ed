import { text } from "node:stream/consumers";
import { z } from "zod";
import { ObjectExists, type ObjectStore } from "../../object-store/index.ts";
import { Action, type DataFile, type RemovedFile, UnsupportedTable } from "./actions.ts";

/** A table's log: one file of JSON lines a version, and checkpoints that stand for all versions before. */
export const logFolder = (table: string) => `${table}/_delta_log`;

/** The protocol pads versions to 20 digits, so that names sort as numbers do. */
const name = (version: number) => String(version).padStart(20, "0");

export const versionKey = (table: string, version: number) => `${logFolder(table)}/${name(version)}.json`;
export const checkpointKey = (table: string, version: number) =>
  `${logFolder(table)}/${name(version)}.checkpoint.parquet`;
export const lastCheckpointKey = (table: string) => `${logFolder(table)}/_last_checkpoint`;

/** What one version did, with its files' paths as the store knows them. */
export interface Version {
  adds: DataFile[];
  removes: RemovedFile[];
  /** Everything else. */
  others: Pick<Action, "protocol" | "metaData" | "txn" | "commitInfo">[];
}

/** One version of the log; undefined if there is none yet. */
export async function readVersion(store: ObjectStore, table: string, version: number): Promise<Version | undefined> {
  const key = versionKey(table, version);
  const body = await store.get(key);
  if (body === undefined) return undefined;
  const lines = (await text(body)).split("\n").filter((line) => line.trim() !== "");
  return sorted(
    lines.map((line) => parseLine(line, key)),
    table,
  );
}

/** Writes a version if there is none of that number. False: another writer was first. */
export async function createVersion(
  store: ObjectStore,
  table: string,
  version: number,
  actions: object[],
): Promise<boolean> {
  const lines = actions.map((action) => `${JSON.stringify(action)}\n`);
  try {
    await store.put(versionKey(table, version), pieces(lines), { ifAbsent: true });
    return true;
  } catch (error) {
    if (error instanceof ObjectExists) return false;
    throw error;
  }
}

async function* pieces(lines: string[]): AsyncGenerator<Uint8Array> {
  for (let first = 0; first < lines.length; first += 1000) yield Buffer.from(lines.slice(first, first + 1000).join(""));
}

/** Actions in the order of a log or a checkpoint, by kind. */
export function sorted(actions: Action[], table: string): Version {
  const version: Version = { adds: [], removes: [], others: [] };
  for (const { add, remove, ...others } of actions) {
    if (add?.deletionVector != null || remove?.deletionVector != null)
      throw new UnsupportedTable(
        `Table "${table}" has files with deleted rows (deletion vectors), which Cais does not read; ` +
          `set delta.enableDeletionVectors to false and REORG TABLE … APPLY (PURGE) in the program that wrote them.`,
      );
    if (add !== undefined) {
      const { path: uri, stats, tags, deletionVector: _, ...file } = add;
      version.adds.push({ ...file, ...location(uri, table), stats: stats ?? null, ...(tags && { tags }) });
    } else if (remove !== undefined) {
      const { path: uri, deletionTimestamp = 0, deletionVector: _, partitionValues, size, ...file } = remove;
      version.removes.push({
        ...file,
        ...location(uri, table),
        deletionTimestamp,
        ...(partitionValues && { partitionValues }),
        ...(size !== undefined && { size }),
      });
    } else version.others.push(others);
  }
  return version;
}

function parseLine(line: string, key: string): Action {
  try {
    return Action.parse(JSON.parse(line));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new UnsupportedTable(`${key} of a Delta table's log cannot be read (${why}); restore it from a backup.`, {
      cause: error,
    });
  }
}

/** What stands in the log as it is; everything else is escaped by some writers, and by some not. */
const plain = /^[\w./=-]*$/;

/** A path as a log spells it (RFC 2396). */
export const pathToUri = (path: string): string =>
  plain.test(path)
    ? path
    : path
        .split("/")
        .map((part) => encodeURIComponent(part).replaceAll("%3D", "="))
        .join("/");

/** Whether every writer spells the path alike, so that it can be removed without looking how it was added. */
export const isPlainPath = (path: string): boolean => plain.test(path);

function location(uri: string, table: string): { path: string; uri?: string } {
  const path = decoded(uri, table);
  // A way out of the folder would read, and after a removal delete, what is another table's.
  if (/^([a-z][a-z0-9+.-]*:|\/)/i.test(uri) || path.split("/").some((part) => /^\.{0,2}$/.test(part)))
    throw new UnsupportedTable(
      `Table "${table}" holds a file outside of its folder (${uri}), as shallow clones do; copy the table whole instead.`,
    );
  return pathToUri(path) === uri ? { path } : { path, uri };
}

function decoded(uri: string, table: string): string {
  try {
    return plain.test(uri) ? uri : decodeURIComponent(uri);
  } catch (error) {
    throw new UnsupportedTable(`Table "${table}" holds a file with the broken name ${uri}.`, { cause: error });
  }
}

/** What is in a log's folder. */
export interface LogFiles {
  /** When each version was written, in the order of versions. Times grow with versions, as the protocol's readers make them. */
  versions: Map<number, Date>;
  /** Keys of each whole classic checkpoint, newest first: one, or the parts of it in their order. */
  checkpoints: { version: number; keys: string[] }[];
  /** Every file that belongs to a version, and when it was written. */
  all: { key: string; version: number; modifiedAt: Date }[];
}

/** Lists the log. For tables with many versions this is slow; what comes after a known version is found without it. */
export async function listLog(store: ObjectStore, table: string): Promise<LogFiles> {
  const all: LogFiles["all"] = [];
  const found: [number, Date][] = [];
  const parts = new Map<string, { version: number; count: number; keys: string[] }>();
  for await (const { key, modifiedAt } of store.list(logFolder(table))) {
    const file = key.slice(logFolder(table).length + 1);
    const [, digits, rest = ""] = /^(\d{20})\.([^/]+)$/.exec(file) ?? [];
    if (digits === undefined) continue;
    const version = Number(digits);
    all.push({ key, version, modifiedAt });
    if (rest === "json") found.push([version, modifiedAt]);
    const [isCheckpoint, part = "1", count = "1"] = /^checkpoint\.(?:(\d{10})\.(\d{10})\.)?parquet$/.exec(rest) ?? [];
    if (isCheckpoint === undefined) continue;
    const group = parts.get(`${version}.${count}`) ?? { version, count: Number(count), keys: [] };
    group.keys[Number(part) - 1] = key;
    parts.set(`${version}.${count}`, group);
  }
  found.sort(([one], [other]) => one - other);
  let latest = 0;
  const versions = new Map(
    found.map(([version, modifiedAt]) => {
      latest = Math.max(latest + 1, modifiedAt.getTime());
      return [version, new Date(latest)];
    }),
  );
  // "Readers must ignore multi-part checkpoints with missing parts", says the protocol.
  const checkpoints = [...parts.values()]
    .filter(({ count, keys }) => keys.filter((key) => key !== undefined).length === count)
    .toSorted((one, other) => other.version - one.version);
  return { versions, checkpoints, all };
}
