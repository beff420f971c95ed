import { open } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { TableColumn } from "@cais/spec/api.ts";
import type { Column, Contract } from "@cais/spec/contract.ts";
import { z } from "zod";
import { titleOf } from "../contract/columns.ts";
import {
  LONG_ROW_BYTES,
  MAX_COLUMNS,
  MAX_ROW_BYTES,
  type Records,
  recordWriter,
  rowId,
  Unreadable,
} from "../contract/records.ts";
import { rowGroupSql } from "../contract/select.ts";
import { query } from "../engine/duckdb.ts";
import { sqlName, sqlText } from "../engine/quote.ts";
import type { Reading } from "./keyed.ts";
import { TOO_LONG } from "./limits.ts";
import { type Budget, expandsBeyond } from "./source.ts";

/** Largest footer read: it is held whole, and describes a thousand columns in a thousand row groups in less. */
const MAX_FOOTER_BYTES = 64e6;

const Wholes = z.record(z.string(), z.coerce.number());

/**
 * Reads a Parquet file by the engine: every column becomes text as the contract expects it, what is nested becomes JSON;
 * the first row is row 1. What the file would expand to is found out before any of it is kept: by its footer, and, because
 * a dictionary lets a page of few bytes stand for petabytes, by adding up how long its texts are.
 */
export async function readParquet(
  path: string,
  connection: DuckDBConnection,
  budget: Budget,
  { member, contract, folder }: Reading,
): Promise<Records> {
  await checkFooter(path);
  const read = async (sql: string) => {
    try {
      return await query(connection, sql);
    } catch (error) {
      throw unreadable(error);
    }
  };
  const titles = await readTitles(read, path);
  const [meta] = await read(
    `SELECT (SELECT sum(num_rows)::DOUBLE FROM parquet_file_metadata(${sqlText(path)})) AS rows,
       (SELECT coalesce(sum(total_uncompressed_size), 0)::DOUBLE FROM parquet_metadata(${sqlText(path)})) AS bytes`,
  );
  const { rows = 0, bytes = 0 } = Wholes.parse(meta);
  if (rows === 0) throw new Unreadable("The Parquet file has no rows; send one with at least one row.");
  // As text a cell is at least the character that parts it from the next.
  if (bytes > budget.left || rows * titles.length > budget.left) throw expandsBeyond(budget.limit);

  const from = `read_parquet(${sqlText(path)}, file_row_number = true)`;
  const columns = (await read(`DESCRIBE SELECT * EXCLUDE (file_row_number) FROM ${from}`)).map((column) =>
    TableColumn.parse({ name: column["column_name"], type: column["column_type"] }),
  );
  const cells = columns.map((column, index) => cellSql(column, titles[index] ?? column.name, contract));
  // Numbers and dates as text have few characters; only these can be long.
  const long = cells.filter((_, index) => !shortTypes.test(columns[index]?.type ?? ""));
  const length = long.length === 0 ? "0" : long.map((cell) => `coalesce(strlen(${cell}), 0)`).join(" + ");
  const zero =
    long.length === 0 ? "false" : long.map((cell) => `coalesce(contains(${cell}, chr(0)), false)`).join(" OR ");
  const [sizes] = await read(`SELECT sum(${length})::DOUBLE AS total, max(${length})::DOUBLE AS longest,
    coalesce(bool_or(${zero}), false)::INTEGER AS zeros FROM ${from}`);
  const { total = 0, longest = 0, zeros = 0 } = Wholes.parse(sizes);
  if (total > budget.left) throw expandsBeyond(budget.limit);
  budget.left -= total + rows * titles.length;

  const writer = recordWriter(folder, member, titles);
  let rest: Records;
  try {
    if (longest > MAX_ROW_BYTES || zeros > 0)
      for (const refused of await read(
        `SELECT file_row_number::DOUBLE AS at, (${length} > ${MAX_ROW_BYTES})::INTEGER AS long FROM ${from} WHERE ${length} > ${MAX_ROW_BYTES} OR ${zero}`,
      )) {
        const { at = 0, long } = Wholes.parse(refused);
        writer.refuse(at + 1, long === 1 ? TOO_LONG : "The row holds a zero byte.", "");
      }
  } finally {
    rest = writer.close({ found: { format: "parquet" } });
  }
  const shape = { good: rows - rest.refused, longBytes: longest > LONG_ROW_BYTES ? total : 0 };
  const file = join(folder, `records-${member.index}.parquet`);
  const named = cells.map((cell, index) => `${cell} AS ${sqlName(`cell ${index}`)}`);
  await read(
    `COPY (SELECT (file_row_number + ${rowId(member.index, 1)})::BIGINT AS "row", ${named.join(", ")} FROM ${from}
       WHERE ${length} <= ${MAX_ROW_BYTES} AND NOT (${zero})) TO ${sqlText(file)} (FORMAT parquet, COMPRESSION lz4${rowGroupSql(shape)})`,
  );
  return { ...rest, ...shape, file, kind: "parquet" };
}

