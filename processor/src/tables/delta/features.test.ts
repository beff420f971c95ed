import { describe, expect, it } from "vitest";
import { type Metadata, type Protocol, type TableHead, UnsupportedTable } from "./actions.ts";
import { fileOf, removedOf } from "./delta-for-tests.ts";
import { checkChange } from "./change.ts";
import { checkReadable, checkWritable, protocol } from "./features.ts";
import { evolve, newMetadata } from "./schema.ts";

const plain = newMetadata([{ name: "a", type: "BIGINT" }], []);

const headOf = (change: Partial<Protocol>, metadata: Partial<Metadata> = {}): TableHead => ({
  version: 3,
  protocol: { ...protocol, ...change },
  metadata: { ...plain, ...metadata },
});

const field = (metadata: object): Partial<Metadata> => ({
  schemaString: JSON.stringify({ type: "struct", fields: [{ name: "a", type: "long", nullable: true, metadata }] }),
});
const property = (name: string, value: string): Partial<Metadata> => ({ configuration: { [name]: value } });

const wholeText = (refuse: () => void): string | undefined => {
  try {
    refuse();
  } catch (error) {
    if (error instanceof UnsupportedTable) return error.message;
    throw error;
  }
  return undefined;
};

const used = (feature: string, doing: string, wayOut: string) =>
  `Table "t" uses the Delta feature ${feature}, with which Cais cannot ${doing} it; ${wayOut}.`;
const has = (feature: string, doing: string) =>
  `Table "t" has the Delta feature ${feature}, with which Cais cannot ${doing} it; ALTER TABLE … DROP FEATURE ${feature} where it was switched on, or give the stack's table another name.`;
const tooNew = (what: string) =>
  `Table "t" needs Delta ${what}, which this Cais does not know; update Cais, or give the stack's table another name.`;
const mapped = used("columnMapping", "read", "set delta.columnMapping.mode to none");

describe("a table of another program", () => {
  it.each<[string, TableHead]>([
    ["the oldest versions", headOf({ minWriterVersion: 1 })],
    ["versions whose features it does not use", headOf({ minReaderVersion: 2, minWriterVersion: 6 })],
    [
      "features that it does not use",
      headOf({
        minReaderVersion: 3,
        minWriterVersion: 7,
        readerFeatures: ["columnMapping"],
        writerFeatures: ["appendOnly", "invariants", "checkConstraints", "changeDataFeed", "columnMapping"],
      }),
    ],
    ["an unused mapping", headOf({ minReaderVersion: 2 }, property("delta.columnMapping.mode", "none"))],
  ])("can be read and written with %s", (_, head) => {
    expect(() => checkReadable("t", head)).not.toThrow();
    expect(() => checkWritable("t", head)).not.toThrow();
  });

  it.each<[TableHead, string | undefined, string]>([
    [headOf({ minReaderVersion: 4 }), tooNew("reader version 4"), tooNew("reader version 4")],
    [headOf({ minWriterVersion: 8 }), undefined, tooNew("writer version 8")],
    [
      headOf({
        minReaderVersion: 3,
        minWriterVersion: 7,
        readerFeatures: ["deletionVectors"],
        writerFeatures: ["deletionVectors"],
      }),
      has("deletionVectors", "read"),
      has("deletionVectors", "read"),
    ],
    [headOf({ minWriterVersion: 7, writerFeatures: ["rowTracking"] }), undefined, has("rowTracking", "write")],
    [headOf({ minReaderVersion: 2 }, property("delta.columnMapping.mode", "name")), mapped, mapped],
    [
      headOf({}, field({ "delta.invariants": '{"expression":{"expression":"a > 3"}}' })),
      undefined,
      used("invariants", "write", "remove the invariants from its columns"),
    ],
    [
      headOf({ minWriterVersion: 3 }, property("delta.constraints.positive", "a > 0")),
      undefined,
      used("checkConstraints", "write", "ALTER TABLE … DROP CONSTRAINT each of them"),
    ],
    [
      headOf({ minWriterVersion: 4 }, property("delta.enableChangeDataFeed", "true")),
      undefined,
      used("changeDataFeed", "write", "set delta.enableChangeDataFeed to false"),
    ],
    [
      headOf({ minWriterVersion: 4 }, field({ "delta.generationExpression": "b + 1" })),
      undefined,
      used("generatedColumns", "write", "compute the columns in the stack's SQL"),
    ],
    [
      headOf({ minWriterVersion: 6 }, field({ "delta.identity.start": 1 })),
      undefined,
      used("identityColumns", "write", "compute the columns in the stack's SQL"),
    ],
    [
      headOf({}, { format: { provider: "orc" } }),
      'Table "t" is kept as orc; Cais reads Parquet only.',
      'Table "t" is kept as orc; Cais reads Parquet only.',
    ],
    [
      headOf({}, property("delta.checkpoint.writeStatsAsJson", "false")),
      undefined,
      'Table "t" sets delta.checkpoint.writeStatsAsJson to false, which Cais does not follow; unset that property.',
    ],
  ])("is refused with the way out: %j", (head, reading, writing) => {
    expect(wholeText(() => checkReadable("t", head))).toBe(reading);
    expect(wholeText(() => checkWritable("t", head))).toBe(writing);
  });
});

