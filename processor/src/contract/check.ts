import type { Column, Contract } from "@cais/spec/contract.ts";
import { suggest } from "@cais/spec/suggest.ts";
import { sqlName, sqlText } from "../engine/quote.ts";
import { Unreadable } from "./records.ts";

/** Columns of the checked rows beside the contract's. The space keeps them apart from any `Identifier`. */
export const ROW = "row number";
export const VIOLATIONS = "row violations";

/** What must hold of one cell: SQL that is true when it does not, and what the sender is told. */
interface Demand {
  broken: string;
  reason: string;
}

/** The place of each contract column in the file; a header that lacks one or has it twice makes the file unreadable. */
export function placeColumns(columns: Column[], header: string[]): number[] {
  const wanted = columns.map(({ name, from }) => (typeof from === "string" ? from : name).trim().normalize("NFC"));
  const missing = wanted.filter((title) => !header.includes(title));
  if (missing.length > 0) throw new Unreadable(explainMissing(missing, wanted, header));
  const twice = wanted.find((title) => header.indexOf(title) !== header.lastIndexOf(title));
  if (twice !== undefined) throw new Unreadable(`The header row has "${twice}" more than once; name each column once.`);
  return wanted.map((title) => header.indexOf(title));
}

function explainMissing(missing: string[], wanted: string[], header: string[]): string {
  const [only = ""] = header;
  const separator = header.length > 1 ? undefined : [";", "\t", "|"].find((character) => only.includes(character));
  if (separator !== undefined)
    return `The file separates its cells by ${separator === "\t" ? "tabs" : `"${separator}"`}; save it as CSV with commas and send it again.`;
  const free = header.filter((title) => !wanted.includes(title));
  const meant = missing.map((title) => suggest(title, free));
  if (missing.length === wanted.length && meant.every((title) => title === undefined))
    return `The header row has none of the ${wanted.length} columns expected; is it the right file? It has ${quoted(header.slice(0, 5))}${header.length > 5 ? ", …" : ""}.`;
  const lacking = missing.map(
    (title, index) => `"${title}"${meant[index] === undefined ? "" : ` (is it "${meant[index]}"?)`}`,
  );
  return `The header row lacks ${lacking.join(", ")}; it has ${quoted(header)}.`;
}

const quoted = (titles: string[]) => titles.map((title) => `"${title}"`).join(", ");

/**
 * SQL that reads the good rows of splitRecords: their number, the contract's columns with their types, and a list of
 * violations { column, reason, value }, null for a clean row. All violated demands are listed. Rules are asked of rows
 * whose cells are all as demanded: of others they would only tell the same mistake again.
 */
export function checkSql(
  file: string,
  contract: Contract,
  places: number[],
  width: number,
  oneThread: boolean,
): string {
  const { columns, rules } = contract;
  const raw = (index: number) => sqlName(`cell ${places[index]}`);
  const fileColumns = [`${sqlText(ROW)}: 'BIGINT'`];
  for (let index = 0; index < width; index++) fileColumns.push(`${sqlText(`cell ${index}`)}: 'VARCHAR'`);
  // DuckDB reads a file in parallel by lines, so rows of several lines are read by one thread.
  const source = `read_csv(${sqlText(file)}, columns = {${fileColumns.join(", ")}}, auto_detect = false, header = false,
    delim = ',', quote = '"', escape = '"', new_line = '\\n', max_line_size = 2097152, parallel = ${!oneThread})`;
  const names = columns.map(({ name }) => sqlName(name));
  const typed = columns.map((column, index) => `${typedSql(column, raw(index))} AS ${sqlName(column.name)}`);
  const demands = columns.flatMap((column, index) =>
    demandsOf(column, raw(index), sqlName(column.name)).map((demand) => ({ ...demand, column, raw: raw(index) })),
  );
  const cells = demands.map(({ broken, reason, column, raw }) => ({
    broken,
    violation: struct(sqlText(column.name), reason, raw),
  }));
  const rows = rules.map(({ check, reason }) => ({
    broken: `NOT (${check}\n)`,
    violation: struct("NULL", reason, "NULL"),
  }));
  const branches = [cells, rows]
    .filter((items) => items.length > 0)
    .map((items) => `WHEN ${items.map(({ broken }) => `(${broken})`).join(" OR ")} THEN ${list(items)}`);
  // The ELSE gives the column its type where nothing can be violated.
  const none = 'CAST(NULL AS STRUCT("column" VARCHAR, reason VARCHAR, value VARCHAR)[])';
  const violations = branches.length === 0 ? none : `CASE ${branches.join("\n")} ELSE ${none} END`;
  return `SELECT ${sqlName(ROW)}, ${names.join(", ")}, ${violations} AS ${sqlName(VIOLATIONS)}
    FROM (SELECT *, ${typed.join(",\n")} FROM ${source})`;
}

