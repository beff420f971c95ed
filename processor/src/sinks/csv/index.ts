import type { TableColumn } from "@cais/spec/api.ts";
import { sqlName, sqlText } from "../../engine/quote.ts";

/**
 * SQL that gives each row of `from` as one line of treated CSV in the column `line` (RFC 4180, CRLF at its end). A text
 * that a spreadsheet would run as a formula gets a ' before it; what is only a number, such as -9.9, stays as it is
 * (https://owasp.org/www-community/attacks/CSV_Injection).
 */
export function csvLines(columns: TableColumn[], from: string): string {
  const cells = columns.map(({ name, type }) => {
    const cell = sqlName(name);
    if (/^(DATE|BOOLEAN|DOUBLE|FLOAT|U?(TINY|SMALL|BIG)INT|U?INTEGER|U?HUGEINT|DECIMAL\(.*\))$/.test(type))
      return `coalesce(${cell}::VARCHAR, '')`;
    const text = `${cell}::VARCHAR`;
    const safe = `CASE WHEN regexp_full_match(${text}, '[+-]?\\d+([.,]\\d+)?') THEN ${text}
      ELSE regexp_replace(${text}, '^[=+\\-@\\t\\r]', '''\\0') END`;
    return `coalesce(CASE WHEN regexp_matches(${safe}, '[",\\r\\n]') THEN '"' || replace(${safe}, '"', '""') || '"' ELSE ${safe} END, '')`;
  });
  return `SELECT ${cells.join(" || ',' || ")} || chr(13) || chr(10) AS line FROM ${from}`;
}

/** The header line of the same. */
export function csvHeader(columns: TableColumn[]): string {
  const titles = columns.map(({ name }) => {
    const safe = name.replace(/^[=+\-@\t\r]/, "'$&");
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  });
  return `${titles.join(",")}\r\n`;
}

/** SQL that writes the whole of `from` to a file as treated CSV, without taking rows out of the engine. */
export function csvCopy(columns: TableColumn[], from: string, file: string): string {
  // COPY ends every line itself, so the header and each row come without their line feed; nothing else is added.
  const lines = `SELECT ${sqlText(csvHeader(columns).slice(0, -1))} AS line
    UNION ALL SELECT line[:-2] FROM (${csvLines(columns, from)})`;
  return `COPY (${lines}) TO ${sqlText(file)} (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '')`;
}
