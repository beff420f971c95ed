import type { TableColumn } from "@cais/spec/api.ts";
import { EndedEarly } from "./faults.ts";

/** Thrown where a table's SQL gives columns that its rows of before cannot have. */
export class ColumnsChanged extends EndedEarly {
  constructor(table: string, before: TableColumn[], now: TableColumn[]) {
    super(
      "failed",
      "stack",
      `Table "${table}" has the columns ${list(before)}, but its SQL now gives ${list(now)}, and columns may only be added; run all files of the stack again (npx cais rerun STACK --all), or give the new table a new name.`,
    );
  }
}

/**
 * A table's columns with those that its SQL gives now: new ones stand at the end. `given` are those that it gave before, of
 * which none may be missing; a column that another program added need not be there. Throws ColumnsChanged.
 */
export function grow(
  table: string,
  before: TableColumn[] | undefined,
  now: TableColumn[],
  given: readonly string[] | undefined,
): TableColumn[] {
  if (before === undefined) return now;
  const types = new Map(now.map(({ name, type }) => [name, type]));
  const fits = before.every(({ name, type }) => {
    const own = types.get(name);
    return own === undefined ? given?.includes(name) === false : own === type;
  });
  const names = new Set(before.map(({ name }) => name));
  const added = now.filter(({ name }) => !names.has(name));
  // To other programs, names that differ in case alone are one.
  const lower = new Set(before.map(({ name }) => name.toLowerCase()));
  if (!fits || added.some(({ name }) => lower.has(name.toLowerCase()))) throw new ColumnsChanged(table, before, now);
  return [...before, ...added];
}

export const list = (columns: TableColumn[]): string => columns.map(({ name, type }) => `${name} ${type}`).join(", ");
