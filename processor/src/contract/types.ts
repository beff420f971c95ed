import type { Column, Contract } from "@cais/spec/contract.ts";
import { sqlText } from "../engine/quote.ts";

/** The engine's type of a column. */
export function sqlType({ type, scale }: Pick<Column, "type" | "scale">): string {
  switch (type) {
    case "string":
      return "VARCHAR";
    case "integer":
      return "BIGINT";
    case "double":
      return "DOUBLE";
    case "decimal":
      return `DECIMAL(18, ${scale ?? 2})`;
    case "boolean":
      return "BOOLEAN";
    case "date":
      return "DATE";
    case "timestamp":
      return "TIMESTAMP";
  }
}

/** How numbers are written in a column. */
type Spelling = Pick<Contract, "decimal" | "thousands">;

const spellingOf = (column: Column, contract: Spelling): Spelling => ({
  decimal: column.decimal ?? contract.decimal,
  thousands: column.thousands ?? contract.thousands,
});

/** Characters that people mean by a separator of thousands: typesetters' forms too. */
const groupSigns: Record<Spelling["thousands"], string> = {
  "": "",
  ".": "[.]",
  ",": ",",
  " ": "[ \u00A0\u202F]",
  "'": "['\u2019]",
};

/** A number's whole part, as RE2: digits, or groups of three. */
const wholePart = ({ thousands }: Spelling) =>
  thousands === "" ? "[0-9]+" : `([0-9]{1,3}(${groupSigns[thousands]}[0-9]{3})+|[0-9]+)`;

/** A number's text as the engine's casts take it. */
function plainNumber(value: string, { decimal, thousands }: Spelling): string {
  const together = thousands === "" ? value : `regexp_replace(${value}, ${sqlText(groupSigns[thousands])}, '', 'g')`;
  return decimal === "," ? `replace(${together}, ',', '.')` : together;
}

const matching = (value: string, pattern: string, cast: string) =>
  `CASE WHEN regexp_full_match(${value}, ${sqlText(pattern)}) THEN ${cast} END`;

const zone = "(Z|[+-]\\d{2}(:?\\d{2})?)";
const isoTime = "\\d{4}-\\d{2}-\\d{2}[T ]\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,6})?)?";

const formatsOf = ({ format }: Column) => (format === undefined ? [] : typeof format === "string" ? [format] : format);

/**
 * A cell as its type, or null where it is not of it. `value` is SQL: the cell without white space around it, null where it
 * holds none (a string: the cell as it is). The engine's own casts take more than people mean by a type.
 */
export function typedSql(column: Column, value: string, contract: Spelling): string {
  const spelling = spellingOf(column, contract);
  const point = spelling.decimal === "." ? "[.]" : ",";
  const whole = wholePart(spelling);
  const number = plainNumber(value, spelling);
  switch (column.type) {
    case "string":
      return value;
    // TRY_CAST alone would round 1.5 and read 0x1F and 1_000.
    case "integer":
      return matching(value, `[+-]?${whole}`, `TRY_CAST(${number} AS BIGINT)`);
    // TRY_CAST alone would take inf, nan and 1_000, and give inf for 1e400.
    case "double": {
      const cast = `TRY_CAST(${number} AS DOUBLE)`;
      const pattern = `[+-]?(${whole}(${point}[0-9]*)?|${point}[0-9]+)([eE][+-]?[0-9]+)?`;
      return `CASE WHEN regexp_full_match(${value}, ${sqlText(pattern)}) AND isfinite(${cast}) THEN ${cast} END`;
    }
    // TRY_CAST alone would round what has more digits than the scale.
    case "decimal": {
      const scale = column.scale ?? 2;
      const bare = scale === 0 ? "0+" : `[0-9]{1,${scale}}0*`;
      const pattern = `[+-]?(${whole}(${point}[0-9]{0,${scale}}0*)?|${point}${bare})`;
      return matching(value, pattern, `TRY_CAST(${number} AS ${sqlType(column)})`);
    }
    case "boolean":
      return `CASE WHEN lower(${value}) IN ('true', '1') THEN true WHEN lower(${value}) IN ('false', '0') THEN false END`;
    // TRY_CAST alone would take `epoch` and cut the time off a timestamp.
    case "date":
      return column.format === undefined
        ? matching(value, "\\d{4}-\\d{2}-\\d{2}", `TRY_CAST(${value} AS DATE)`)
        : firstOf(formatsOf(column).map((format) => `${inUtc(value, format, undefined)}::DATE`));
    case "timestamp":
      return column.format === undefined
        ? isoTimeSql(value, column.timezone)
        : firstOf(formatsOf(column).map((format) => inUtc(value, format, column.timezone)));
  }
}

