import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import type { TableColumn } from "@cais/spec/api.ts";
import { z } from "zod";
import { SchemaChanged, UnsupportedTable } from "../tables/delta/actions.ts";
import { partitionValue } from "../tables/delta/partition.ts";
import { tableColumns } from "../tables/delta/schema.ts";
import { fileStats } from "../tables/delta/stats.ts";
import { query } from "./duckdb.ts";
import type { MadeFile } from "./messages.ts";
import { sqlName, sqlText, sqlTexts } from "./quote.ts";
import { filesAre } from "./seen.ts";
import { SqlRefused } from "./select.ts";

/** More partitions in one run are likely a column of the wrong kind: each is a file, and a table of them is slow. */
const MAX_PARTITIONS = 10_000;

/** A file of a table that is written whole is closed at about this size, so that a later change rewrites less. */
const FILE_SIZE = "256MB";

/** What is written, and where to. */
export interface Writing {
  /** Files are written below it, in a folder of their own by the name. */
  folder: string;
  name: string;
  partitionBy?: string[] | undefined;
  /** Columns that have statistics wherever they stand. */
  key?: string[];
  /** Whether it may become several files. Default: one for each partition. */
  large?: boolean;
}

/** A SELECT as a table's files have it, and the columns of the table. */
export interface Stored {
  select: string;
  columns: TableColumn[];
  /** The columns of its files. */
  fileColumns: TableColumn[];
}

/**
 * What a table stores of a SELECT with these columns: types that Delta has not are cast to ones that it has, and times are
 * in UTC. Whole numbers of 128 bits, as sum() gives them, become DECIMAL(38,0): what needs 39 digits fails.
 */
export function stored(select: string, columns: TableColumn[], partitionBy: string[] = []): Stored {
  const kept = asRefused(() => tableColumns(columns));
  const texts = kept.map(({ name, inTable }) => inTable === "VARCHAR" && partitionBy.includes(name));
  // DuckDB numbers names that are there twice, but only those of a query in brackets.
  const isSame = kept.every(
    ({ name, inFile }, index) => inFile === columns[index]?.type && texts[index] !== true && !/_\d+$/.test(name),
  );
  const cells = kept.map(({ name, inTable, inFile }, index) => {
    const { type } = columns[index] ?? {};
    const cast = [inTable, inFile].reduce(
      ({ sql, from }, to) => (from === to ? { sql, from } : { sql: `CAST(${sql} AS ${to})`, from: to }),
      { sql: `c${index}`, from: type },
    ).sql;
    // Delta has no empty text in a partition column.
    return `${texts[index] === true ? `nullif(${cast}, '')` : cast} AS ${sqlName(name)}`;
  });
  const names = columns.map((_, index) => `c${index}`).join(", ");
  return {
    select: isSame ? select : `SELECT ${cells.join(", ")} FROM (${select}\n) AS made(${names})`,
    columns: kept.map(({ name, inTable }) => ({ name, type: inTable })),
    fileColumns: kept.map(({ name, inFile }) => ({ name, type: inFile })),
  };
}

function asRefused<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof UnsupportedTable || error instanceof SchemaChanged)
      throw new SqlRefused(error.message, { cause: error });
    throw error;
  }
}

const options = "FORMAT parquet, COMPRESSION zstd, RETURN_STATS";

/** Writes the rows of a SELECT as Parquet files of a table. */
export async function writeFiles(connection: DuckDBConnection, all: Stored, writing: Writing): Promise<MadeFile[]> {
  const files = await writeAll(connection, all, writing);
  filesAre(
    connection,
    files.map(({ file }) => file),
    all.fileColumns,
  );
  return files;
}

