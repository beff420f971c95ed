import { type TableHead, UnsupportedTable } from "./actions.ts";
import { fieldsOf } from "./schema.ts";

/** What Cais gives the tables that it makes. */
export const protocol = { minReaderVersion: 1, minWriterVersion: 2 };

/**
 * What versions above ask of readers and writers, and whether a table uses it: unused, it asks for nothing. Every other
 * feature is refused, used or not (https://github.com/delta-io/delta/blob/master/PROTOCOL.md#valid-feature-names-in-table-features).
 */
const known: Record<string, { isUsed: (head: TableHead) => boolean; wayOut: string }> = {
  appendOnly: { isUsed: () => false, wayOut: "" },
  invariants: {
    isUsed: (head) => hasFieldKey(head, /"delta\.invariants":/),
    wayOut: "remove the invariants from its columns",
  },
  checkConstraints: {
    isUsed: (head) => hasProperty(head, /^delta\.constraints\./),
    wayOut: "ALTER TABLE … DROP CONSTRAINT each of them",
  },
  changeDataFeed: {
    isUsed: ({ metadata }) => metadata.configuration?.["delta.enableChangeDataFeed"] === "true",
    wayOut: "set delta.enableChangeDataFeed to false",
  },
  generatedColumns: {
    isUsed: (head) => hasFieldKey(head, /"delta\.generationExpression":/),
    wayOut: "compute the columns in the stack's SQL",
  },
  identityColumns: {
    isUsed: (head) => hasFieldKey(head, /"delta\.identity\.\w+":/),
    wayOut: "compute the columns in the stack's SQL",
  },
  columnMapping: {
    isUsed: ({ metadata }) => (metadata.configuration?.["delta.columnMapping.mode"] ?? "none") !== "none",
    wayOut: "set delta.columnMapping.mode to none",
  },
};

/** Features that a version below 3 (readers) or 7 (writers) brings with it, all of those before included. */
const readerVersions = [[], [], ["columnMapping"]];
const writerVersions = [
  [],
  [],
  ["appendOnly", "invariants"],
  ["checkConstraints"],
  ["changeDataFeed", "generatedColumns"],
  ["columnMapping"],
  ["identityColumns"],
];

/** Throws UnsupportedTable if the table's rows cannot be read right. */
export function checkReadable(table: string, head: TableHead): void {
  const { minReaderVersion: version, readerFeatures = [] } = head.protocol;
  if (version > 3) throw tooNew(table, `reader version ${version}`);
  const features = version === 3 ? readerFeatures : readerVersions.slice(0, version + 1).flat();
  refuse(table, "read", features, head);
  if (head.metadata.format.provider !== "parquet")
    throw new UnsupportedTable(
      `Table "${table}" is kept as ${head.metadata.format.provider}; Cais reads Parquet only.`,
    );
}

/** Throws UnsupportedTable if a commit to the table would have to do what Cais does not. */
export function checkWritable(table: string, head: TableHead): void {
  checkReadable(table, head);
  const { minWriterVersion: version, writerFeatures = [] } = head.protocol;
  if (version > 7) throw tooNew(table, `writer version ${version}`);
  const features = version === 7 ? writerFeatures : writerVersions.slice(0, version + 1).flat();
  refuse(table, "write", features, head);
  if (head.metadata.configuration?.["delta.checkpoint.writeStatsAsJson"] === "false")
    throw new UnsupportedTable(
      `Table "${table}" sets delta.checkpoint.writeStatsAsJson to false, which Cais does not follow; unset that property.`,
    );
}

function refuse(table: string, doing: "read" | "write", features: string[], head: TableHead): void {
  for (const feature of features) {
    const rule = known[feature];
    if (rule === undefined)
      throw new UnsupportedTable(
        `Table "${table}" has the Delta feature ${feature}, with which Cais cannot ${doing} it; ` +
          `ALTER TABLE … DROP FEATURE ${feature} where it was switched on, or give the stack's table another name.`,
      );
    if (rule.isUsed(head))
      throw new UnsupportedTable(
        `Table "${table}" uses the Delta feature ${feature}, with which Cais cannot ${doing} it; ${rule.wayOut}.`,
      );
  }
}

const tooNew = (table: string, what: string) =>
  new UnsupportedTable(
    `Table "${table}" needs Delta ${what}, which this Cais does not know; update Cais, or give the stack's table another name.`,
  );

const hasProperty = ({ metadata }: TableHead, name: RegExp) =>
  Object.keys(metadata.configuration ?? {}).some((key) => name.test(key));

/** Looks at every column and at every part of one. */
const hasFieldKey = ({ metadata }: TableHead, key: RegExp) => key.test(JSON.stringify(fieldsOf(metadata)));
