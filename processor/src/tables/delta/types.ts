import { z } from "zod";
import { sqlName } from "../../engine/quote.ts";

/** A type as DuckDB prints it (https://duckdb.org/docs/stable/sql/data_types/overview), taken apart. */
type Type =
  | { kind: "plain"; name: string }
  | { kind: "list"; of: Type }
  | { kind: "struct"; fields: { name: string; type: Type }[] }
  | { kind: "map"; key: Type; value: Type };

/** A type as a Delta schema holds it: https://github.com/delta-io/delta/blob/master/PROTOCOL.md#schema-serialization-format */
export type DeltaType =
  | string
  | { type: "array"; elementType: DeltaType; containsNull: boolean }
  | { type: "map"; keyType: DeltaType; valueType: DeltaType; valueContainsNull: boolean }
  | { type: "struct"; fields: DeltaField[] };

const DeltaType: z.ZodType<DeltaType> = z.union([
  z.string(),
  z.object({
    type: z.literal("array"),
    elementType: z.lazy(() => DeltaType),
    containsNull: z.boolean(),
  }),
  z.object({
    type: z.literal("map"),
    keyType: z.lazy(() => DeltaType),
    valueType: z.lazy(() => DeltaType),
    valueContainsNull: z.boolean(),
  }),
  z.object({ type: z.literal("struct"), fields: z.lazy(() => z.array(DeltaField)) }),
]);

export const DeltaField = z.object({
  name: z.string(),
  type: DeltaType,
  nullable: z.boolean(),
  metadata: z.record(z.string(), z.unknown()).default({}),
});
/** A column, or a part of one. */
export type DeltaField = z.output<typeof DeltaField>;

const asDelta: Record<string, string> = {
  BOOLEAN: "boolean",
  TINYINT: "byte",
  SMALLINT: "short",
  INTEGER: "integer",
  BIGINT: "long",
  FLOAT: "float",
  DOUBLE: "double",
  VARCHAR: "string",
  BLOB: "binary",
  DATE: "date",
  TIMESTAMP: "timestamp",
  "TIMESTAMP WITH TIME ZONE": "timestamp",
};

/** What Delta lacks and a wider type holds without loss. */
const widened: Record<string, string> = {
  UTINYINT: "SMALLINT",
  USMALLINT: "INTEGER",
  UINTEGER: "BIGINT",
  UBIGINT: "DECIMAL(20,0)",
  // Of 39 digits at most; a value of 39 makes the cast fail.
  HUGEINT: "DECIMAL(38,0)",
  UHUGEINT: "DECIMAL(38,0)",
  TIMESTAMP_S: "TIMESTAMP",
  TIMESTAMP_MS: "TIMESTAMP",
  TIME: "VARCHAR",
  UUID: "VARCHAR",
  JSON: "VARCHAR",
  BIT: "VARCHAR",
};

/** What has no form that all readers of the table would understand alike: what to write in SQL instead. */
const refused: Record<string, string> = {
  INTERVAL: "a number of days or seconds, such as epoch(x)",
  TIMESTAMP_NS: "x::TIMESTAMP, which keeps microseconds",
  "TIME WITH TIME ZONE": "x::VARCHAR",
  BIGNUM: "x::VARCHAR or x::DECIMAL(38,0)",
};

const EXAMPLE = "x::VARCHAR";

/**
 * The DuckDB type in which a table keeps values of a DuckDB type: the same, or one that Delta has and that they are cast to
 * on writing. Throws for a type without one; the error's message goes on with `Column "x" …`.
 */
export function tableType(type: string): string {
  const parsed = parse(type);
  const kept = print(mapPlain(parsed, stored));
  // DuckDB quotes a part's name only where it must, so its own text stays. An array of a fixed length becomes a list.
  return kept === print(parsed) && !/\[\d+\]/.test(type) ? type : kept;
}

/** The DuckDB type of a table's column inside its Parquet files, where times are in UTC. */
export const fileType = (type: string): string =>
  print(mapPlain(parse(type), (name) => (name === "TIMESTAMP" ? "TIMESTAMP WITH TIME ZONE" : name)));

/** The Delta type of a column of a table. */
export const deltaType = (type: string): DeltaType => toDelta(mapPlain(parse(type), stored));

/** The DuckDB type of a Delta type. Throws for what DuckDB or this version of the protocol has not, such as `variant`. */
export const duckdbType = (type: DeltaType): string => print(fromDelta(type));

/** The parts of a column that have one value a row: itself, or what a struct holds; nothing of lists and maps. */
export function leaves(name: string, type: string): { path: string[]; type: string }[] {
  const inside = (path: string[], type: Type): { path: string[]; type: string }[] => {
    if (type.kind === "plain") return [{ path, type: type.name }];
    return type.kind === "struct" ? type.fields.flatMap(({ name, type }) => inside([...path, name], type)) : [];
  };
  return inside([name], parse(type));
}

