import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { z } from "zod";
import { query } from "../engine/duckdb.ts";
import { sqlName, sqlText, sqlTexts } from "../engine/quote.ts";
import { type Correction, readCorrection, recordsCopy, refuse, refusedRows } from "./correction.ts";
import { type Found, LONG_ROW_BYTES, type Records, rowId } from "./records.ts";
import { recordsSql, ROW } from "./select.ts";

/** What a replay of open rows reads. */
export interface OpenRows {
  records: Records[];
  /** SQL of the open rows that are not read, in the columns of a file of rejected rows: they stay open as they are. */
  kept: string;
  keptRows: number;
}

const sameRow = (one: string, other: string) =>
  `${one}."row" = ${other}."row" AND ${one}.member IS NOT DISTINCT FROM ${other}.member`;

/**
 * The rows of a file of rejected rows once more: those that could be divided into cells, or, with a correction, the
 * corrected ones. All others stay open.
 */
export async function openRows(
  connection: DuckDBConnection,
  { rejected, correction, folder }: { rejected: string; correction: string | null; folder: string },
): Promise<OpenRows> {
  const from = `read_parquet(${sqlText(rejected)})`;
  const members = z
    .array(z.string().nullable())
    .parse(
      (await query(connection, `SELECT DISTINCT member FROM ${from} ORDER BY member NULLS FIRST`)).map(
        ({ member }) => member,
      ),
    );
  const records: Records[] = [];
  const take = async (part: Omit<Part, "memberIndex" | "preamble" | "found" | "folder" | "number">) => {
    const memberIndex = members.indexOf(part.member);
    const number = records.length;
    const preamble = await preambleOf(connection, from, part.member);
    records.push(
      await partRecords(connection, { ...part, memberIndex, preamble, found: { format: "csv" }, folder, number }),
    );
  };
  let kept = `SELECT * FROM ${from} WHERE cells IS NULL`;
  if (correction === null) {
    const groups = await connection.runAndReadAll(
      `SELECT DISTINCT member, to_json(header)::VARCHAR AS header FROM ${from} WHERE cells IS NOT NULL ORDER BY ALL`,
    );
    for (const group of groups.getRowObjects()) {
      const member = z.string().nullable().parse(group["member"]);
      const header = z.array(z.string()).parse(JSON.parse(String(group["header"])));
      const rows = `SELECT "row", text AS told, cells FROM ${from} WHERE cells IS NOT NULL
        AND member IS NOT DISTINCT FROM ${textOrNull(member)} AND header = ${sqlTexts(header)}`;
      await take({ member, header, rows });
    }
  } else {
    const { table, header } = await readCorrection(connection, { file: correction, folder, number: 0 });
    await refuse(connection, notOpen(table, from), "has rows that are not open:");
    for (const { member } of await query(connection, `SELECT DISTINCT member FROM ${table} ORDER BY member`))
      await take({ member: z.string().nullable().parse(member), header, rows: correctedRows(table, member) });
    kept = `SELECT * FROM ${from} AS open WHERE NOT EXISTS (FROM ${table} AS sent WHERE ${sameRow("sent", "open")})`;
  }
  return { records, kept, keptRows: await countOf(connection, kept) };
}

/** The values before a member's header, which its refused rows have with them. */
async function preambleOf(
  connection: DuckDBConnection,
  rejected: string,
  member: string | null,
): Promise<Record<string, string>> {
  const select = `SELECT preamble FROM ${rejected} WHERE member IS NOT DISTINCT FROM ${textOrNull(member)} LIMIT 1`;
  const [row] = await query(connection, select);
  return z.record(z.string(), z.string()).parse(JSON.parse(String(row?.["preamble"] ?? "{}")));
}

/**
 * A whole file with rows of it replaced by corrections, of which a later one counts. `open` is the file of the rows that
 * the last correction may have; null: any row of the file.
 */
export async function correctedRecords(
  connection: DuckDBConnection,
  records: Records[],
  { corrections, open, folder }: { corrections: string[]; open: string | null; folder: string },
): Promise<Records[]> {
  const read: Correction[] = [];
  for (const [number, file] of corrections.entries())
    read.push(await readCorrection(connection, { file, folder, number }));
  const last = read.at(-1);
  if (last === undefined) return records;
  if (open !== null)
    await refuse(connection, notOpen(last.table, `read_parquet(${sqlText(open)})`), "has rows that are not open:");
  for (const [index, { table }] of read.entries())
    for (const later of read.slice(index + 1))
      await connection.run(
        `DELETE FROM ${table} WHERE EXISTS (FROM ${later.table} AS later WHERE ${sameRow("later", table)})`,
      );
  const all = read.map(({ table }) => `SELECT "row", member FROM ${table}`).join(" UNION ALL ");
  await connection.run(`CREATE TEMP TABLE corrected AS ${all}`);
  const result: Records[] = [];
  for (const one of records) {
    result.push(await withoutCorrected(connection, one, folder));
    for (const { table, header } of read) {
      const rows = correctedRows(table, one.member);
      if ((await countOf(connection, rows)) === 0) continue;
      const { member, memberIndex, preamble, found } = one;
      const number = result.length;
      result.push(
        await partRecords(connection, { member, memberIndex, preamble, found, header, rows, folder, number }),
      );
    }
  }
  await refuse(connection, `SELECT "row", member FROM corrected`, "has rows that the file has not:");
  return result;
}

