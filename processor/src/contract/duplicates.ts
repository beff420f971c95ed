import type { Contract } from "@cais/spec/contract.ts";
import { sqlName, sqlText } from "../engine/quote.ts";
import type { PlacedRecords } from "./check.ts";
import { MAX_VALUE, ROW, VIOLATIONS } from "./select.ts";

/**
 * SQL for the rows of a relation whose values were there in an earlier row of the file, with their violations; undefined where nothing
 * must be unique. The relation is of rows that are clean otherwise, so that the first row that can be taken is. As in SQL, null is
 * no value: it is never there twice.
 */
export function duplicatesSql(contract: Contract, from: string, all: PlacedRecords[]): string | undefined {
  const sets = [
    ...contract.columns.flatMap(({ name, unique }) => (unique ? [{ names: [name], column: name }] : [])),
    ...contract.unique.map((names) => ({ names, column: undefined })),
  ];
  if (sets.length === 0) return undefined;
  const row = rowText(all);
  const selects = sets.map(({ names, column }, position) => {
    const keys = names.map(sqlName).join(", ");
    const there = names.map((name) => `${sqlName(name)} IS NOT NULL`).join(" AND ");
    const reason =
      column === undefined
        ? `${sqlText(`The values of ${names.join(", ")} are in `)} || ${row} || ' already.'`
        : `'is in ' || ${row} || ' already'`;
    const value = column === undefined ? "NULL" : `left(${sqlName(column)}::VARCHAR, ${MAX_VALUE})`;
    return `SELECT ${sqlName(ROW)}, ${position} AS position,
        {'column': ${column === undefined ? "NULL" : sqlText(column)}::VARCHAR, 'reason': ${reason}, 'value': ${value}::VARCHAR} AS violation
      FROM ${from} JOIN (SELECT ${keys}, min(${sqlName(ROW)}) AS "first row" FROM ${from} WHERE ${there} GROUP BY ${keys} HAVING count(*) > 1)
      USING (${keys}) WHERE ${sqlName(ROW)} > "first row"`;
  });
  return `SELECT ${sqlName(ROW)}, list(violation ORDER BY position) AS ${sqlName(VIOLATIONS)}
    FROM (${selects.join("\nUNION ALL ")}) GROUP BY ${sqlName(ROW)}`;
}

/** What people call the first row: its number, and its member where there are several. */
function rowText(all: PlacedRecords[]): string {
  const number = `'row ' || ("first row" % (2::BIGINT ** 40)::BIGINT)`;
  const named = all.filter(({ records }) => records.member !== null);
  if (named.length < 2) return number;
  const cases = named.map(({ records }) => `WHEN ${records.memberIndex} THEN ${sqlText(` of ${records.member}`)}`);
  return `${number} || CASE "first row" // (2::BIGINT ** 40)::BIGINT ${cases.join(" ")} ELSE '' END`;
}
