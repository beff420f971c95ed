import { createReadStream } from "node:fs";
import { TableColumn } from "@cais/spec/api.ts";
import { z } from "zod";
import { sqlName, sqlText } from "../../engine/quote.ts";

/**
 * Rows as sinks read them that write to services: NDJSON whose first line holds the columns, then one line a row.
 * `texts`: an array with each cell as DuckDB writes it as text, or null, so that no number loses a digit. `objects`: an
 * object of JSON values by column name, times in ISO 8601.
 */
export type RowForm = "texts" | "objects";

/** SQL that writes the whole of `from` to a file. The session's time zone must be UTC. */
export function ndjsonCopy(columns: TableColumn[], from: string, file: string, form: RowForm): string {
  const cells = columns.flatMap((column) =>
    form === "texts" ? [textOf(column)] : [sqlText(column.name), valueOf(column)],
  );
  const row = `json_${form === "texts" ? "array" : "object"}(${cells.join(", ")})::VARCHAR`;
  const head = sqlText(JSON.stringify({ columns }));
  // JSON holds no control character, so nothing in a line can be taken for the delimiter, and nothing needs quotes.
  return `COPY (SELECT ${head} AS line UNION ALL SELECT ${row} FROM ${from}) TO ${sqlText(file)}
    (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\u0001')`;
}

/** Such a file: its columns, and the lines of its rows. The file is open until `lines` has ended. */
export async function openNdjson(file: string): Promise<{ columns: TableColumn[]; lines: AsyncIterable<string> }> {
  const lines = linesOf(file);
  const { value } = await lines.next();
  const { columns } = Head.parse(JSON.parse(z.string().parse(value)));
  return { columns, lines };
}

const Head = z.object({ columns: z.array(TableColumn) });

/** The lines of a file. Node's readline would also end them at U+2028, which a text in JSON may hold as it is. */
async function* linesOf(file: string): AsyncGenerator<string, undefined> {
  // A line may be as long as the engine's memory allows: it is put together once, and not with each piece of it.
  let parts: string[] = [];
  for await (const piece of createReadStream(file, "utf8")) {
    const [first = "", ...others] = String(piece).split("\n");
    parts.push(first);
    for (const other of others) {
      yield parts.join("");
      parts = [other];
    }
  }
  const rest = parts.join("");
  if (rest !== "") yield rest;
}

/** The text of such a file's rows in pieces of some kB, however long a line is. It ends with a line's end. */
export async function* ndjsonRows(file: string): AsyncGenerator<string, undefined> {
  let isAfterHead = false;
  for await (const piece of createReadStream(file, "utf8")) {
    const text = String(piece);
    if (isAfterHead) {
      yield text;
      continue;
    }
    const end = text.indexOf("\n");
    isAfterHead = end >= 0;
    if (isAfterHead && end + 1 < text.length) yield text.slice(end + 1);
  }
}

/** Whether a column's cells are lists, structs or the like, which become JSON. */
export const isNested = (type: string) => type === "JSON" || /\]$|^(STRUCT|MAP|UNION)\(/.test(type);

/** JSON stays as it is written, since numbers would lose digits otherwise. */
const jsonOf = (cell: string, type: string) => (type === "JSON" ? `${cell}::VARCHAR` : `to_json(${cell})::VARCHAR`);

function textOf({ name, type }: TableColumn): string {
  const cell = sqlName(name);
  if (isNested(type)) return jsonOf(cell, type);
  if (type === "BLOB") return `'\\x' || lower(hex(${cell}))`;
  return `${cell}::VARCHAR`;
}

function valueOf({ name, type }: TableColumn): string {
  const cell = sqlName(name);
  if (isNested(type)) return jsonOf(cell, type);
  if (type === "BLOB") return `base64(${cell})`;
  // JSON has neither NaN nor infinity.
  if (/^(DOUBLE|FLOAT)$/.test(type)) return `CASE WHEN isfinite(${cell}) THEN ${cell} END`;
  if (/^(BOOLEAN|U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DECIMAL\(.*\))$/.test(type)) return cell;
  if (type === "DATE") return `CASE WHEN isfinite(${cell}) THEN strftime(${cell}, '%Y-%m-%d') END`;
  if (type.startsWith("TIMESTAMP")) {
    // Microseconds are what every kind of timestamp can be read as.
    const utc = `(${cell}::${type === "TIMESTAMP WITH TIME ZONE" ? "TIMESTAMPTZ AT TIME ZONE 'UTC'" : "TIMESTAMP"})`;
    return `CASE WHEN isfinite(${utc}) THEN strftime(${utc}, '%Y-%m-%dT%H:%M:%S.%fZ') END`;
  }
  return `${cell}::VARCHAR`;
}
