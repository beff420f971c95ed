import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection, DuckDBInstance, DuckDBValue } from "@duckdb/node-api";
import type { TableColumn } from "@cais/spec/api.ts";
import type { SeenFile } from "../engine/messages.ts";
import { sqlName, sqlTexts } from "../engine/quote.ts";
import { fetchAll, lakeLacks } from "../object-store/fetch-all.ts";
import type { ObjectStore } from "../object-store/index.ts";
import { csvHeader, csvLines } from "../sinks/csv/index.ts";

export type Cell = string | number | boolean | null;

/** A Parquet file's key in the folder of its table. `nth`: of several files that a run made of the table, which. */
export const tableFileKey = (table: string, run: string, attempt: number, nth = 0) =>
  `${table}/part-${String(attempt).padStart(5, "0")}-${run}${nth === 0 ? "" : `-${nth}`}.parquet`;

/** What a run gave for a merged table, as it was before it was merged. */
export const contributionKey = (table: string, run: string, attempt: number) =>
  `contributions/${table}/${run}-${attempt}.parquet`;

/** Refused rows of a run. The hyphens keep the folder apart from any table's. */
export const rejectedFileKey = (run: string, attempt: number) => `rejected-rows/${run}-${attempt}.parquet`;

/** Reads Parquet files of a lake for people and programs. */
export interface TableReader {
  /**
   * A page of rows as JSON values that keep every digit: whole numbers beyond 53 bits, and DECIMAL with a fraction and more
   * than 15 digits, as text, other numbers as numbers, dates and times as ISO 8601 with microseconds.
   */
  rows(
    files: LakeFiles,
    columns: TableColumn[],
    page: { limit: number; offset: number },
  ): Promise<Record<string, Cell>[]>;
  /** All rows as JSON values, in pieces. `view` makes of what the files hold what has the columns, both as SQL. */
  allRows(files: LakeFiles, columns: TableColumn[], view?: View): AsyncIterable<Record<string, Cell>[]>;
  /** All rows as treated CSV, in pieces. */
  csv(files: LakeFiles, columns: TableColumn[], view?: View): AsyncIterable<string>;
  /** What a query over the files gives, in pieces. There must be files. */
  select(files: LakeFiles, query: View): AsyncIterable<DuckDBValue[][]>;
  stop(): Promise<void>;
}

/** SQL over other SQL. */
export type View = (from: string) => string;

/** A Parquet file in a lake. */
export interface LakeFile {
  key: string;
  /** Values of the table's partition columns as Delta writes them, for a file that lacks those columns. */
  partition?: Record<string, string | null>;
  /** How many rows it has, if that is known: then a page of rows reads no more files than it must. */
  rows?: number | undefined;
}

/** Files of a lake, asked for anew if one of them is deleted before it is read. */
export interface LakeFiles {
  lake: ObjectStore;
  files: () => Promise<LakeFile[]>;
  /** What is wrong if one is not there, where that is no loss. */
  gone?: () => Error;
}

/** Every read has a folder of its own in `folder`, in which DuckDB finds the files. */
export function openTableReader(folder: string): TableReader {
  let opened: Promise<{ instance: DuckDBInstance; connection: DuckDBConnection }> | undefined;
  let reads = 0;

  async function connect(): Promise<DuckDBConnection> {
    // One small engine for all reads, loaded with the first. It runs no SQL of a stack.
    opened ??= import("../engine/duckdb.ts").then(({ openDuckDB }) =>
      openDuckDB(folder, { memoryBytes: 256e6, tempBytes: 1e9, threads: 1 }),
    );
    return (await opened).instance.connect();
  }

  async function* stream(
    files: LakeFiles,
    sqlOf: (connection: DuckDBConnection, found: SeenFile[]) => Promise<string>,
  ): AsyncGenerator<DuckDBValue[][]> {
    const readFolder = join(folder, `read-${++reads}`);
    await mkdir(readFolder, { recursive: true });
    const connection = await connect();
    try {
      const found = await bring(files, readFolder);
      const result = await connection.stream(await sqlOf(connection, found));
      for (;;) {
        const chunk = await result.fetchChunk();
        if (chunk === null || chunk.rowCount === 0) return;
        yield chunk.getRows();
      }
    } finally {
      connection.closeSync();
      await rm(readFolder, { recursive: true, force: true });
    }
  }

  async function* records(files: LakeFiles, columns: TableColumn[], page?: () => string, view?: View) {
    const values = columns.map(({ name, type }) => `${jsonValue(sqlName(name), type)} AS ${sqlName(name)}`);
    const read = stream(
      files,
      async (connection, found) =>
        `SELECT ${values.join(", ")} FROM ${await fromSql(connection, found, columns, view)} ${page?.() ?? ""}`,
    );
    for await (const rows of read)
      yield rows.map((row) => Object.fromEntries(columns.map(({ name }, index) => [name, cellOf(row[index] ?? null)])));
  }

  return {
    async rows(all, columns, { limit, offset }) {
      let skip = offset;
      const files = async () => {
        const needed = neededFor(await all.files(), { limit, offset });
        skip = needed.offset;
        return needed.files;
      };
      const page = () => `LIMIT ${limit} OFFSET ${skip}`;
      return (await Array.fromAsync(records({ ...all, files }, columns, page))).flat();
    },
    allRows: (files, columns, view) => records(files, columns, undefined, view),
    select: (files, query) => stream(files, async (_, found) => query(`read_parquet(${pathsOf(found)})`)),
    async *csv(files, columns, view) {
      // With the first rows, so that who asks hears of files that are not there before anything is sent.
      let header = csvHeader(columns);
      const lines = stream(files, async (connection, found) =>
        csvLines(columns, await fromSql(connection, found, columns, view)),
      );
      for await (const rows of lines) {
        yield header + rows.map(([line]) => String(line)).join("");
        header = "";
      }
      if (header !== "") yield header;
    },
    async stop() {
      if (opened === undefined) return;
      const { instance, connection } = await opened;
      connection.closeSync();
      instance.closeSync();
    },
  };
}

