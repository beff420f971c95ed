import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { z } from "zod";
import { query } from "../engine/duckdb.ts";
import { sqlName, sqlText, sqlTexts } from "../engine/quote.ts";
import { lineFile } from "./line-file.ts";
import { LONG_ROW_BYTES, MAX_LONG_BYTES, MAX_ROW_BYTES, type Records, rowId } from "./records.ts";
import { MAX_VALUE, type PlainRecords, recordsSql, ROW, sizesSql, TEXT, VIOLATIONS } from "./select.ts";

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
  for (const each of broken === undefined ? [] : records) {
    selects.push(brokenSql(each, rows ?? recordsSql(each), broken ?? "", isCut));
    if (each.plain?.plan.numbered !== true) continue;
    const fetched = await fetchRows(connection, folder, { ...each, plain: each.plain }, broken ?? "");
    if (fetched !== undefined)
      selects.push(brokenSql(each, recordsSql({ ...each, kind: "csv", ...fetched }), broken ?? "", isCut));
  }
  for (const each of records) if (each.refused > 0) selects.push(refusedSql(each, isCut));
  const longest = Math.max(...records.map(({ longestLine }) => longestLine));
  const groups = longest > LONG_ROW_BYTES / 8 ? 2048 : 8192;
  const write = (select: string, to: string) =>
    connection.run(`COPY (${select}) TO ${sqlText(to)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${groups})`);
  const all = `(${selects.join("\nUNION ALL ")})`;
  // Rows that are cut are small when they are sorted; a range asked of them would hold them whole.
  if (count <= SLICE_ROWS || isCut) {
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

const LF = 0x0a;
const ZERO = 0x30;
const PIECE_BYTES = 1 << 20;

/**
 * Takes the broken rows out of the plain ones, as they were in the file: both are in its order, so one pass over both is
 * enough, where the engine would have to read all cells of all rows again.
 */
async function fetchRows(
  connection: DuckDBConnection,
  folder: string,
  { plain, memberIndex, delimiter }: PlainRecords,
  broken: string,
): Promise<Pick<Records, "file" | "moreFiles" | "longestLine" | "hasLineBreaks" | "isRagged"> | undefined> {
  const from = rowId(memberIndex, 0);
  const wanted = await connection.stream(
    `SELECT ${sqlName(ROW)}::DOUBLE FROM ${broken} WHERE ${sqlName(ROW)} BETWEEN ${from} AND ${rowId(memberIndex + 1, 0)} ORDER BY ${sqlName(ROW)}`,
  );
  const next = idsOf(wanted);
  let id = await next();
  if (id === undefined) return undefined;
  const path = join(folder, `fetched-${memberIndex}.csv`);
  const out = lineFile(path);
  const input = openSync(plain.file, "r");
  try {
    const mark = delimiter.charCodeAt(0);
    let work: Buffer = Buffer.allocUnsafe(2 * PIECE_BYTES + MAX_ROW_BYTES);
    let limit = 0;
    for (;;) {
      const read = readSync(input, work, limit, PIECE_BYTES, null);
      if (read === 0) break;
      limit += read;
      let start = 0;
      for (;;) {
        const end = work.subarray(0, limit).indexOf(LF, start);
        if (end === -1) break;
        let at = start;
        let number = 0;
        for (; work[at] !== mark; at++) number = number * 10 + ((work[at] ?? ZERO) - ZERO);
        while (id !== undefined && id < number) id = await next();
        if (id === undefined) break;
        if (id === number) {
          const row = work.toString("latin1", at + 1, plain.crlf ? end - 1 : end);
          const text = row.includes('"') ? `"${row.replaceAll('"', '""')}"` : "";
          out.write(Buffer.from(`${number}${delimiter}${text}${delimiter}${row}`, "latin1"));
        }
        start = end + 1;
      }
      if (id === undefined) break;
      work.copy(work, 0, start, limit);
      limit -= start;
    }
  } finally {
    closeSync(input);
    out.close();
  }
  return { file: path, moreFiles: out.moreFiles(), longestLine: out.longest(), hasLineBreaks: false, isRagged: false };
}

/** The numbers of a result of one column, one after the other. */
function idsOf(result: Awaited<ReturnType<DuckDBConnection["stream"]>>): () => Promise<number | undefined> {
  let ids: unknown[] = [];
  let at = 0;
  return async () => {
    while (at >= ids.length) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) return undefined;
      ids = [...(chunk.getColumns()[0] ?? [])];
      at = 0;
    }
    const id = ids[at++];
    return typeof id === "number" ? id : undefined;
  };
}
