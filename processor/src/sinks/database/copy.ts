import type { TableColumn } from "@cais/spec/api.ts";
import { z } from "zod";
import { isNested } from "../ndjson/index.ts";
import { DeliveryRefused } from "../faults.ts";

const Row = z.array(z.string().nullable());

/**
 * Lines of NDJSON with texts as COPY takes them in its text format
 * (https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2), each preceded by its number. Postgres has no text
 * with the character NUL, which throws `DeliveryRefused` with row and column: what to put in its place is the stack's to say.
 */
export async function* copyLines(columns: TableColumn[], lines: AsyncIterable<string>): AsyncGenerator<string> {
  let row = 0;
  for await (const line of lines) {
    row += 1;
    const cells = Row.parse(JSON.parse(line)).map((cell, i) => {
      const column = columns[i];
      if (cell === null || column === undefined) return "\\N";
      if (hasNul(cell, column.type))
        throw new DeliveryRefused(
          `Row ${row}, column ${column.name} holds the character NUL, which no text in Postgres can; write replace(${column.name}, chr(0), '') in the table's SQL.`,
        );
      return escaped(/^(DATE|TIMESTAMP)/.test(column.type) ? withEra(cell) : cell);
    });
    yield `${row}\t${cells.join("\t")}\n`;
  }
}

/** In JSON, NUL is an escape: one that no backslash of its own takes away. */
const hasNul = (cell: string, type: string) =>
  isNested(type) ? /(?<!\\)(?:\\\\)*\\u0000/.test(cell) : cell.includes("\0");

/** DuckDB writes `0044-03-15 (BC) 10:00:00`, Postgres `0044-03-15 10:00:00 BC`. */
const withEra = (cell: string) => (cell.includes(" (BC)") ? `${cell.replace(" (BC)", "")} BC` : cell);

const escapes: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };
const escaped = (cell: string) => cell.replace(/[\\\n\r\t]/g, (character) => escapes[character] ?? character);