/** The footer's length stands before the last four bytes, `PAR1` (https://parquet.apache.org/docs/file-format/). */
async function checkFooter(path: string): Promise<void> {
  const TAIL_BYTES = 8;
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const tail = Buffer.alloc(TAIL_BYTES);
    await file.read(tail, 0, TAIL_BYTES, Math.max(0, size - TAIL_BYTES));
    if (tail.toString("latin1", 4) !== "PAR1")
      throw new Unreadable("The Parquet file is cut off; it did not arrive whole, so send it again.");
    const footer = tail.readUInt32LE(0);
    if (footer > size || footer > MAX_FOOTER_BYTES)
      throw new Unreadable(
        footer > size
          ? "The Parquet file is damaged: its footer is longer than the file; make it again and send it."
          : `The Parquet file's footer has ${footer.toLocaleString("en")} bytes, but at most ${MAX_FOOTER_BYTES.toLocaleString("en")} are read; write it with fewer row groups or columns.`,
      );
  } finally {
    await file.close();
  }
}

/** The titles of the columns. DuckDB itself would rename one that comes twice. */
async function readTitles(read: (sql: string) => Promise<Record<string, unknown>[]>, path: string): Promise<string[]> {
  const Element = z.object({ name: z.string(), children: z.coerce.number() });
  const [root] = await read(
    `SELECT coalesce(num_children, 0)::INTEGER AS children FROM parquet_schema(${sqlText(path)}) LIMIT 1`,
  );
  const { children = 0 } = Wholes.parse(root);
  if (children > MAX_COLUMNS)
    throw new Unreadable(
      `The file has ${children.toLocaleString("en")} columns, but at most ${MAX_COLUMNS.toLocaleString("en")} are taken; send one with fewer.`,
    );
  const elements = (
    await read(`SELECT name, coalesce(num_children, 0)::INTEGER AS children FROM parquet_schema(${sqlText(path)})`)
  ).map((element) => Element.parse(element));
  const titles: string[] = [];
  /** How many elements still belong to the column before. */
  let inside = 0;
  for (const { name, children } of elements.slice(1)) {
    if (inside === 0) titles.push(name.trim().normalize("NFC"));
    else inside -= 1;
    inside += children;
  }
  return titles;
}

const shortTypes =
  /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|INTEGER|UINTEGER|FLOAT|DOUBLE|DECIMAL\(.*\)|BOOLEAN|DATE|TIME.*|UUID|INTERVAL)$/;

/** A column as text, in the form in which the contract expects it. */
function cellSql({ name, type }: TableColumn, title: string, contract: Contract): string {
  const cell = sqlName(name);
  const column = contract.columns.find((column) => titleOf(column) === title);
  if (type === "VARCHAR") return cell;
  // Older writers do not say that their text is text.
  if (type === "BLOB") return `coalesce(TRY(decode(${cell})), ${cell}::VARCHAR)`;
  if (type === "DATE" || type.startsWith("TIMESTAMP")) return timeSql(cell, type, column);
  if (/^(FLOAT|DOUBLE|DECIMAL)/.test(type) && column !== undefined && column.type !== "string")
    return numberSql(`${cell}::VARCHAR`, column, contract);
  if (/[[(]|^(VARIANT|JSON)/.test(type) && !type.startsWith("DECIMAL") && !type.startsWith("ENUM"))
    return `to_json(${cell})::VARCHAR`;
  return `${cell}::VARCHAR`;
}

/** A whole number has no fraction, whatever its type: else -9999.0 would be a number where -9999 means no value. */
function numberSql(text: string, column: Column, contract: Contract): string {
  const bare = `regexp_replace(${text}, '[.]0+$', '')`;
  const written = (column.decimal ?? contract.decimal) === "," ? `replace(${bare}, '.', ',')` : bare;
  const nulls = column.nulls ?? contract.nulls;
  return nulls.length === 0
    ? written
    : `CASE WHEN ${text} IN (${nulls.map(sqlText).join(", ")}) THEN ${text} ELSE ${written} END`;
}

function timeSql(cell: string, type: string, column: Column | undefined): string {
  const format = typeof column?.format === "string" ? column.format : column?.format?.[0];
  const zoned = type.endsWith("WITH TIME ZONE");
  // A cast leaves out nanoseconds, which the contract has not.
  const local = zoned ? `(${cell} AT TIME ZONE ${sqlText(column?.timezone ?? "UTC")})` : `${cell}::TIMESTAMP`;
  if (column?.type === "date") {
    const date = format === undefined ? `${local}::DATE::VARCHAR` : `strftime(${local}, ${sqlText(format)})`;
    // Many programs know no date without a time; one that has a time stays one, and is refused as a date.
    return type === "DATE"
      ? date
      : `CASE WHEN ${local} = date_trunc('day', ${local}) THEN ${date} ELSE ${local}::VARCHAR END`;
  }
  if (column?.type === "timestamp" && format !== undefined)
    return `strftime(${zoned && format.includes("%z") ? cell : local}, ${sqlText(format)})`;
  if (zoned) return `${cell}::VARCHAR`;
  return type === "DATE" && column?.type !== "timestamp" ? `${cell}::VARCHAR` : `${local}::VARCHAR`;
}

/** What the engine says of a Parquet file is about the file. */
function unreadable(error: unknown): Unreadable {
  const [line = ""] = (error instanceof Error ? error.message : String(error)).split("\n", 1);
  if (/out of memory|max_temp_directory_size/i.test(line))
    return new Unreadable("The Parquet file needs more memory than the engine has; write it with smaller row groups.", {
      cause: error,
    });
  return new Unreadable(`The Parquet file is damaged or of a kind that is not read (${line.slice(0, 300)}).`, {
    cause: error,
  });
}
