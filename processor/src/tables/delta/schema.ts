import { randomUUID } from "node:crypto";
import type { TableColumn } from "@cais/spec/api.ts";
import { z } from "zod";
import { type Metadata, SchemaChanged, UnsupportedTable } from "./actions.ts";
import { DeltaField, type DeltaType, deltaType, duckdbType, fileType, tableType } from "./types.ts";

const Schema = z.object({ type: z.literal("struct"), fields: z.array(DeltaField) });

/** Types that a partition value can be written in. */
const partitionTypes = /^(string|byte|short|integer|long|float|double|decimal\(.*\)|boolean|date|timestamp)$/;

/**
 * The columns that a table keeps of what a SELECT gives, and how DuckDB casts to them: `inTable` as SQL sees the table,
 * `inFile` as its Parquet files have it. Throws if a type has no place in a Delta table.
 */
export function tableColumns(columns: TableColumn[]): { name: string; inTable: string; inFile: string }[] {
  return columns.map(({ name, type }) => {
    const inTable = ofColumn(name, () => tableType(type));
    return { name, inTable, inFile: fileType(inTable) };
  });
}

/** The metadata of a new table. Throws if columns cannot be a Delta table's. */
export function newMetadata(columns: TableColumn[], partitionBy: string[], configuration = {}): Metadata {
  const metadata = {
    id: randomUUID(),
    format: { provider: "parquet", options: {} },
    schemaString: schemaString(columns.map((column) => fieldOf(column))),
    partitionColumns: partitionBy,
    createdTime: Date.now(),
    configuration,
  };
  checkPartitions(metadata);
  return metadata;
}

/**
 * The table's columns with DuckDB's types. A column that `known` has with a type that means the same keeps that type:
 * TIMESTAMP and TIMESTAMP WITH TIME ZONE are one in Delta.
 */
export function columnsOf(metadata: Metadata, known: TableColumn[] = []): TableColumn[] {
  const types = new Map(known.map(({ name, type }) => [name, type]));
  return fieldsOf(metadata).map(({ name, type }) => {
    const before = types.get(name);
    if (before !== undefined && before === tableType(before) && same(deltaType(before), type))
      return { name, type: before };
    return { name, type: ofColumn(name, () => duckdbType(type)) };
  });
}

/**
 * The table's metadata for rows of these columns: as it is, or with those that are new at its end. A column that the rows
 * lack stays, and is null in them. Throws SchemaChanged if a column has another type, in itself or in its parts.
 */
export function evolve(before: Metadata, columns: TableColumn[], table: string): Metadata {
  const fields = fieldsOf(before);
  const added: DeltaField[] = [];
  for (const column of columns) {
    const field = fields.find(({ name }) => name === column.name);
    if (field === undefined) added.push(fieldOf(column));
    else if (!same(deltaType(column.type), field.type))
      throw new SchemaChanged(
        `Column ${JSON.stringify(column.name)} of table "${table}" is ${show(field.type)} and would become ${column.type}; ` +
          `cast it in the SQL to what it was, give it another name, or give the table another name to start it anew.`,
      );
  }
  if (added.length === 0) return before;
  return { ...before, schemaString: schemaString([...fields, ...added]) };
}

/** The table's columns as its log has them. */
export function fieldsOf({ schemaString }: Metadata): DeltaField[] {
  let schema: unknown;
  try {
    schema = JSON.parse(schemaString);
  } catch (error) {
    throw new UnsupportedTable("The table's schema is no JSON; its log is damaged: restore it.", { cause: error });
  }
  const { data, error } = Schema.safeParse(schema);
  if (data === undefined)
    throw new UnsupportedTable(`The table's schema cannot be read: ${z.prettifyError(error)}`, { cause: error });
  return data.fields;
}

function schemaString(fields: DeltaField[]): string {
  const seen = new Map<string, string>();
  for (const { name } of fields) {
    const other = seen.get(name.toLowerCase());
    // "All column names must be unique regardless of casing", says the protocol.
    if (other !== undefined)
      throw new SchemaChanged(
        `Columns ${JSON.stringify(other)} and ${JSON.stringify(name)} are one name to a Delta table; rename one in the SQL.`,
      );
    seen.set(name.toLowerCase(), name);
  }
  return JSON.stringify({ type: "struct", fields });
}

const fieldOf = ({ name, type }: TableColumn): DeltaField => ({
  name,
  type: ofColumn(name, () => deltaType(type)),
  nullable: true,
  metadata: {},
});

function checkPartitions(metadata: Metadata): void {
  const fields = fieldsOf(metadata);
  for (const name of metadata.partitionColumns) {
    const type = fields.find((field) => field.name === name)?.type;
    if (type === undefined)
      throw new Error(`The table is partitioned by ${JSON.stringify(name)}, which is no column of it.`);
    if (typeof type !== "string" || !partitionTypes.test(type))
      throw new Error(
        `The table is partitioned by ${JSON.stringify(name)}, which is ${show(type)}; cast it in the SQL.`,
      );
  }
  if (fields.length === metadata.partitionColumns.length)
    throw new Error("The table is partitioned by all of its columns; leave one out of partitionBy.");
}

/** Runs `convert` so that its error names the column. */
function ofColumn<T>(name: string, convert: () => T): T {
  try {
    return convert();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UnsupportedTable(`Column ${JSON.stringify(name)} ${why}`, { cause: error });
  }
}

const show = (type: DeltaType) => duckdbType(type);

/** Whether rows of the first type fit a column of the second: nullability and metadata of parts apart. */
function same(one: DeltaType, other: DeltaType): boolean {
  if (typeof one === "string" || typeof other === "string") return plain(one) === plain(other);
  if (one.type === "array" && other.type === "array") return same(one.elementType, other.elementType);
  if (one.type === "map" && other.type === "map")
    return same(one.keyType, other.keyType) && same(one.valueType, other.valueType);
  if (one.type !== "struct" || other.type !== "struct") return false;
  return (
    one.fields.length === other.fields.length &&
    one.fields.every(({ name, type }, index) => {
      const field = other.fields[index];
      return field !== undefined && field.name === name && same(type, field.type);
    })
  );
}

const plain = (type: DeltaType) => (typeof type === "string" ? type.replaceAll(" ", "") : type);
