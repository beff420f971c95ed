import type { TableColumn } from "@cais/spec/api.ts";
import { DeliveryRefused } from "../faults.ts";
import { postgresType } from "./types.ts";

/** Postgres cuts longer names off without a word. */
const NAME_BYTES = 63;

/** Days for which it is known that a delivery was made: longer than any is tried. */
const KNOWN_DAYS = 90;

/**
 * What a delivery to `to` asks of Postgres. All names are quoted; cells never stand in SQL. Throws `DeliveryRefused` for a
 * column that Postgres cannot have.
 */
export function statements(to: string, columns: TableColumn[], key: readonly string[] | undefined) {
  const table = to.split(".").map(name).join(".");
  const schema = to.includes(".") ? name(to.split(".")[0] ?? "") : undefined;
  const deliveries = `${schema === undefined ? "" : `${schema}.`}${name("cais_deliveries")}`;
  const typed = new Map(columns.map((column) => [column.name, `${name(column.name)} ${postgresType(column)}`]));
  const names = columns.map((column) => name(column.name)).join(", ");
  for (const column of key ?? [])
    if (!typed.has(column))
      throw new DeliveryRefused(
        `The key's column ${column} is not in the table; there is ${[...typed.keys()].join(", ")}.`,
      );
  const keys = key?.map(name).join(", ");
  const others = columns.filter((column) => !key?.includes(column.name)).map((column) => name(column.name));
  const update =
    others.length === 0 ? "NOTHING" : `UPDATE SET ${others.map((of) => `${of} = excluded.${of}`).join(", ")}`;
  return {
    table,
    deliveries,
    schema,
    makeSchema: schema === undefined ? undefined : `CREATE SCHEMA ${schema}`,
    makeDeliveries: `CREATE TABLE IF NOT EXISTS ${deliveries}
      (delivery text PRIMARY KEY, delivered_to text NOT NULL, delivered_at timestamptz NOT NULL DEFAULT now())`,
    /** One delivery to a table at a time, whoever makes it. */
    lock: "SELECT pg_advisory_xact_lock(hashtextextended('cais ' || $1, 0))",
    note: `INSERT INTO ${deliveries} (delivery, delivered_to) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
    forget: `DELETE FROM ${deliveries} WHERE delivered_to = $1 AND delivered_at < now() - interval '${KNOWN_DAYS} days'`,
    makeTable: `CREATE TABLE ${table} (${[...typed.values(), ...(keys === undefined ? [] : [`PRIMARY KEY (${keys})`])].join(", ")})`,
    columns: `SELECT attname FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`,
    addColumn: (column: string) => `ALTER TABLE ${table} ADD COLUMN ${typed.get(column) ?? name(column)}`,
    makeStaging: `CREATE TEMPORARY TABLE cais_staging (${[`${name(ROW)} bigint`, ...typed.values()].join(", ")}) ON COMMIT DROP`,
    copy: `COPY cais_staging (${name(ROW)}, ${names}) FROM STDIN`,
    merge:
      keys === undefined
        ? // No TRUNCATE, which would hold up those who read, and show them an empty table.
          [
            `DELETE FROM ${table}`,
            `INSERT INTO ${table} (${names}) SELECT ${names} FROM cais_staging ORDER BY ${name(ROW)}`,
          ]
        : // Of rows with one key the last one counts.
          [
            `INSERT INTO ${table} (${names})
              SELECT DISTINCT ON (${keys}) ${names} FROM cais_staging ORDER BY ${keys}, ${name(ROW)} DESC
              ON CONFLICT (${keys}) DO ${update}`,
          ],
  };
}

/** The row's number in the staging table. No column of ours has a space at its beginning and a colon. */
const ROW = " cais:row";

/** A name as Postgres takes it, whatever it holds. */
function name(text: string): string {
  if (Buffer.byteLength(text) > NAME_BYTES || text.includes("\0"))
    throw new DeliveryRefused(
      `The column ${JSON.stringify(text.slice(0, 80))} has a name that Postgres cannot have (over ${NAME_BYTES} bytes, or with NUL); give it another one in the table's SQL.`,
    );
  return `"${text.replaceAll('"', '""')}"`;
}