const notOpen = (table: string, open: string) =>
  `SELECT "row", member FROM ${table} AS sent WHERE NOT EXISTS (FROM ${open} AS open WHERE ${sameRow("sent", "open")})`;

const textOrNull = (text: string | null) => (text === null ? "NULL" : sqlText(text));

const correctedRows = (table: string, member: unknown) =>
  `SELECT "row", NULL::VARCHAR AS told, cells FROM ${table}
   WHERE member IS NOT DISTINCT FROM ${textOrNull(z.string().nullable().parse(member))}`;

interface Part extends Pick<Records, "member" | "memberIndex" | "preamble" | "header"> {
  found: Found;
  /** SQL of "row", told and cells. */
  rows: string;
  folder: string;
  /** Tells this part's files from those of others. */
  number: number;
}

/** Records of rows that the engine has. */
async function partRecords(connection: DuckDBConnection, part: Part): Promise<Records> {
  const { member, memberIndex, preamble, header, found, rows, number } = part;
  const folder = join(part.folder, `replay-${number}`);
  await mkdir(folder);
  const file = join(folder, "records.csv");
  const refusedFile = join(folder, "refused.csv");
  await writeFile(refusedFile, "");
  const lines = `SELECT "row" + ${rowId(memberIndex, 0)} AS line, told, cells FROM (${rows})`;
  await connection.run(recordsCopy(lines, header.length, file));
  return {
    member,
    memberIndex,
    preamble,
    header,
    file,
    moreFiles: [],
    kind: "csv",
    refusedFile,
    moreRefusedFiles: [],
    refused: 0,
    ...(await shapeOf(connection, rows)),
    isRagged: false,
    plain: null,
    delimiter: ",",
    found,
  };
}

async function shapeOf(connection: DuckDBConnection, rows: string) {
  const [shape] = await query(
    connection,
    `SELECT count(*) AS good, coalesce(bool_or(regexp_matches(told, '[\\r\\n]') OR regexp_matches(joined, '[\\r\\n]')), false) AS breaks,
       coalesce(sum(strlen(joined)) FILTER (strlen(joined) > ${LONG_ROW_BYTES}), 0)::BIGINT AS long,
       coalesce(max(2 * (coalesce(strlen(told), 0) + strlen(joined)) + 3 * width + 30), 0) AS longest
     FROM (SELECT coalesce(told, '') AS told, array_to_string(cells, ',') AS joined, len(cells) AS width FROM (${rows}))`,
  );
  const { good, breaks, long, longest } = z
    .object({ good: z.bigint(), breaks: z.boolean(), long: z.bigint(), longest: z.bigint() })
    .parse(shape);
  return { good: Number(good), hasLineBreaks: breaks, longBytes: Number(long), longestLine: Number(longest) };
}

const asCsv = (delimiter: string) =>
  `(FORMAT csv, HEADER false, DELIMITER ${sqlText(delimiter)}, QUOTE '"', ESCAPE '"', NULLSTR '')`;

/** A file's records without the corrected rows, which are taken off the table `corrected`. */
async function withoutCorrected(connection: DuckDBConnection, records: Records, folder: string): Promise<Records> {
  const ids = `SELECT "row" + ${rowId(records.memberIndex, 0)} FROM corrected
    WHERE member IS NOT DISTINCT FROM ${textOrNull(records.member)}`;
  if ((await countOf(connection, ids)) === 0) return records;
  if (records.plain !== null) throw new Error("Records with plain rows have no numbers; this is a fault of Cais.");
  const file = join(folder, `kept-${records.memberIndex}.${records.kind}`);
  const refusedFile = join(folder, `kept-refused-${records.memberIndex}.csv`);
  const rows = recordsSql(records);
  const line = sqlName(ROW);
  const good = `SELECT * FROM ${rows} WHERE ${line} NOT IN (${ids})`;
  const refused = `SELECT * FROM ${refusedRows(records)} WHERE line NOT IN (${ids})`;
  await connection.run(
    `COPY (${good} ORDER BY ${line}) TO ${sqlText(file)} ${records.kind === "csv" ? asCsv(records.delimiter) : "(FORMAT parquet)"}`,
  );
  await connection.run(`COPY (${refused} ORDER BY line) TO ${sqlText(refusedFile)} ${asCsv(",")}`);
  const counts = { good: await countOf(connection, good), refused: await countOf(connection, refused) };
  await connection.run(
    `DELETE FROM corrected WHERE member IS NOT DISTINCT FROM ${textOrNull(records.member)} AND "row" + ${rowId(records.memberIndex, 0)} IN
       (SELECT ${line} FROM ${rows} UNION ALL SELECT line FROM ${refusedRows(records)})`,
  );
  return { ...records, file, moreFiles: [], refusedFile, moreRefusedFiles: [], ...counts };
}

async function countOf(connection: DuckDBConnection, select: string): Promise<number> {
  const [count] = await query(connection, `SELECT count(*) AS rows FROM (${select})`);
  return Number(z.bigint().parse(count?.["rows"]));
}
