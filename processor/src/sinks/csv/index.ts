import type { TableColumn } from "@cais/spec/api.ts";
import { sqlName, sqlText } from "../../engine/quote.ts";

/**
 * Treated CSV: RFC 4180, CRLF at each line's end, no value and an empty text both an empty cell. A text that a spreadsheet
 * would run as a formula gets a ' before it; what is only a number, such as -9.9, stays as it is
 * (https://owasp.org/www-community/attacks/CSV_Injection). A cell with # is quoted, as some readers take it for a comment.
 */

/** What a sink may ask for beside RFC 4180: what stands between cells, and before a number's fraction. */
export interface CsvForm {
  delimiter: string;
  decimal: "." | ",";
}

const usual: CsvForm = { delimiter: ",", decimal: "." };

/** SQL that gives each row of `from` as one line in the column `line`. */
export function csvLines(columns: TableColumn[], from: string): string {
  const cells = columns.map((column) => {
    if (isPlain(column)) return `coalesce(${sqlName(column.name)}::VARCHAR, '')`;
    const safe = safeText(column);
    return `coalesce(CASE WHEN regexp_matches(${safe}, '[",#\\r\\n]') THEN '"' || replace(${safe}, '"', '""') || '"' ELSE ${safe} END, '')`;
  });
  return `SELECT ${cells.join(" || ',' || ")} || chr(13) || chr(10) AS line FROM ${from}`;
}

/** The header line of the same. */
export function csvHeader(columns: TableColumn[]): string {
  const titles = columns.map(({ name }) => {
    const safe = safeTitle(name);
    return /[",#\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  });
  return `${titles.join(",")}\r\n`;
}

/**
 * SQL that writes header and rows of the whole of `from` to a file, without taking rows out of the engine. Titles that
 * become the same by being made safe are numbered.
 */
export function csvCopy(
  columns: TableColumn[],
  from: string,
  file: string,
  { delimiter, decimal }: CsvForm = usual,
): string {
  const cells = columns.map((column) => {
    const name = sqlName(column.name);
    // COPY would quote an empty text to tell it from no value.
    const cell = !isPlain(column)
      ? `nullif(${safeText(column)}, '')`
      : decimal === "," && hasFraction(column)
        ? `replace(${name}::VARCHAR, '.', ',')`
        : name;
    return `${cell} AS ${sqlName(safeTitle(column.name))}`;
  });
  return `COPY (SELECT ${cells.join(", ")} FROM ${from}) TO ${sqlText(file)} (FORMAT csv, HEADER, DELIMITER ${sqlText(delimiter)}, NEW_LINE '\\r\\n')`;
}

/** Whether the cells of a column can hold neither a formula nor what needs quotes. */
const isPlain = ({ type }: TableColumn) =>
  /^(DATE|TIMESTAMP(_\w+| WITH TIME ZONE)?|BOOLEAN|DOUBLE|FLOAT|U?(TINY|SMALL|BIG)INT|U?INTEGER|U?HUGEINT|DECIMAL\(.*\))$/.test(
    type,
  );

const hasFraction = ({ type }: TableColumn) => /^(DOUBLE|FLOAT|DECIMAL\(.*\))$/.test(type);

/** Code points of the characters that begin a formula: tab, carriage return, + - = @ */
const FORMULA = "(9, 13, 43, 45, 61, 64)";

function safeText({ name, type }: TableColumn): string {
  const text = type === "VARCHAR" ? sqlName(name) : `${sqlName(name)}::VARCHAR`;
  // The first character is looked at first, as a regular expression over every cell costs more than all the rest.
  return `CASE WHEN ascii(${text}) IN ${FORMULA} AND NOT regexp_full_match(${text}, '[+-]?\\d+([.,]\\d+)?')
    THEN '''' || ${text} ELSE ${text} END`;
}

const safeTitle = (name: string) => name.replace(/^[=+\-@\t\r]/, "'$&");