const firstOf = (choices: string[]) => (choices.length === 1 ? choices.join() : `coalesce(${choices.join(", ")})`);

/** A date by its format, as a TIMESTAMP in UTC. A year below 1000 is one of two digits, read as it was not meant. */
function inUtc(value: string, format: string, timezone: string | undefined): string {
  const parsed = `try_strptime(${value}, ${sqlText(format)})`;
  const local = /%[zZ]/.test(format) ? `(${parsed} AT TIME ZONE 'UTC')` : localToUtc(parsed, timezone);
  return `CASE WHEN year(${parsed}) >= 1000 THEN ${local} END`;
}

/**
 * A time of a zone's clocks in UTC; null for one that they skip when they are put forward. Of a time that they show twice
 * the engine takes one, always the same.
 */
function localToUtc(local: string, timezone: string | undefined): string {
  if (timezone === undefined || timezone === "UTC") return local;
  const there = `timezone(${sqlText(timezone)}, ${local})`;
  return `CASE WHEN timezone(${sqlText(timezone)}, ${there}) = ${local} THEN timezone('UTC', ${there}) END`;
}

function isoTimeSql(value: string, timezone: string | undefined): string {
  // By way of TIMESTAMPTZ, because a cast to TIMESTAMP drops the offset. The session's zone is UTC. DuckDB takes a zone
  // only after seconds.
  const seconds = `regexp_replace(${value}, '^(.{16})([Z+-].*)$', '\\1:00\\2')`;
  const cast = `TRY_CAST(${seconds} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'`;
  if (timezone === undefined || timezone === "UTC") return matching(value, `${isoTime}${zone}?`, cast);
  return `CASE WHEN regexp_full_match(${value}, ${sqlText(isoTime)}) THEN ${localToUtc(`TRY_CAST(${value} AS TIMESTAMP)`, timezone)}
    WHEN regexp_full_match(${value}, ${sqlText(isoTime + zone)}) THEN ${cast} END`;
}

/** What is told of a cell that is not of its column's type, after "The cell". */
export function typeReason(column: Column, contract: Spelling): string {
  const { decimal, thousands } = spellingOf(column, contract);
  const example = `1${thousands}234${decimal}5`;
  switch (column.type) {
    case "string":
      return "is not text";
    case "integer":
      return `is not a whole number of at most 64 bits${thousands === "" ? "" : ` (such as 1${thousands}234)`}`;
    case "double":
      if (thousands !== "") return `is not a number such as ${example}`;
      return `is not a number (with a ${decimal === "." ? "point, not a comma" : "comma, not a point"})`;
    case "decimal":
      return `is not a number such as ${example}, with at most ${column.scale ?? 2} ${column.scale === 1 ? "digit" : "digits"} after the ${decimal === "." ? "point" : "comma"}`;
    case "boolean":
      return "is not true, false, 1 or 0";
    case "date":
      return `is not a date (${column.format === undefined ? "YYYY-MM-DD" : formatsOf(column).join(" or ")})`;
    case "timestamp": {
      const skipped = column.timezone === undefined ? "" : `, or is skipped by the clocks of ${column.timezone}`;
      return column.format === undefined
        ? `is not a date and time (YYYY-MM-DD HH:MM or HH:MM:SS, and a zone such as Z or -03:00 if it has one)${skipped}`
        : `is not a date and time (${formatsOf(column).join(" or ")})${skipped}`;
    }
  }
}
