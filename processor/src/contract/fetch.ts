import { closeSync, openSync, readSync } from "node:fs";
import type { DuckDBConnection } from "@duckdb/node-api";
import { sqlName } from "../engine/quote.ts";
import { type LineFile, lineFile } from "./line-file.ts";
import { MAX_ROW_BYTES, type Records, rowId } from "./records.ts";
import { type PlainRecords, ROW } from "./select.ts";

/** Rows that were taken out of records, in the form of those that are not plain. */
export type Fetched = Pick<Records, "file" | "moreFiles" | "longestLine" | "hasLineBreaks" | "isRagged"> & {
  rows: number;
};

/** A relation of rows, by their identities. */
export interface Wanted {
  connection: DuckDBConnection;
  relation: string;
}

/**
 * Takes rows out of the plain ones, as they were in the file: both are in its order, so one pass over both is enough, where
 * the engine would have to read all cells of all rows again. `path` is a new file.
 */
export function fetchPlain(wanted: Wanted, path: string, records: PlainRecords): Promise<Fetched> {
  const { plain, delimiter } = records;
  return fetchRows(wanted, path, { ...records, isRagged: false }, [plain.file], false, (out, bytes, from, to, id) => {
    const cells = from + String(id).length + 1;
    const row = bytes.toString("latin1", cells, plain.crlf ? to - 1 : to);
    const text = row.includes('"') ? `"${row.replaceAll('"', '""')}"` : "";
    out.write(Buffer.from(`${id}${delimiter}${text}${delimiter}${row}`, "latin1"));
  });
}

/** Takes rows out of those of a CSV that are not plain, which are in the order of the file, too. `path` is a new file. */
export function fetchCareful(wanted: Wanted, path: string, records: Records): Promise<Fetched> {
  const files = [records.file, ...records.moreFiles];
  return fetchRows(wanted, path, records, files, records.hasLineBreaks, (out, bytes, from, to) =>
    out.write(bytes.subarray(from, to)),
  );
}

const LF = 0x0a;
const QUOTE = 0x22;
const ZERO = 0x30;
const PIECE_BYTES = 1 << 20;
/** A row that is not plain has its text, with its quotes doubled, beside its cells. */
const LONGEST_BYTES = 4 * MAX_ROW_BYTES;

/** Writes what it is given of `bytes`, a row from its identity up to its end. */
type Take = (out: LineFile, bytes: Buffer, from: number, to: number, id: number) => void;

async function fetchRows(
  wanted: Wanted,
  path: string,
  { memberIndex, delimiter, isRagged }: Pick<Records, "memberIndex" | "delimiter" | "isRagged">,
  files: string[],
  hasLineBreaks: boolean,
  take: Take,
): Promise<Fetched> {
  const next = await idsOf(wanted, memberIndex);
  const out = lineFile(path);
  const mark = delimiter.charCodeAt(0);
  const bytes = Buffer.allocUnsafe(2 * PIECE_BYTES + LONGEST_BYTES);
  let rows = 0;
  let id = await next();
  try {
    for (const file of files) {
      const input = openSync(file, "r");
      try {
        for (let limit = 0; id !== undefined;) {
          const read = readSync(input, bytes, limit, PIECE_BYTES, null);
          if (read === 0) break;
          limit += read;
          let start = 0;
          for (;;) {
            const end = hasLineBreaks ? endOfRow(bytes, start, limit) : bytes.indexOf(LF, start);
            if (end === -1 || end >= limit) break;
            let number = 0;
            for (let at = start; bytes[at] !== mark; at++) number = number * 10 + ((bytes[at] ?? ZERO) - ZERO);
            while (id !== undefined && id < number) id = await next();
            if (id === undefined) break;
            if (id === number) {
              take(out, bytes, start, end, id);
              rows += 1;
            }
            start = end + 1;
          }
          bytes.copy(bytes, 0, start, limit);
          limit -= start;
        }
      } finally {
        closeSync(input);
      }
    }
  } finally {
    out.close();
  }
  return { file: path, moreFiles: out.moreFiles(), longestLine: out.longest(), hasLineBreaks, isRagged, rows };
}

/** The first line end outside quotes, of which a row that was taken has an even number; -1: it is not there yet. */
function endOfRow(bytes: Buffer, from: number, limit: number): number {
  let isQuoted = false;
  for (let at = from; at < limit; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) isQuoted = !isQuoted;
    else if (byte === LF && !isQuoted) return at;
  }
  return -1;
}

/** The identities of the wanted rows of a member, one after the other, in order. */
async function idsOf(
  { connection, relation }: Wanted,
  memberIndex: number,
): Promise<() => Promise<number | undefined>> {
  const row = sqlName(ROW);
  const result = await connection.stream(
    `SELECT ${row}::DOUBLE FROM ${relation} WHERE ${row} BETWEEN ${rowId(memberIndex, 0)} AND ${rowId(memberIndex + 1, 0)} ORDER BY ${row}`,
  );
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
