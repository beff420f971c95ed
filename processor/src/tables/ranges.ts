import type { TableColumn } from "@cais/spec/api.ts";
import type { TableFile } from "../ledger/index.ts";
import { readStats } from "./delta/stats.ts";

/** The smallest and the largest value that a file has in columns, as texts; what is not known of a column is left out. */
export type Ranges = Map<string, { min: string; max: string }>;

/** What a file's statistics, and its partition, say of its values in `names`. */
export function rangesOf({ stats, partition }: Pick<TableFile, "stats" | "partition">, names: string[]): Ranges {
  const known = readStats(stats).columns;
  const ranges: Ranges = new Map();
  for (const name of names) {
    const { min, max } = known.get(name) ?? {};
    const value = partition[name];
    if (min !== undefined && max !== undefined) ranges.set(name, { min, max });
    else if (typeof value === "string") ranges.set(name, { min: value, max: value });
  }
  return ranges;
}

/** Whether two files can have no row with the same values in all columns of both: in one of them they are apart. */
export function areApart(one: Ranges, other: Ranges, columns: TableColumn[]): boolean {
  return columns.some(({ name, type }) => {
    const [a, b] = [one.get(name), other.get(name)];
    return a !== undefined && b !== undefined && (isBelow(a.max, b.min, type) || isBelow(b.max, a.min, type));
  });
}

/** Whether a value is surely smaller than another one of its type. */
function isBelow(one: string, other: string, type: string): boolean {
  if (/^(TINYINT|SMALLINT|INTEGER|BIGINT)$/.test(type))
    return isWhole(one) && isWhole(other) && BigInt(one) < BigInt(other);
  // Statistics of decimals are of no more digits than a double keeps.
  if (type === "FLOAT" || type === "DOUBLE" || type.startsWith("DECIMAL(")) return Number(one) < Number(other);
  if (type === "DATE" || type.startsWith("TIMESTAMP")) return hasOneForm(one, other) && one < other;
  return type === "VARCHAR" && Buffer.compare(Buffer.from(one), Buffer.from(other)) < 0;
}

/** A program that restores a version may write the statistics of our files in its own way, such as 1.0. */
const isWhole = (number: string) => /^-?\d+$/.test(number);

/** Times in partitions have more digits than in statistics. */
const hasOneForm = (one: string, other: string) =>
  one.length === other.length && /^\d{4}-/.test(one) && /^\d{4}-/.test(other);