function stored(name: string): string {
  if (name in asDelta || name.startsWith("DECIMAL(")) return name;
  if (name.startsWith("ENUM(")) return "VARCHAR";
  const wider = widened[name];
  if (wider !== undefined) return wider;
  throw new Error(`is ${name}, which Delta tables do not have; write ${refused[name] ?? EXAMPLE} in the SQL.`);
}

function mapPlain(type: Type, change: (name: string) => string): Type {
  switch (type.kind) {
    case "plain":
      return { kind: "plain", name: change(type.name) };
    case "list":
      return { kind: "list", of: mapPlain(type.of, change) };
    case "map":
      return { kind: "map", key: mapPlain(type.key, change), value: mapPlain(type.value, change) };
    case "struct":
      return { kind: "struct", fields: type.fields.map(({ name, type }) => ({ name, type: mapPlain(type, change) })) };
  }
}

function print(type: Type): string {
  switch (type.kind) {
    case "plain":
      return type.name;
    case "list":
      return `${print(type.of)}[]`;
    case "map":
      return `MAP(${print(type.key)}, ${print(type.value)})`;
    case "struct":
      return `STRUCT(${type.fields.map(({ name, type }) => `${sqlName(name)} ${print(type)}`).join(", ")})`;
  }
}

function toDelta(type: Type): DeltaType {
  switch (type.kind) {
    case "plain":
      return asDelta[type.name] ?? type.name.toLowerCase();
    case "list":
      return { type: "array", elementType: toDelta(type.of), containsNull: true };
    case "map":
      return { type: "map", keyType: toDelta(type.key), valueType: toDelta(type.value), valueContainsNull: true };
    case "struct":
      return {
        type: "struct",
        fields: type.fields.map(({ name, type }) => ({ name, type: toDelta(type), nullable: true, metadata: {} })),
      };
  }
}

function fromDelta(type: DeltaType): Type {
  if (typeof type !== "string") {
    switch (type.type) {
      case "array":
        return { kind: "list", of: fromDelta(type.elementType) };
      case "map":
        return { kind: "map", key: fromDelta(type.keyType), value: fromDelta(type.valueType) };
      case "struct":
        return {
          kind: "struct",
          fields: type.fields.map(({ name, type }) => ({ name, type: fromDelta(type) })),
        };
    }
  }
  const [, precision, scale] = /^decimal\((\d+), *(\d+)\)$/.exec(type) ?? [];
  if (precision !== undefined) return { kind: "plain", name: `DECIMAL(${precision},${scale})` };
  const plain = Object.keys(asDelta).find((name) => asDelta[name] === type);
  if (plain === undefined) throw new Error(`is of the Delta type ${type}, which Cais does not read.`);
  return { kind: "plain", name: plain };
}

/** Takes apart what DuckDB prints: `STRUCT(a INTEGER, "b c" VARCHAR[])`, `MAP(VARCHAR, DECIMAL(18,3))`, `INTEGER[3]`. */
function parse(text: string): Type {
  let rest = text;
  const take = (pattern: RegExp): string | undefined => {
    const [found] = new RegExp(`^(?:${pattern.source})`).exec(rest) ?? [];
    if (found !== undefined) rest = rest.slice(found.length);
    return found;
  };
  const must = (pattern: RegExp): string => {
    const found = take(pattern);
    if (found === undefined)
      throw new Error(`is ${text}, which Delta tables do not have; write ${EXAMPLE} in the SQL.`);
    return found;
  };

  function one(): Type {
    let type = head();
    while (take(/\[\d*\]/) !== undefined) type = { kind: "list", of: type };
    return type;
  }

  function head(): Type {
    if (take(/STRUCT\(/) !== undefined) {
      const fields = [];
      do {
        const name = must(/"(?:[^"]|"")*"|\w+/);
        must(/ /);
        fields.push({ name: name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name, type: one() });
      } while (take(/, /) !== undefined);
      must(/\)/);
      return { kind: "struct", fields };
    }
    if (take(/MAP\(/) !== undefined) {
      const key = one();
      must(/, /);
      const value = one();
      must(/\)/);
      return { kind: "map", key, value };
    }
    const values = take(/ENUM\((?:'(?:[^']|'')*'(?:, )?)*\)/);
    if (values !== undefined) return { kind: "plain", name: "ENUM()" };
    return { kind: "plain", name: must(/DECIMAL\(\d+,\d+\)|[A-Z_]+(?: WITH TIME ZONE)?/) };
  }

  const type = one();
  must(/$/);
  return type;
}