const withNulls = (nulls: object | null, p: string | null = "1") =>
  fileOf("x", { partitionValues: { p }, stats: nulls && JSON.stringify({ nullCount: nulls }) });

describe("a change", () => {
  const change = { operation: "WRITE", readVersion: 3, adds: [], removes: [], blindAppend: false } as const;
  const appendOnly = headOf({}, property("delta.appendOnly", "true"));

  it("takes no rows out of a table that only grows, but may rearrange them", () => {
    const removes = [removedOf(fileOf("first"))];
    expect(() => checkChange("t", { ...change, removes }, appendOnly)).toThrow(
      'Table "t" sets delta.appendOnly, so no rows can leave it; unset that property, or use the disposition append.',
    );
    const rearranged = [removedOf(fileOf("first"), { dataChange: false })];
    expect(() => checkChange("t", { ...change, removes: rearranged }, appendOnly)).not.toThrow();
  });

  it("puts no null where the table has none, nor what may be one", () => {
    const fields = ["a", "p"].map((name) => ({ name, type: "long", nullable: false, metadata: {} }));
    const schemaString = JSON.stringify({ type: "struct", fields });
    const head = headOf({}, { schemaString, partitionColumns: ["p"] });
    const check = (adds: ReturnType<typeof fileOf>[]) => checkChange("t", { ...change, adds }, head);
    expect(() => check([withNulls({ a: 0 })])).not.toThrow();
    for (const adds of [[withNulls({ a: 1 })], [withNulls({})], [withNulls(null)]])
      expect(() => check(adds)).toThrow(
        'Column "a" of table "t" must not be null, and is or may be in x; replace nulls',
      );
    expect(() => check([withNulls({ a: 0 }, null)])).toThrow('Column "p" of table "t" must not be null');
  });

  it("gives each file its partition, each once", () => {
    const head = headOf({}, { partitionColumns: ["a"] });
    const check = (adds: ReturnType<typeof fileOf>[]) => checkChange("t", { ...change, adds }, head);
    expect(() => check([fileOf("x")])).toThrow('The file x of table "t" has no value for each of "a".');
    expect(() => check([fileOf("x", { partitionValues: { a: "" } })])).toThrow("has an empty partition value");
    const file = fileOf("x", { partitionValues: { a: "1" } });
    expect(() => check([file, file])).toThrow('A commit to table "t" adds a file twice.');
  });

  it("leaves the table what it is", () => {
    const metadata = { ...plain, partitionColumns: ["a"] };
    expect(() => checkChange("t", { ...change, metadata }, headOf({}))).toThrow(
      'Table "t" is partitioned by nothing and would be by "a"; leave partitionBy as it was',
    );
    const another = newMetadata([{ name: "a", type: "BIGINT" }], []);
    expect(() => checkChange("t", { ...change, metadata: another }, headOf({}))).toThrow(
      "are for a table of another id",
    );
    expect(() => checkChange("t", { ...change, readVersion: null }, undefined)).toThrow(
      "cannot be made without columns",
    );
    const grown = evolve(plain, [{ name: "b", type: "DATE" }], "t");
    expect(() => checkChange("t", { ...change, metadata: grown }, headOf({}))).not.toThrow();
  });
});
