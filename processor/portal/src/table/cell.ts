import type { TableRows } from "@cais/spec/api.ts";
import type { Format } from "../language/format.ts";

type Cell = TableRows["data"][number][string];

/** A date or time of a table as a person writes it. It has no time zone, so none is applied. Null when it is none. */
export function dateCell(value: string, { date }: Pick<Format, "date">): string | null {
  const [, day, time] = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)[.\dZ+:-]*)?$/.exec(value) ?? [];
  if (day === undefined || Number.isNaN(Date.parse(day))) return null;
  return time === undefined ? date(day) : `${date(day)} ${time}`;
}

/** What stands in a cell. Empty text for nothing. */
export function cellText(cell: Cell | undefined, type: string, format: Format, yes: string, no: string): string {
  if (cell === null || cell === undefined) return "";
  if (typeof cell === "boolean") return cell ? yes : no;
  if (typeof cell === "number") return format.cell(cell);
  if (type === "DATE" || type.startsWith("TIMESTAMP")) return dateCell(cell, format) ?? cell;
  return cell;
}
