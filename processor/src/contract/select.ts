import type { Contract } from "@cais/spec/contract.ts";
import { sqlName, sqlText, sqlTexts } from "../engine/quote.ts";
import type { Placed, PlacedColumn } from "./columns.ts";
import { demandsOf } from "./demands.ts";
import type { PlainPlan } from "./plain.ts";
import { MAX_LONG_BYTES, MAX_ROW_BYTES, type PlainRows, type Records } from "./records.ts";
import { sqlType, typedSql } from "./types.ts";

/** Columns of the checked rows beside the contract's. The space keeps them apart from any `Identifier`. */
export const ROW = "row number";
export const TEXT = "row text";
export const VIOLATIONS = "row violations";
/** The clean rows as a bronze table keeps them. No SQL of a stack sees them: no name of a table has a space. */
export const RECEIVED = "rows as received";
/** The map of the columns that the contract does not name, where it keeps them. */
export const UNKNOWN = "unknown_columns";

export const VIOLATIONS_TYPE = 'STRUCT("column" VARCHAR, reason VARCHAR, value VARCHAR)[]';

/** How much of a cell is told with a violation; the row's text has it all. */
export const MAX_VALUE = 1000;

/** What counts as white space: ASCII's, and Unicode's separators (category Z). */
const spaces = sqlText(
  "\t\n\v\f\r \u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A\u2028\u2029\u202F\u205F\u3000",
);

const cellName = (place: number) => sqlName(`cell ${place}`);

/** Records of which some rows are plain. */
export type PlainRecords = Records & { plain: PlainRows };

/** The names that `input` has. */
export const inputNames = (contract: Contract): string =>
  [...contract.columns.map(({ name }) => name), ...(contract.unknownColumns === "keep" ? [UNKNOWN] : [])]
    .map(sqlName)
    .join(", ");

/** Reads the rows of records that are not plain as text: identity, text, cells. */
export function recordsSql(
  records: Pick<
    Records,
    "file" | "moreFiles" | "kind" | "header" | "delimiter" | "hasLineBreaks" | "isRagged" | "longestLine"
  >,
): string {
  const cells = records.header.map((_, place) => cellName(place));
  if (records.kind === "parquet")
    return `(SELECT * FROM (SELECT * FROM read_parquet(${sqlText(records.file)})) AS t(${[sqlName(ROW), ...cells].join(", ")}))`;
  const types = [[ROW, "BIGINT"], [TEXT, "VARCHAR"], ...records.header.map((_, place) => [`cell ${place}`, "VARCHAR"])];
  const columns = types.map(([name = "", type = ""]) => `${sqlText(name)}: '${type}'`);
  // DuckDB reads a file in parallel by lines, so rows of several lines are read by one thread.
  return `read_csv(${sqlTexts([records.file, ...records.moreFiles])}, columns = {${columns.join(", ")}}, auto_detect = false, header = false, ${sizesSql(records.longestLine)},
    delim = ${sqlText(records.delimiter)}, quote = '"', escape = '"', new_line = '\\n', null_padding = ${records.isRagged},
    parallel = ${!records.hasLineBreaks && !records.isRagged})`;
}

/**
 * How much the engine's reader holds at a time: four of the longest lines. By default it would take lines of 2 MiB and
 * hold sixteen of them for each thread, which costs memory and is no faster.
 */
export function sizesSql(longestLine: number): string {
  const line = Math.max(longestLine + 1, Math.ceil(1.1 * MAX_ROW_BYTES));
  return `max_line_size = ${line}, buffer_size = ${4 * line}`;
}

/**
 * An option of COPY to Parquet: fewer rows in a group where rows are long, because the engine holds a group until it is
 * written. Its own 122,880 took 150 MB more for a file of 2 GB, and no less time.
 */
export function rowGroupSql({ good, longBytes }: Pick<Records, "good" | "longBytes">): string {
  const fitting = longBytes <= MAX_LONG_BYTES ? GROUP_ROWS : Math.floor((MAX_LONG_BYTES * good) / longBytes);
  return `, ROW_GROUP_SIZE ${Math.min(GROUP_ROWS, Math.max(1, fitting))}`;
}

const GROUP_ROWS = 16_384;

