import type { TableColumn } from "@cais/spec/api.ts";
import { z } from "zod";
import { DeliveryRefused } from "../faults.ts";
import { openNdjson } from "../ndjson/index.ts";
import { limits } from "./limiter.ts";

const Cells = z.record(z.string(), z.unknown());

/**
 * Refuses what Power BI would refuse in the middle of a push, before the first row is sent: it names the column, and the row
 * as the delivered rows are counted from 1.
 */
export async function checkRows(table: string, file: string, stored: { rows: number; known: string }): Promise<void> {
  const { columns, lines } = await openNdjson(file);
  checkColumns(table, columns);
  let row = 0;
  for await (const line of lines) {
    row += 1;
    // A line is longer than any of its cells.
    if (line.length <= limits.characters) continue;
    for (const [column, cell] of Object.entries(Cells.parse(JSON.parse(line))))
      if (typeof cell === "string" && cell.length > limits.characters)
        throw new DeliveryRefused(
          `Row ${row} of ${table} has ${count(cell.length)} characters in the column ${column}, and Power BI takes ${count(limits.characters)}; write left(${column}, ${limits.characters}) in the table's SQL.`,
        );
  }
  if (stored.rows + row > limits.rowsATable)
    throw new DeliveryRefused(
      `${table} has ${count(row)} rows to push beside the ${count(stored.rows)} that were pushed before, and Power BI keeps ${count(limits.rowsATable)} in a table; push aggregates, or say replace: true. If its table was emptied there, delete ${stored.known}.`,
    );
}

function checkColumns(table: string, columns: TableColumn[]): void {
  const [over] = columns.slice(limits.columns);
  if (over !== undefined)
    throw new DeliveryRefused(
      `${table} has ${columns.length} columns, and Power BI takes ${limits.columns}; leave out ${over.name} and those after it in the table's SQL.`,
    );
}

const count = (number: number) => number.toLocaleString("en");
