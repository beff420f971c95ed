import { arrayBuffer, text } from "node:stream/consumers";
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import type { SchemaElement } from "hyparquet";
import { z } from "zod";
import type { ObjectStore } from "../../object-store/index.ts";
import { Action, type Snapshot, UnsupportedTable } from "./actions.ts";
import { checkpointKey, lastCheckpointKey, pathToUri, sorted, type Version } from "./log.ts";
import { fileRetention } from "./retention.ts";

/** As many versions apart, as Spark does by default (`delta.checkpointInterval`). */
const INTERVAL = 10;

/** Rows in a piece of a checkpoint. Readers hold one in memory, many times as large as in the file. */
const ROWS = 4000;

/** Whether a version should get a checkpoint: ten behind the last one, or every tenth for who does not know that. */
export const isCheckpointDue = (version: number, last?: number) =>
  last === undefined ? version > 0 && version % INTERVAL === 0 : version >= last + INTERVAL;

/**
 * Writes a snapshot as a classic checkpoint, and that it is the last one. Files removed longer ago than readers may need
 * them are left out. It is made in memory as a whole: some 5 kB a file of the table.
 */
export async function writeCheckpoint(store: ObjectStore, table: string, snapshot: Snapshot): Promise<void> {
  const { version, protocol, metadata } = snapshot;
  const oldest = Date.now() - fileRetention(metadata);
  const rows = [
    { protocol },
    { metaData: { ...metadata, configuration: metadata.configuration ?? {} } },
    ...snapshot.transactions.values().map((txn) => ({ txn })),
    ...snapshot.files.values().map(({ path, uri, ...file }) => ({
      add: { ...file, path: uri ?? pathToUri(path), dataChange: false },
    })),
    ...snapshot.tombstones
      .values()
      .filter(({ deletionTimestamp }) => deletionTimestamp >= oldest)
      .map(({ path, uri, ...file }) => ({
        remove: {
          ...file,
          path: uri ?? pathToUri(path),
          extendedFileMetadata: file.partitionValues !== undefined && file.size !== undefined,
        },
      })),
  ];
  const { parquetWriteBuffer } = await import("hyparquet-writer");
  const columnData = actions.map(({ name }) => ({
    name,
    data: rows.map((row: Record<string, unknown>) => bigIntegers(row[name])),
  }));
  const schema = [
    { name: "spark_schema", num_children: actions.length },
    ...actions.flatMap(({ elements }) => elements),
  ];
  const bytes = new Uint8Array(
    parquetWriteBuffer({ columnData, schema, rowGroupSize: ROWS, statistics: false, createdBy: "cais" }),
  );
  await store.put(checkpointKey(table, version), once(bytes));
  const last = await readLastCheckpoint(store, table);
  if (last !== undefined && last > version) return;
  const pointer = { version, size: rows.length, sizeInBytes: bytes.byteLength, numOfAddFiles: snapshot.files.size };
  await store.put(lastCheckpointKey(table), once(Buffer.from(JSON.stringify(pointer))));
}

const LastCheckpoint = z.object({ version: z.int() });