/** Reads plain rows with their types. */
function plainSql({ plain, header, delimiter }: PlainRecords, placed: Placed): string {
  const { plan, file, crlf } = plain;
  const types = header.map((_, place) => [`cell ${place}`, "VARCHAR"]);
  placed.columns.forEach(({ column, place }, index) => {
    const isTime = column.type === "date" || column.type === "timestamp";
    if (place !== null && plan.decided[index] === true && (!isTime || column.format === undefined))
      types[place] = [`cell ${place}`, sqlType(column)];
  });
  if (plan.numbered) types.unshift([ROW, "BIGINT"]);
  const columns = types.map(([name = "", type = ""]) => `${sqlText(name)}: '${type}'`);
  return `read_csv(${sqlText(file)}, columns = {${columns.join(", ")}}, auto_detect = false, header = false,
    ${sizesSql(0)}, delim = ${sqlText(delimiter)}, quote = '"', escape = '"', new_line = '${crlf ? "\\r\\n" : "\\n"}',
    decimal_separator = ${sqlText(plan.point)}, nullstr = [${["", ...plan.nulls].map(sqlText).join(", ")}])`;
}

/** SQL of one column of the contract over a relation of cells. */
interface ColumnSql {
  placed: PlacedColumn;
  /** The cell as it is, without white space and spellings of no value, as its type. */
  raw: string;
  value: string;
  typed: string;
  /** Whether the cell was seen to be as demanded. */
  decided: boolean;
}

/**
 * The rows that are not plain, checked: number, the contract's columns with their types, and what they violate. `relation`
 * is where they are.
 */
export function carefulSelect(
  contract: Contract,
  records: Records,
  placed: Placed,
  relation = recordsSql(records),
): string {
  const columns = placed.columns.map((column, index) => carefulColumn(contract, column, index));
  return checkedSelect(contract, relation, columns, unknownSql(contract, placed, true));
}

/** The plain rows, checked as far as they must be. */
export function plainSelect(contract: Contract, records: PlainRecords, placed: Placed): string {
  const { plan } = records.plain;
  const columns = placed.columns.map((column, index) => plainColumn(contract, plan, column, index));
  return checkedSelect(contract, plainSql(records, placed), columns, unknownSql(contract, placed, false));
}

/** The plain rows: the columns that `input` has, after the row's number if there is one. */
export function plainInput(contract: Contract, records: PlainRecords, placed: Placed): string {
  const { plan } = records.plain;
  const columns = placed.columns.map((column, index) => plainColumn(contract, plan, column, index));
  const values = valuesOf(contract, columns);
  const typed = columns.map(({ typed, placed: { column } }) => `${typed} AS ${sqlName(column.name)}`);
  const row = plan.numbered ? [sqlName(ROW)] : [];
  return `SELECT ${[...row, ...typed, ...unknownSql(contract, placed, false)].join(", ")}
    FROM (SELECT ${["*", ...values].join(",\n")} FROM ${plainSql(records, placed)})`;
}

function carefulColumn(contract: Contract, placed: PlacedColumn, index: number): ColumnSql {
  const { column } = placed;
  const raw =
    placed.place === null
      ? placed.constant === null
        ? "NULL::VARCHAR"
        : sqlText(placed.constant)
      : cellName(placed.place);
  const value = sqlName(`value ${index}`);
  return { placed, raw, value, typed: typedSql(column, value, contract), decided: false };
}

function plainColumn(contract: Contract, plan: PlainPlan, placed: PlacedColumn, index: number): ColumnSql {
  const careful = carefulColumn(contract, placed, index);
  const { column } = placed;
  if (placed.place === null) {
    const constant =
      placed.constant === null
        ? `NULL::${sqlType(column)}`
        : typedSql(column, valueSql(contract, column, careful.raw), contract);
    return { ...careful, typed: constant, decided: true };
  }
  if (plan.decided[index] !== true) return careful;
  const cell = cellName(placed.place);
  const isTime = column.type === "date" || column.type === "timestamp";
  const typed = isTime && column.format !== undefined ? typedSql(column, cell, contract) : cell;
  return { ...careful, typed, decided: true };
}

/** A cell without white space around it; null where that is a spelling of no value. A text that is one stays as it is. */
function valueSql(contract: Contract, column: { type?: string; nulls?: string[] | undefined }, raw: string): string {
  const trimmed = `trim(${raw}, ${spaces})`;
  const nulls = column.nulls ?? contract.nulls;
  if (column.type === undefined || column.type === "string")
    return nulls.length === 0
      ? raw
      : `CASE WHEN ${trimmed} IN (${nulls.map(sqlText).join(", ")}) THEN NULL ELSE ${raw} END`;
  return `CASE WHEN ${trimmed} NOT IN (${["", ...nulls].map(sqlText).join(", ")}) THEN ${trimmed} END`;
}

