import { type DuckDBConnection, LIST, listValue, VARCHAR } from "@duckdb/node-api";
import { TableColumn } from "@cais/spec/api.ts";
import { partitionText } from "../tables/delta/partition.ts";
import { query } from "./duckdb.ts";
import type { SeenFile } from "./messages.ts";
import { sqlName, sqlText, sqlTexts } from "./quote.ts";

/** Where a row stands, beside the table's columns: its file's index among those asked for, and its number in it, from 0. */
export const FILE = "place of the file";
export const ROW = "place of the row";

/** The largest number of a row in a file, in the number that tells the order of rows of several files. */
export const ROWS_OF_A_FILE = "(2::BIGINT ** 40)::BIGINT";

export interface SeenOptions {
  /** A name for what the SQL needs in this connection, of which each use has its own. */
  as: string;
  /** Whether each row tells its place. */
  places?: boolean;
  /**
   * Whether files may lack columns that others have. Else all must have what the first one has: to look at one file alone is
   * cheap, and DuckDB says `schema mismatch` when it reads one that is otherwise.
   */
  differ: boolean;
  /** Files may have other types for a column: a value that does not fit the table's is null. Default: it is an error. */
  lenient?: boolean;
}

/**
 * SQL that gives the rows of Parquet files, in their order, with a table's columns and types. What a file lacks is the
 * partition's value, or null. Gives with it whether the files are read as ones that may differ.
 */
export async function seenSql(
  connection: DuckDBConnection,
  files: SeenFile[],
  columns: TableColumn[],
  { as, places = false, differ, lenient = false }: SeenOptions,
): Promise<{ sql: string; differ: boolean }> {
  const [first] = files;
  if (first === undefined) {
    const cells = columns.map(({ name, type }) => `CAST(NULL AS ${type}) AS ${sqlName(name)}`);
    if (places) for (const name of [FILE, ROW]) cells.push(`NULL::BIGINT AS ${sqlName(name)}`);
    return { sql: `SELECT ${cells.join(", ")} WHERE false`, differ };
  }
  const paths = files.map(({ file }) => file);
  const alike = differ ? undefined : await typesIn(connection, paths.slice(0, 1), false);
  const mayDiffer = alike === undefined || !columns.every(({ name }) => alike.has(name));
  const types = mayDiffer ? await typesIn(connection, paths, true) : alike;
  // A type that holds those of all files, such as DOUBLE for DOUBLE and BIGINT, may hold fewer digits than one of them has.
  const isMixed = lenient && !columns.every(({ name, type }) => isAs(types.get(name), type));
  const typesOf = new Map<string, ReadonlyMap<string, string>>();
  if (isMixed) for (const path of paths) typesOf.set(path, await typesIn(connection, [path], false));
  const hasTypesOf = (one: SeenFile, other: SeenFile) =>
    !isMixed || columns.every(({ name }) => typesOf.get(one.file)?.get(name) === typesOf.get(other.file)?.get(name));
  const partitioned = mayDiffer
    ? columns.filter(({ name }) => files.some(({ partition }) => partition?.[name] !== undefined))
    : [];
  const values = partitioned.map(({ name }) => `${name} of ${as}`);
  for (const [place, { name }] of partitioned.entries())
    await keepValues(
      connection,
      values[place] ?? "",
      files.map(({ partition }) => partition?.[name]),
    );
  const cellsFrom = (index: string, types: ReadonlyMap<string, string>) =>
    columns.map(({ name, type }) => {
      const place = partitioned.findIndex((column) => column.name === name);
      const found = types.get(name);
      const cast = lenient ? "TRY_CAST" : "CAST";
      const own = found === undefined ? [] : [found === type ? sqlName(name) : `${cast}(${sqlName(name)} AS ${type})`];
      if (place >= 0) own.push(`CAST(getvariable(${sqlText(values[place] ?? "")})[${index}::BIGINT + 1] AS ${type})`);
      const cell = own.length > 1 ? `coalesce(${own.join(", ")})` : (own[0] ?? `CAST(NULL AS ${type})`);
      return `${cell} AS ${sqlName(name)}`;
    });
  const branches = groupsOf(files, hasTypesOf).map(({ first, group }) => {
    const index = first === 0 ? "file_index" : `(file_index + ${first})`;
    const cells = cellsFrom(index, typesOf.get(group[0]?.file ?? "") ?? types);
    if (places) cells.push(`${index}::BIGINT AS ${sqlName(FILE)}`, `file_row_number AS ${sqlName(ROW)}`);
    const from = `read_parquet(${sqlTexts(group.map(({ file }) => file))}${mayDiffer ? ", union_by_name = true" : ""})`;
    return `SELECT ${cells.join(", ")} FROM ${from}${withoutSql(group[0])}`;
  });
  return { sql: branches.join("\nUNION ALL "), differ: mayDiffer };
}

