import type { Column, Contract } from "@cais/spec/contract.ts";
import { sqlName, sqlText } from "../engine/quote.ts";
import { typeReason } from "./types.ts";

/** What must hold of one cell: SQL that is true when it does not, and what the sender is told. */
export interface Demand {
  broken: string;
  reason: string;
  /** Whether it is asked of a cell's bytes where a row is told to be plain (contract/plain.ts). */
  seen: boolean;
}

/** The demands of a column on its cell; `value` is SQL as for typedSql, its name stands for the typed cell. */
export function demandsOf(column: Column, value: string, blank: string, contract: Contract): Demand[] {
  const { type, required, min, max, pattern, values, reason } = column;
  const name = sqlName(column.name);
  const demands: Demand[] = [];
  const demand = (broken: string, reason: string, seen: boolean) => demands.push({ broken, reason, seen });
  if (required) demand(blank, "is required, but empty", true);
  if (type !== "string") demand(`${value} IS NOT NULL AND ${name} IS NULL`, typeReason(column, contract), true);
  if (min !== undefined) demand(`${name} < ${bound(column, min)}`, `is below ${min}`, true);
  if (max !== undefined) demand(`${name} > ${bound(column, max)}`, `is above ${max}`, true);
  const unmatched = pattern === undefined ? [] : [`NOT regexp_full_match(${name}, ${sqlText(pattern)})`];
  const unlisted = values === undefined ? [] : [`${name} NOT IN (${values.map(sqlText).join(", ")})`];
  // Its author's own words stand for both, and are told once.
  if (reason !== undefined) demand([...unmatched, ...unlisted, "false"].join(" OR "), reason, false);
  else {
    for (const broken of unmatched) demand(broken, `does not match ${pattern}`, false);
    for (const broken of unlisted) demand(broken, `is none of ${values?.join(", ")}`, false);
  }
  return demands;
}

/** The smallest or largest value as SQL of the column's type. */
function bound({ type }: Column, value: number | string): string {
  if (typeof value === "number") return type === "double" ? `${value}::DOUBLE` : String(value);
  if (type === "date") return `DATE ${sqlText(value)}`;
  // A time without a zone is in UTC, as the tables' are.
  return `(TIMESTAMPTZ ${sqlText(value)} AT TIME ZONE 'UTC')`;
}