/** A violation as SQL; `column` and `value` are SQL, `reason` is text. */
const struct = (column: string, reason: string, value: string) =>
  `{'column': ${column}::VARCHAR, 'reason': ${sqlText(reason)}, 'value': ${value}::VARCHAR}`;

/** The list of those violations whose demand is broken. */
const list = (items: { broken: string; violation: string }[]) =>
  `list_filter([${items.map(({ broken, violation }) => `CASE WHEN ${broken} THEN ${violation} END`).join(",\n")}],
    lambda item: item IS NOT NULL)`;

/** The cell as its type, or null where it is empty or not of it. DuckDB's own casts take more than people mean by a type. */
function typedSql({ type }: Column, raw: string): string {
  const matching = (pattern: string, cast: string) =>
    `CASE WHEN regexp_full_match(trim(${raw}), ${sqlText(pattern)}) THEN ${cast} END`;
  switch (type) {
    case "string":
      return raw;
    // TRY_CAST alone would round 1.5 and read 0x1F and 1_000.
    case "integer":
      return matching("[+-]?[0-9]+", `TRY_CAST(${raw} AS BIGINT)`);
    // TRY_CAST alone would take inf, nan and 1_000.
    case "double":
      return `CASE WHEN isfinite(TRY_CAST(${raw} AS DOUBLE)) AND NOT contains(${raw}, '_') THEN TRY_CAST(${raw} AS DOUBLE) END`;
    case "decimal":
      return `TRY_CAST(${raw} AS DECIMAL(18, 2))`;
    case "boolean":
      return `CASE WHEN lower(trim(${raw})) IN ('true', '1') THEN true WHEN lower(trim(${raw})) IN ('false', '0') THEN false END`;
    // TRY_CAST alone would take `epoch` and cut the time off a timestamp.
    case "date":
      return matching(String.raw`\d{4}-\d{2}-\d{2}`, `TRY_CAST(trim(${raw}) AS DATE)`);
    // By way of TIMESTAMPTZ, because a cast to TIMESTAMP drops the offset. The session's zone is UTC.
    case "timestamp":
      return matching(
        String.raw`\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}(:?\d{2})?)?`,
        // DuckDB takes a zone only after seconds.
        `TRY_CAST(regexp_replace(trim(${raw}), '^(.{16})([Z+-].*)$', '\\1:00\\2') AS TIMESTAMPTZ) AT TIME ZONE 'UTC'`,
      );
  }
}

const typeReasons: Record<Column["type"], string> = {
  string: "is not text",
  integer: "is not a whole number of at most 64 bits",
  double: "is not a number (with a point, not a comma)",
  decimal: "is not a decimal number",
  boolean: "is not true, false, 1 or 0",
  date: "is not a date (YYYY-MM-DD)",
  timestamp: "is not a date and time (YYYY-MM-DD HH:MM or HH:MM:SS, and a zone such as Z or -03:00 if it has one)",
};

function demandsOf(column: Column, raw: string, name: string): Demand[] {
  const { type, required, min, max, pattern, values, reason } = column;
  const demands: Demand[] = [];
  const demand = (broken: string, reason: string) => demands.push({ broken, reason });
  // What looks empty in a spreadsheet is empty for who sent it.
  const blank = `regexp_full_match(${raw}, '[\\s\\p{Z}]*')`;
  if (required) demand(`${raw} IS NULL OR ${blank}`, "is required, but empty");
  if (type !== "string")
    demand(`${raw} IS NOT NULL AND ${name} IS NULL${required ? ` AND NOT ${blank}` : ""}`, typeReasons[type]);
  if (min !== undefined) demand(`${name} < ${min}`, `is below ${min}`);
  if (max !== undefined) demand(`${name} > ${max}`, `is above ${max}`);
  const unmatched = pattern === undefined ? [] : [`NOT regexp_full_match(${name}, ${sqlText(pattern)})`];
  const unlisted = values === undefined ? [] : [`${name} NOT IN (${values.map(sqlText).join(", ")})`];
  // Its author's own words stand for both, and are told once.
  if (reason !== undefined) demand([...unmatched, ...unlisted, "false"].join(" OR "), reason);
  else {
    for (const broken of unmatched) demand(broken, `does not match ${pattern}`);
    for (const broken of unlisted) demand(broken, `is none of ${values?.join(", ")}`);
  }
  return demands;
}