/** Whether a column's type in files is the table's. A table's times are in UTC. */
const isAs = (found: string | undefined, type: string) =>
  found === undefined || found === type || found === `${type} WITH TIME ZONE`;

/** Whether DuckDB found that files are not all as the first one is. */
export const isMismatch = (error: unknown): boolean =>
  error instanceof Error && error.message.includes("schema mismatch in glob");

/** Neighbours that can be read together. A file of which rows are left out is read by itself. */
function groupsOf(
  files: SeenFile[],
  areAlike: (one: SeenFile, other: SeenFile) => boolean,
): { first: number; group: SeenFile[] }[] {
  const groups: { first: number; group: SeenFile[] }[] = [];
  files.forEach((file, first) => {
    const last = groups.at(-1);
    const before = last?.group[0];
    if (last === undefined || before === undefined || isCut(file) || isCut(before) || !areAlike(before, file))
      groups.push({ first, group: [file] });
    else last.group.push(file);
  });
  return groups;
}

const isCut = (file: SeenFile) => (file.without?.length ?? 0) > 0;

function withoutSql(file: SeenFile | undefined): string {
  const ranges = (file?.without ?? []).map(
    ({ firstRow, rows }) => `file_row_number BETWEEN ${firstRow} AND ${firstRow + rows - 1}`,
  );
  return ranges.length === 0 ? "" : ` WHERE NOT (${ranges.join(" OR ")})`;
}

/** What is known of the columns of files, by their paths: to ask for them takes milliseconds. */
const known = new WeakMap<DuckDBConnection, Map<string, ReadonlyMap<string, string>>>();

function knownIn(connection: DuckDBConnection): Map<string, ReadonlyMap<string, string>> {
  const files = known.get(connection) ?? new Map<string, ReadonlyMap<string, string>>();
  known.set(connection, files);
  return files;
}

/** Says which columns files have that were just written. */
export function filesAre(connection: DuckDBConnection, paths: string[], columns: TableColumn[]): void {
  const types = new Map(columns.map(({ name, type }) => [name, type]));
  for (const path of paths) knownIn(connection).set(path, types);
}

async function typesIn(
  connection: DuckDBConnection,
  paths: string[],
  differ: boolean,
): Promise<ReadonlyMap<string, string>> {
  const [only = ""] = paths;
  const found = paths.length === 1 ? knownIn(connection).get(only) : undefined;
  if (found !== undefined) return found;
  // A file whose columns cannot be found by their names is no table's.
  const union = differ && paths.length > 1 ? ", union_by_name = true" : "";
  const columns = await columnsOf(connection, `SELECT * FROM read_parquet(${sqlTexts(paths)}${union})`);
  const types = new Map(columns.map(({ name, type }) => [name, type]));
  if (paths.length === 1) knownIn(connection).set(only, types);
  return types;
}

/** The columns of a SELECT. */
export async function columnsOf(connection: DuckDBConnection, select: string): Promise<TableColumn[]> {
  return (await query(connection, `DESCRIBE ${select}`)).map((column) =>
    TableColumn.parse({ name: column["column_name"], type: column["column_type"] }),
  );
}

/**
 * Keeps the files' values of a partition column as a list of texts in a variable. They go as values, for SQL has no literal
 * for some of them; a join with a table of them would bring rows out of their order.
 */
async function keepValues(
  connection: DuckDBConnection,
  variable: string,
  values: (string | null | undefined)[],
): Promise<void> {
  await connection.run(
    'CREATE OR REPLACE TEMP TABLE "partition values" AS SELECT $1 AS texts',
    [listValue(values.map(partitionText))],
    [LIST(VARCHAR)],
  );
  await connection.run(`SET VARIABLE ${sqlName(variable)} = (SELECT texts FROM "partition values")`);
}
