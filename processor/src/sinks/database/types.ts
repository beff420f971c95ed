import type { TableColumn } from "@cais/spec/api.ts";
import { isNested } from "../ndjson/index.ts";
import { DeliveryRefused } from "../faults.ts";

/** Postgres' type for each of DuckDB's: the one that takes every value of it. */
const types: Record<string, string> = {
  BOOLEAN: "boolean",
  TINYINT: "smallint",
  UTINYINT: "smallint",
  SMALLINT: "smallint",
  USMALLINT: "integer",
  INTEGER: "integer",
  UINTEGER: "bigint",
  BIGINT: "bigint",
  UBIGINT: "numeric(20,0)",
  HUGEINT: "numeric(39,0)",
  UHUGEINT: "numeric(39,0)",
  BIGNUM: "numeric",
  FLOAT: "real",
  DOUBLE: "double precision",
  VARCHAR: "text",
  BLOB: "bytea",
  UUID: "uuid",
  BIT: "bit varying",
  DATE: "date",
  TIME: "time",
  TIME_NS: "time",
  "TIME WITH TIME ZONE": "timetz",
  TIMESTAMP: "timestamp",
  TIMESTAMP_S: "timestamp",
  TIMESTAMP_MS: "timestamp",
  // Nanoseconds are rounded to Postgres' microseconds.
  TIMESTAMP_NS: "timestamp",
  "TIMESTAMP WITH TIME ZONE": "timestamptz",
  INTERVAL: "interval",
};

/** Postgres' type of a column. Throws `DeliveryRefused` if there is none. */
export function postgresType({ name, type }: TableColumn): string {
  const known = types[type];
  if (known !== undefined) return known;
  if (isNested(type)) return "jsonb";
  if (type.startsWith("ENUM(")) return "text";
  const [, digits, scale] = /^DECIMAL\((\d+),(\d+)\)$/.exec(type) ?? [];
  if (digits !== undefined && scale !== undefined) return `numeric(${digits},${scale})`;
  throw new DeliveryRefused(
    `Column ${name} is ${type}, which Postgres has no type for; cast it to VARCHAR in the table's SQL.`,
  );
}