/** The version of the newest checkpoint that its writer told of. It may be gone, and there may be newer ones. */
export async function readLastCheckpoint(store: ObjectStore, table: string): Promise<number | undefined> {
  const body = await store.get(lastCheckpointKey(table));
  if (body === undefined) return undefined;
  try {
    return LastCheckpoint.parse(JSON.parse(await text(body))).version;
  } catch (error) {
    // It only saves listing the log, and its writer may be about to replace it.
    if (error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    throw error;
  }
}

/** Reads a classic checkpoint, of one part or several; undefined if a part is not there. */
export async function readCheckpoint(store: ObjectStore, table: string, keys: string[]): Promise<Version | undefined> {
  const { parquetMetadata, parquetReadObjects } = await import("hyparquet");
  const whole: Version = { adds: [], removes: [], others: [] };
  for (const key of keys) {
    const body = await store.get(key);
    if (body === undefined) return undefined;
    const file = await arrayBuffer(body);
    try {
      const metadata = parquetMetadata(file);
      const has = new Set(metadata.schema.map(({ name }) => name));
      const columns = actions.map(({ name }) => name).filter((name) => has.has(name));
      let rowStart = 0;
      for (const { num_rows: count } of metadata.row_groups) {
        const rowEnd = rowStart + Number(count);
        const rows = await parquetReadObjects({ file, metadata, columns, compressors, rowStart, rowEnd });
        const { adds, removes, others } = sorted(
          rows.map((row) => Action.parse(row)),
          table,
        );
        for (const add of adds) whole.adds.push(add);
        for (const remove of removes) whole.removes.push(remove);
        for (const other of others) whole.others.push(other);
        rowStart = rowEnd;
      }
    } catch (error) {
      if (error instanceof UnsupportedTable) throw error;
      throw new Error(
        `The checkpoint ${key} of a Delta table's log cannot be read; delete it if its versions are there.`,
        {
          cause: error,
        },
      );
    }
  }
  return whole;
}

/** What hyparquet has none for itself; of Snappy it has. */
const compressors = {
  GZIP: (input: Uint8Array) => new Uint8Array(gunzipSync(input)),
  ZSTD: (input: Uint8Array) => new Uint8Array(zstdDecompressSync(input)),
  BROTLI: (input: Uint8Array) => new Uint8Array(brotliDecompressSync(input)),
};

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

const int64 = new Set(["size", "modificationTime", "deletionTimestamp", "createdTime", "version", "lastUpdated"]);

function bigIntegers(action: unknown): unknown {
  if (typeof action !== "object" || action === null) return null;
  return Object.fromEntries(
    Object.entries(action).map(([key, value]) => [
      key,
      typeof value === "number" && int64.has(key) ? BigInt(value) : value,
    ]),
  );
}

type Elements = SchemaElement[];

const leaf = (name: string, type: SchemaElement["type"]): Elements => [
  { name, repetition_type: "OPTIONAL", ...(type && { type }) },
];
const long = (name: string) => leaf(name, "INT64");
const integer = (name: string) => leaf(name, "INT32");
const boolean = (name: string) => leaf(name, "BOOLEAN");
const string = (name: string, repetition: SchemaElement["repetition_type"] = "OPTIONAL"): Elements => [
  {
    name,
    type: "BYTE_ARRAY",
    converted_type: "UTF8",
    logical_type: { type: "STRING" },
    ...(repetition && { repetition_type: repetition }),
  },
];
const struct = (name: string, ...parts: Elements[]): Elements => [
  { name, repetition_type: "OPTIONAL", num_children: parts.length },
  ...parts.flat(),
];
const strings = (name: string): Elements => [
  { name, repetition_type: "OPTIONAL", num_children: 1, converted_type: "LIST", logical_type: { type: "LIST" } },
  { name: "list", repetition_type: "REPEATED", num_children: 1 },
  ...string("element"),
];
const map = (name: string): Elements => [
  { name, repetition_type: "OPTIONAL", num_children: 1, converted_type: "MAP", logical_type: { type: "MAP" } },
  { name: "key_value", repetition_type: "REPEATED", num_children: 2 },
  ...string("key", "REQUIRED"),
  ...string("value"),
];

/** https://github.com/delta-io/delta/blob/master/PROTOCOL.md#checkpoint-schema */
const actions: { name: string; elements: Elements }[] = [
  struct("txn", string("appId"), long("version"), long("lastUpdated")),
  struct(
    "add",
    string("path"),
    map("partitionValues"),
    long("size"),
    long("modificationTime"),
    boolean("dataChange"),
    map("tags"),
    string("stats"),
  ),
  struct(
    "remove",
    string("path"),
    long("deletionTimestamp"),
    boolean("dataChange"),
    boolean("extendedFileMetadata"),
    map("partitionValues"),
    long("size"),
  ),
  struct(
    "metaData",
    string("id"),
    string("name"),
    string("description"),
    struct("format", string("provider"), map("options")),
    string("schemaString"),
    strings("partitionColumns"),
    map("configuration"),
    long("createdTime"),
  ),
  struct(
    "protocol",
    integer("minReaderVersion"),
    integer("minWriterVersion"),
    strings("readerFeatures"),
    strings("writerFeatures"),
  ),
].map((elements) => ({ name: elements[0]?.name ?? "", elements }));
