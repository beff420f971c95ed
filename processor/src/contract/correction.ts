import { createReadStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { Contract } from "@cais/spec/contract.ts";
import { Reading } from "@cais/spec/upload.ts";
import { query } from "../engine/duckdb.ts";
import { sqlName, sqlText, sqlTexts } from "../engine/quote.ts";
import { readCsv } from "../formats/csv/index.ts";
import { editableTitles, unguarded } from "../rejected/editable.ts";
import { type Records, Unreadable } from "./records.ts";
import { recordsSql, ROW } from "./select.ts";

/** An edited CSV of rejected rows, in the engine. */
export interface Correction {
  /** A temporary table: line, "row", member, cells (a list in the header's order). */
  table: string;
  /** The file's own columns, without those that tell which row a line is. */
  header: string[];
}

/** How many rows a message names. */
const MAX_NAMED = 10;

/** What a correction is read by: any CSV with the column that tells the row, and no lines before its header. */
const contract = Contract.parse({
  columns: [{ name: "row", from: editableTitles.row, type: "string" }],
  unknownColumns: "keep",
});
const reading = Reading.parse({ csv: { preamble: 0 } });

/**
 * Reads an edited CSV of rejected rows (see `editableTitles`). A line whose cells are all empty corrects nothing: such is
 * a row that could not be divided into cells, and was left alone. What is not as it should be makes it unreadable as a
 * whole, so that nothing of it is loaded.
 */
export async function readCorrection(
  connection: DuckDBConnection,
  { file, folder, number }: { file: string; folder: string; number: number },
): Promise<Correction> {
  const own = join(folder, `correction-${number}`);
  await mkdir(own);
  let records: Records;
  try {
    const options = { reading, contract, member: { name: null, index: 0 }, folder: own, tsv: false, fast: false };
    records = await readCsv(createReadStream(file), options);
  } catch (error) {
    if (error instanceof Unreadable) throw unreadable(error.message, error);
    throw error;
  }
  const [bad] = await query(connection, `SELECT line, reason FROM ${refusedRows(records)} ORDER BY line LIMIT 1`);
  if (bad !== undefined) throw unreadable(`Its line ${String(bad["line"])}: ${String(bad["reason"])}`);
  const titles = Object.values(editableTitles) as string[];
  const place = (title: string) => records.header.indexOf(title);
  const cells = records.header.flatMap((title, index) => (titles.includes(title) ? [] : [index]));
  const member = place(editableTitles.member);
  const table = `correction_${number}`;
  await connection.run(
    `CREATE TEMP TABLE ${table} AS SELECT ${sqlName(ROW)} AS line, TRY_CAST(trim("cell ${place(editableTitles.row)}") AS BIGINT) AS "row",
       ${member === -1 ? "NULL" : `nullif("cell ${member}", '')`}::VARCHAR AS member, [${cells.map(cell).join(", ")}]::VARCHAR[] AS cells
     FROM ${recordsSql(records)} WHERE ${cells.map((index) => `coalesce("cell ${index}", '') <> ''`).join(" OR ") || "false"}`,
  );
  const lines = await query(
    connection,
    `SELECT line FROM ${table} WHERE "row" IS NULL ORDER BY line LIMIT ${MAX_NAMED}`,
  );
  if (lines.length > 0)
    throw unreadable(
      `Its lines ${lines.map(({ line }) => String(line)).join(", ")} have no row number in "${editableTitles.row}".`,
    );
  const twice = `SELECT "row", member FROM ${table} GROUP BY "row", member HAVING count(*) > 1`;
  await refuse(connection, twice, "has rows more than once:");
  return { table, header: cells.map((index) => unguarded(records.header[index] ?? "")) };
}

/** A cell without the ' that `guarded` put before what looks like a formula. */
const cell = (index: number) => `regexp_replace("cell ${index}", '^''(''*[=+\\-@\\t\\r])', '\\1')`;

/** Refuses a correction that has the rows ("row", member) that a query gives. */
export async function refuse(connection: DuckDBConnection, rows: string, what: string): Promise<void> {
  const found = await query(
    connection,
    `SELECT "row", member FROM (${rows}) ORDER BY member, "row" LIMIT ${MAX_NAMED + 1}`,
  );
  if (found.length === 0) return;
  const named = found
    .slice(0, MAX_NAMED)
    .map(({ row, member }) => `${String(row)}${member === null ? "" : ` of ${String(member)}`}`);
  throw unreadable(`It ${what} ${named.join(", ")}${found.length > MAX_NAMED ? " and others" : ""}.`);
}

const unreadable = (why: string, cause?: Error) =>
  new Unreadable(`The corrected rows cannot be taken, and nothing of them was loaded. ${why}`, { cause });

/** SQL that writes rows of `line`, `told` and a list of cells as the CSV of records. */
export const recordsCopy = (select: string, width: number, file: string) => {
  const cells = Array.from({ length: width }, (_, index) => `, cells[${index + 1}] AS ${sqlName(`c${index}`)}`);
  return `COPY (SELECT line, told${cells.join("")} FROM (${select}) ORDER BY line) TO ${sqlText(file)}
    (FORMAT csv, HEADER false, DELIMITER ',', QUOTE '"', ESCAPE '"', NULLSTR '')`;
};

/** SQL that reads the rows of records that have no cells: line, reason, told. */
export const refusedRows = ({ refusedFile, moreRefusedFiles, longestLine }: Records) =>
  `read_csv(${sqlTexts([refusedFile, ...moreRefusedFiles])}, auto_detect = false, header = false, delim = ',', quote = '"', escape = '"', new_line = '\\n', parallel = false,
    ${longestLine >= 2 << 20 ? `max_line_size = ${longestLine + 1}, buffer_size = ${longestLine + (8 << 20)},` : ""}
    columns = {'line': 'BIGINT', 'reason': 'VARCHAR', 'told': 'VARCHAR'})`;