const pathsOf = (found: SeenFile[]) => sqlTexts(found.map(({ file }) => file));

/** What a query reads the files' rows from: with the columns, or as the view makes it. */
async function fromSql(connection: DuckDBConnection, found: SeenFile[], columns: TableColumn[], view?: View) {
  if (view !== undefined && found.length > 0) return view(`read_parquet(${pathsOf(found)})`);
  // With the engine, which only who reads loads.
  const { seenSql } = await import("../engine/seen.ts");
  const { sql } = await seenSql(connection, found, columns, { as: "the table", differ: true });
  return `(${sql})`;
}

/** The files that a page of rows is in, and where it begins in them; all, where it is not known how many rows one has. */
export function neededFor(
  files: readonly LakeFile[],
  { limit, offset }: { limit: number; offset: number },
): { files: LakeFile[]; offset: number } {
  let before = 0;
  let skipped = 0;
  const needed: LakeFile[] = [];
  for (const file of files) {
    if (file.rows === undefined) return { files: [...files], offset };
    if (before + file.rows <= offset) skipped += file.rows;
    else if (before < offset + limit) needed.push(file);
    before += file.rows;
  }
  return { files: needed, offset: offset - skipped };
}

/** Fetches the files of a table. One may be deleted between listing and fetching; then the list is read again. */
export async function bring({ lake, files, gone }: LakeFiles, folder: string): Promise<SeenFile[]> {
  for (let attempt = 1; attempt <= 3; attempt++) {
    const wanted = (await files()).map(({ key, partition }, index) => {
      const file = join(folder, `${attempt}-${index}.parquet`);
      return { key, file, seen: { file, ...(partition && { partition }) } };
    });
    const [missing] = await fetchAll(lake, wanted);
    if (missing === undefined) return wanted.map(({ seen }) => seen);
    if (attempt === 3) throw gone?.() ?? lakeLacks(lake, missing);
  }
  return [];
}

/** Decimal digits that a double keeps, whichever they are: DBL_DIG of C. */
const DOUBLE_DIGITS = 15;

/** SQL that gives a value in a form that JSON has. */
function jsonValue(cell: string, type: string): string {
  if (/^(BOOLEAN|DOUBLE|FLOAT|U?(TINY|SMALL|BIG)INT|U?INTEGER|VARCHAR)$/.test(type)) return cell;
  // What sums of whole numbers are: a number or a text by the value, as BIGINT is.
  if (/^DECIMAL\(\d+,0\)$/.test(type)) return `${cell}::HUGEINT`;
  const [, digits] = /^DECIMAL\((\d+),/.exec(type) ?? [];
  // By the type and not by the value, so that a column is one or the other.
  if (digits !== undefined && Number(digits) <= DOUBLE_DIGITS) return `${cell}::DOUBLE`;
  if (type === "TIMESTAMP" || type === "TIMESTAMP WITH TIME ZONE") {
    // The session's zone is UTC.
    return `strftime(${cell}::TIMESTAMP, '%Y-%m-%dT%H:%M:%S.%fZ')`;
  }
  return `${cell}::VARCHAR`;
}

function cellOf(value: DuckDBValue): Cell {
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return String(value);
}
