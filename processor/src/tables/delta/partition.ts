import { UnsupportedTable } from "./actions.ts";

/**
 * A partition value as the log writes it (https://github.com/delta-io/delta/blob/master/PROTOCOL.md#partition-value-serialization),
 * of what DuckDB makes of the value as text. `type` is the column's DuckDB type. An empty text becomes null, for Delta has
 * no other: whoever writes the file must have made the same of it.
 */
export function partitionValue(text: string | null, type: string): string | null {
  if (text === null || text === "") return null;
  switch (type) {
    case "TIMESTAMP":
    case "TIMESTAMP WITH TIME ZONE":
      return timestamp(text);
    case "DATE":
      if (!/^\d{4}-\d\d-\d\d$/.test(text)) throw outOfReach(text);
      return text;
    case "FLOAT":
    case "DOUBLE":
      return names[text] ?? text;
    default:
      return text;
  }
}

/** What Java and Rust read of what DuckDB prints. */
const names: Record<string, string> = { inf: "Infinity", "-inf": "-Infinity", nan: "NaN" };

/** Time in UTC as ISO 8601, which no reader takes for its own time zone. */
function timestamp(text: string): string {
  const [, date, time, fraction = ""] =
    /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?:\+00(?::00)?)?$/.exec(text) ?? [];
  if (date === undefined) throw outOfReach(text);
  return `${date}T${time}.${fraction.padEnd(6, "0")}Z`;
}

/** Readers make null of it, without a word. */
const outOfReach = (text: string) =>
  new UnsupportedTable(
    `A partition cannot be named by the time ${text}: it must be of the years 0000 to 9999; leave such rows out in the SQL.`,
  );

/**
 * The text that DuckDB casts to a partition column's type, of a partition value in a log; null for null. Of what other
 * programs write: a timestamp without a zone is taken as UTC.
 */
export const partitionText = (value: string | null | undefined): string | null =>
  value === undefined || value === "" ? null : value;
