import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { z } from "zod";
import { query } from "../engine/duckdb.ts";
import { sqlName, sqlText, sqlTexts } from "../engine/quote.ts";
import { fetchCareful, fetchPlain } from "./fetch.ts";
import { LONG_ROW_BYTES, MAX_LONG_BYTES, type Records, rowId } from "./records.ts";
import { MAX_VALUE, recordsSql, ROW, sizesSql, TEXT, VIOLATIONS } from "./select.ts";

/**
 * Writes the refused rows of a file, each with its text and cells, to a Parquet file. `broken` is a relation of the rows
 * that violate the contract, or undefined if there are none; those that have no cells are in the records; `count` is the
 * number of both. `rows` is where the rows of the one member are, if not in its file.
 */
export async function writeRejected(
  connection: DuckDBConnection,
  folder: string,
  records: Records[],
  { broken, count }: { broken: string | undefined; count: number },
  rows?: string,
): Promise<string> {
  const file = join(folder, "rejected.parquet");
  const selects: string[] = [];
  const isCut = records.reduce((sum, { longBytes }) => sum + longBytes, 0) > MAX_LONG_BYTES;
  const isSliced = count > SLICE_ROWS && !isCut;
  const hasCells = count - records.reduce((sum, { refused }) => sum + refused, 0);
  const isFetched = isSliced && rows === undefined && records.every(({ kind }) => kind === "csv");
  let fetchedRows = 0;
  for (const [index, each] of broken === undefined ? [] : records.entries()) {
    // A member that was corrected has several records.
    const path = join(folder, `fetched-${index}`);
    const wanted = { connection, relation: broken ?? "" };
    const selectOf = (relation: string) => brokenSql(each, relation, wanted.relation, isCut);
    // Each slice would read all rows again, of which only the broken ones count.
    const careful = isFetched ? await fetchCareful(wanted, `${path}.csv`, each) : undefined;
    fetchedRows += careful?.rows ?? 0;
    selects.push(selectOf(rows ?? recordsSql({ ...each, ...careful })));
    if (each.plain?.plan.numbered !== true) continue;
    const plain = await fetchPlain(wanted, `${path}-plain.csv`, { ...each, plain: each.plain });
    fetchedRows += plain.rows;
    if (plain.rows > 0) selects.push(selectOf(recordsSql({ ...each, kind: "csv", ...plain })));
  }
  if (isFetched && fetchedRows !== hasCells)
    throw new Error(`Found ${fetchedRows} refused rows of ${hasCells}; this is a fault of Cais, please report it.`);
  for (const each of records) if (each.refused > 0) selects.push(refusedSql(each, isCut));
  const longest = Math.max(...records.map(({ longestLine }) => longestLine));
  const groups = longest > LONG_ROW_BYTES / 8 ? 2048 : 8192;
  const write = (select: string, to: string) =>
    connection.run(`COPY (${select}) TO ${sqlText(to)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${groups})`);
  const all = `(${selects.join("\nUNION ALL ")})`;
  // Rows that are cut are small when they are sorted; a range asked of them would hold them whole.
  if (!isSliced) {
    await write(`SELECT * EXCLUDE (id) FROM ${all} ORDER BY id`, file);
    return file;
  }
  const slices: string[] = [];
  for (const { first, last } of await slicesOf(connection, all)) {
    const slice = join(folder, `rejected-${slices.length}.parquet`);
    await write(`SELECT * EXCLUDE (id) FROM ${all} WHERE id BETWEEN ${first} AND ${last} ORDER BY id`, slice);
    slices.push(slice);
  }
  await write(`SELECT * FROM read_parquet(${sqlTexts(slices)})`, file);
  return file;
}

/** Refused rows that are joined and sorted at a time: the engine holds them with text and cells, about a kilobyte each. */
const SLICE_ROWS = 50_000;

/** Ranges of identities with at most SLICE_ROWS rows each, in order. */
async function slicesOf(connection: DuckDBConnection, all: string) {
  const found = await query(
    connection,
    `SELECT min(id)::DOUBLE AS first, max(id)::DOUBLE AS last
     FROM (SELECT id, (row_number() OVER (ORDER BY id) - 1) // ${SLICE_ROWS} AS slice FROM (SELECT id FROM ${all}))
     GROUP BY slice ORDER BY first`,
  );
  return z.array(z.object({ first: z.number(), last: z.number() })).parse(found);
}

const memberSql = ({ member }: Records) => (member === null ? "NULL::VARCHAR" : sqlText(member));

/** What the rows of a member have in common: its header, and as JSON the values before it. */
const headSql = ({ header, preamble }: Records) =>
  `[${header.map(sqlText).join(", ")}]::VARCHAR[] AS header, ${sqlText(JSON.stringify(preamble))} AS preamble`;

/** Rows that violate the contract, of a relation of their cells. A text that is not kept is the cells, joined. */
function brokenSql(records: Records, relation: string, broken: string, isCut: boolean): string {
  const cells = records.header.map((_, place) => sqlName(`cell ${place}`));
  const joined = `array_to_string([${cells.map((cell) => `coalesce(${cell}, '')`).join(", ")}], ${sqlText(records.delimiter)})`;
  const text = records.kind === "parquet" ? joined : `coalesce(${sqlName(TEXT)}, ${joined})`;
  const id = sqlName(ROW);
  const list = `[${cells.join(", ")}]::VARCHAR[]`;
  // Before the join, which may hold all of them.
  const kept = isCut
    ? `${keptText(text)} AS text, CASE WHEN strlen(${text}) <= ${LONG_ROW_BYTES} THEN ${list} END AS cells`
    : `${text} AS text, ${list} AS cells`;
  // The engine cannot know how many rows a file has, and would hold all of them for the join. Long ones are cut instead.
  const only = ` WHERE ${id} IN (SELECT ${id} FROM ${broken})`;
  return `SELECT ${id} AS id, (${id} - ${rowId(records.memberIndex, 0)})::BIGINT AS "row", ${memberSql(records)} AS member,
      ${headSql(records)}, text, cells, ${sqlName(VIOLATIONS)} AS violations
    FROM (SELECT ${id}, ${kept} FROM ${relation}${isCut ? "" : only}) JOIN ${broken} USING (${id})`;
}

/** A row's text, cut if the row is long. */
const keptText = (text: string) =>
  `CASE WHEN strlen(${text}) > ${LONG_ROW_BYTES} THEN left(${text}, ${LONG_ROW_BYTES / 4}) ELSE ${text} END`;

/** Rows that have no cells. */
function refusedSql(records: Records, isCut: boolean): string {
  const source = `read_csv(${sqlTexts([records.refusedFile, ...records.moreRefusedFiles])}, auto_detect = false, header = false, delim = ',', quote = '"', escape = '"',
    new_line = '\\n', parallel = false, ${sizesSql(records.longestLine)},
    columns = {'id': 'BIGINT', 'reason': 'VARCHAR', 'text': 'VARCHAR'})`;
  return `SELECT id, (id - ${rowId(records.memberIndex, 0)})::BIGINT AS "row", ${memberSql(records)} AS member, ${headSql(records)},
      ${isCut ? keptText("text") : "text"} AS text, NULL::VARCHAR[] AS cells, [{'column': NULL::VARCHAR, 'reason': reason, 'value': left(text, ${MAX_VALUE})}] AS violations
    FROM ${source}`;
}