function unknownSql(contract: Contract, { unknown }: Placed, isCareful: boolean): string[] {
  if (contract.unknownColumns !== "keep") return [];
  const keys = unknown.map(({ title }) => sqlText(title)).join(", ");
  const values = unknown.map(({ place }) => (isCareful ? valueSql(contract, {}, cellName(place)) : cellName(place)));
  return [`map([${keys}]::VARCHAR[], [${values.join(", ")}]::VARCHAR[]) AS ${sqlName(UNKNOWN)}`];
}

/**
 * Checks a relation of cells. All violated demands are listed. Rules are asked of rows whose cells are all as demanded: of
 * others they would only tell the same mistake again.
 */
function checkedSelect(contract: Contract, relation: string, columns: ColumnSql[], unknown: string[]): string {
  const values = valuesOf(contract, columns);
  const typed = columns.map(({ typed, placed: { column } }) => `${typed} AS ${sqlName(column.name)}`);
  const cells = columns.flatMap(({ placed: { column }, raw, value, decided }) => {
    const blank = column.type === "string" ? `${value} IS NULL OR trim(${value}, ${spaces}) = ''` : `${value} IS NULL`;
    return demandsOf(column, value, blank, contract)
      .filter(({ seen }) => !(seen && decided))
      .map(({ broken, reason }) => ({
        broken,
        violation: struct(sqlText(column.name), reason, `left(${raw}, ${MAX_VALUE})`),
      }));
  });
  const rules = contract.rules.map(({ check, reason }) => ({
    broken: `NOT (${check}\n)`,
    violation: struct("NULL", reason, "NULL"),
  }));
  const branches = [cells, rules]
    .filter((items) => items.length > 0)
    .map((items) => `WHEN ${items.map(({ broken }) => `(${broken})`).join(" OR ")} THEN ${list(items)}`);
  // The ELSE gives the column its type where nothing can be violated.
  const none = `CAST(NULL AS ${VIOLATIONS_TYPE})`;
  const violations = branches.length === 0 ? none : `CASE ${branches.join("\n")} ELSE ${none} END`;
  return `SELECT ${sqlName(ROW)}, ${inputNames(contract)}, ${violations} AS ${sqlName(VIOLATIONS)}
    FROM (SELECT *, ${[...typed, ...unknown].join(",\n")} FROM (SELECT ${["*", ...values].join(",\n")} FROM ${relation}))`;
}

/** The cells that are not decided, without white space and spellings of no value. */
const valuesOf = (contract: Contract, columns: ColumnSql[]) =>
  columns.flatMap(({ placed: { column }, raw, value, decided }) =>
    decided ? [] : [`${valueSql(contract, column, raw)} AS ${value}`],
  );

/** A violation as SQL; `column` and `value` are SQL, `reason` is text. */
const struct = (column: string, reason: string, value: string) =>
  `{'column': ${column}::VARCHAR, 'reason': ${sqlText(reason)}, 'value': ${value}::VARCHAR}`;

/** The list of those violations whose demand is broken. */
const list = (items: { broken: string; violation: string }[]) =>
  `list_filter([${items.map(({ broken, violation }) => `CASE WHEN ${broken} THEN ${violation} END`).join(",\n")}],
    lambda item: item IS NOT NULL)`;

/** Values of the lines before the header, checked once: those that are not as demanded, with why. */
export function constantsSelect(contract: Contract, { columns }: Placed): string | undefined {
  const constants = columns.filter(
    ({ place, ...rest }) => place === null && "constant" in rest && rest.constant !== null,
  );
  if (constants.length === 0) return undefined;
  const sql = constants.map((placed, index) => carefulColumn(contract, placed, index));
  const alone = {
    ...contract,
    columns: constants.map(({ column }) => column),
    rules: [],
    unknownColumns: "drop" as const,
  };
  return `SELECT unnest(${sqlName(VIOLATIONS)}, recursive := true)
    FROM (${checkedSelect(alone, `(SELECT 0::BIGINT AS ${sqlName(ROW)})`, sql, [])})`;
}