async function writeAll(
  connection: DuckDBConnection,
  { select, columns, fileColumns }: Stored,
  { folder, name, partitionBy = [], key = [], large = false }: Writing,
): Promise<MadeFile[]> {
  await mkdir(join(folder, "made"), { recursive: true });
  const made = (row: WrittenFile, partition: MadeFile["partition"]): MadeFile => ({
    file: row.filename,
    rows: row.count,
    bytes: row.file_size_bytes,
    partition,
    stats: fileStats(row.count, columns, row.column_statistics, { partitionBy, always: key }),
  });
  if (partitionBy.length > 0)
    return writePartitions(connection, { select, columns, fileColumns }, { folder, name, partitionBy }, made);
  const file = join(folder, "made", large ? name : `${name}.parquet`);
  // What an attempt before left there is none of the table's.
  if (large) await rm(file, { recursive: true, force: true });
  const size = large ? `, FILE_SIZE_BYTES '${FILE_SIZE}'` : "";
  const written = await copy(connection, `COPY (${select}\n) TO ${sqlText(file)} (${options}${size})`);
  return written.map((row) => made(row, {}));
}

/** Each file has rows of one partition. If there are several, rows are in no order. */
async function writePartitions(
  connection: DuckDBConnection,
  { select, columns }: Stored,
  { folder, name, partitionBy }: Pick<Writing, "folder" | "name"> & { partitionBy: string[] },
  made: (row: WrittenFile, partition: MadeFile["partition"]) => MadeFile,
): Promise<MadeFile[]> {
  // The rows are needed twice, and what made them may not give them twice in the same way.
  const unsorted = join(folder, "made", `${name}-unsorted.parquet`);
  const source = `read_parquet(${sqlText(unsorted)})`;
  const types = partitionBy.map((column) => columns.find((each) => each.name === column)?.type);
  types.forEach((type, index) => {
    if (type === undefined)
      throw new SqlRefused(`It gives no column "${partitionBy[index]}", by which it is partitioned.`);
  });
  await connection.run(`COPY (${select}\n) TO ${sqlText(unsorted)} (FORMAT parquet, COMPRESSION lz4)`);
  // As texts, because two values that are equal, such as 0.0 and -0.0, may be two partitions.
  const texts = partitionBy.map((column) => `made.${sqlName(column)}::VARCHAR`);
  const numbers = sqlName(`partitions of ${name}`);
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${numbers} AS SELECT (row_number() OVER ())::INTEGER AS p, * FROM (
       SELECT DISTINCT ${texts.map((text, i) => `${text} AS v${i}`).join(", ")} FROM ${source} AS made LIMIT ${MAX_PARTITIONS + 1})`,
  );
  const found = z
    .array(z.object({ p: z.number(), values: z.array(z.string().nullable()) }))
    .parse(
      (await connection.runAndReadAll(`SELECT * FROM ${numbers}`)).getRows().map(([p, ...values]) => ({ p, values })),
    );
  if (found.length > MAX_PARTITIONS)
    throw new SqlRefused(
      `Its rows have more than ${MAX_PARTITIONS} different values of ${partitionBy.join(", ")}; partition it by something coarser, such as a month.`,
    );
  const valueOf = (values: (string | null)[], i: number) =>
    asRefused(() => partitionValue(values[i] ?? null, types[i] ?? "VARCHAR"));
  const partitions = new Map(
    found.map(({ p, values }) => [
      String(p),
      Object.fromEntries(partitionBy.map((column, i) => [column, valueOf(values, i)])),
    ]),
  );
  const joined = texts.map((text, i) => `${text} IS NOT DISTINCT FROM parts.v${i}`).join(" AND ");
  const to = join(folder, "made", name);
  // What an attempt before left there is none of the table's.
  await rm(to, { recursive: true, force: true });
  const cells = columns.map((column) => `made.${sqlName(column.name)}`).join(", ");
  const sorted = (await countOf(connection, source)) > UNSORTED_ROWS ? "ORDER BY parts.p" : "";
  const written = await copy(
    connection,
    // The rows of one partition, as those that are written anew, stay in their order.
    found.length === 1
      ? `COPY (SELECT ${cells} FROM ${source} AS made) TO ${sqlText(`${to}.parquet`)} (${options})`
      : `COPY (SELECT ${cells}, parts.p AS ${sqlName(PARTITION)} FROM ${source} AS made JOIN ${numbers} AS parts ON ${joined} ${sorted})
         TO ${sqlText(to)} (${options}, PARTITION_BY (${sqlName(PARTITION)}), WRITE_PARTITION_COLUMNS false)`,
  );
  await connection.run(`DROP TABLE ${numbers}`);
  await rm(unsorted);
  return written.map((row) => {
    const partition = partitions.get(row.partition_keys[PARTITION] ?? "1");
    if (partition === undefined)
      throw new Error(
        `The engine wrote a partition of "${name}" that it was not told of; this is a fault of Cais, please report it.`,
      );
    return made(row, partition);
  });
}

/** The column of the partitions' numbers: their values cannot all be names of folders. */
const PARTITION = "p of the partition";

/** DuckDB holds as many rows of a thread before it writes them, so that more make several files of a partition unless they are sorted. */
const UNSORTED_ROWS = 500_000;

const Texts = z.array(z.object({ key: z.string(), value: z.string().nullable() }));

const WrittenFile = z.object({
  filename: z.string(),
  count: z.coerce.number(),
  file_size_bytes: z.coerce.number(),
  column_statistics: z
    .array(z.object({ key: z.string(), value: Texts }))
    .transform((columns) => Object.fromEntries(columns.map(({ key, value }) => [key, textsOf(value)]))),
  partition_keys: Texts.nullable().transform((keys) => textsOf(keys ?? [])),
});
type WrittenFile = z.output<typeof WrittenFile>;

const textsOf = (entries: z.output<typeof Texts>): Record<string, string> =>
  Object.fromEntries(entries.flatMap(({ key, value }) => (value === null ? [] : [[key, value]])));

/** Does a COPY, and gives the files that it wrote. */
async function copy(connection: DuckDBConnection, sql: string): Promise<WrittenFile[]> {
  const files = z.array(WrittenFile).parse((await connection.runAndReadAll(sql)).getRowObjectsJS());
  await findNaN(connection, files);
  return files;
}

/** As few rows are always one row group: DuckDB puts those of its threads together up to half of 122,880 rows. */
const ONE_GROUP = 10_000;

/**
 * Marks the columns with a NaN in any row group: DuckDB says `has_nan` of the last one alone. The others tell it by having
 * no bounds although they have values.
 */
async function findNaN(connection: DuckDBConnection, files: WrittenFile[]): Promise<void> {
  const large = files.filter(
    ({ count, column_statistics: columns }) =>
      count > ONE_GROUP && Object.values(columns).some(({ has_nan: hasNaN }) => hasNaN === "false"),
  );
  if (large.length === 0) return;
  const groups = await query(
    connection,
    `SELECT DISTINCT file_name, path_in_schema FROM parquet_metadata(${sqlTexts(large.map(({ filename }) => filename))})
     WHERE type IN ('FLOAT', 'DOUBLE') AND stats_max_value IS NULL AND stats_null_count IS DISTINCT FROM num_values`,
  );
  const found = new Set(groups.map((group) => `${String(group["file_name"])}\0${String(group["path_in_schema"])}`));
  for (const { filename, column_statistics: columns } of large)
    for (const [name, statistics] of Object.entries(columns))
      if (found.has(`${filename}\0${pathInSchema(name)}`)) statistics["has_nan"] = "true";
}

/** `"a"."b"` as parquet_metadata has it: `a, b`. */
const pathInSchema = (name: string) =>
  [...name.matchAll(/"((?:[^"]|"")*)"/g)].map(([, part = ""]) => part.replaceAll('""', '"')).join(", ");

/** How many rows a relation has. */
export async function countOf(connection: DuckDBConnection, relation: string): Promise<number> {
  const [count] = await query(connection, `SELECT count(*)::DOUBLE AS rows FROM ${relation}`);
  return z.number().parse(count?.["rows"]);
}
