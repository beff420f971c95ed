import type { TableColumn } from "@cais/spec/api.ts";
import { z } from "zod";
import { sqlName } from "../../engine/quote.ts";
import { leaves } from "./types.ts";

/** As many columns, from the first on, have statistics in Spark: `delta.dataSkippingNumIndexedCols`. More make a long log. */
const COLUMNS = 32;
const CHARACTERS = 32;
/** Decimal digits that a double keeps, whichever they are: some readers take numbers in statistics for doubles. */
const DIGITS = 15;

/** What DuckDB tells of a file that it wrote (`COPY … (RETURN_STATS)`), by quoted path, as in `"a"."b"`. */
export type WrittenStatistics = Record<string, Record<string, string>>;

/**
 * A data file's statistics as the log has them
 * (https://github.com/delta-io/delta/blob/master/PROTOCOL.md#per-file-statistics). `columns` are the table's. Nothing is
 * said of what has no order that all readers share: truth values, bytes, lists, maps, columns with a NaN. Partition columns
 * stand elsewhere in the log. `always` names columns that get statistics wherever they stand.
 */
export function fileStats(
  rows: number,
  columns: TableColumn[],
  written: WrittenStatistics,
  { partitionBy = [], always = [] }: { partitionBy?: string[]; always?: string[] } = {},
): string {
  const own = columns.filter(({ name }) => !partitionBy.includes(name));
  const minValues: Tree = new Map();
  const maxValues: Tree = new Map();
  const nullCount: Tree = new Map();
  for (const [index, { name, type: columnType }] of own.entries()) {
    if (index >= COLUMNS && !always.includes(name)) continue;
    for (const { path, type } of leaves(name, columnType)) {
      const { min, max, null_count: nulls, has_nan: hasNaN } = written[path.map(sqlName).join(".")] ?? {};
      if (nulls !== undefined) grow(nullCount, path, nulls);
      if (hasNaN === "true") continue;
      grow(minValues, path, bound(min, type, "min"));
      grow(maxValues, path, bound(max, type, "max"));
    }
  }
  return print(
    new Map<string, Tree | string>([
      ["numRecords", String(rows)],
      ["minValues", minValues],
      ["maxValues", maxValues],
      ["nullCount", nullCount],
    ]),
  );
}

/** What is known of a file's rows. Values are texts that DuckDB casts to the column's type; those of strings may be cut. */
export interface FileStats {
  rows: number | undefined;
  /** Of columns that are no structs. */
  columns: Map<string, { min?: string; max?: string; nulls?: number }>;
}

const Values = z.record(z.string(), z.unknown()).catch({});
const Stats = z.object({
  numRecords: z.coerce.number().int().optional().catch(undefined),
  minValues: Values,
  maxValues: Values,
  nullCount: Values,
});

/** Reads statistics of a log. What cannot be read is not known. */
export function readStats(stats: string | null): FileStats {
  const columns: FileStats["columns"] = new Map();
  const { data } = Stats.safeParse(parse(stats ?? "{}"));
  const at = (name: string) => {
    const known = columns.get(name) ?? {};
    columns.set(name, known);
    return known;
  };
  for (const [name, value] of Object.entries(data?.minValues ?? {}))
    if (typeof value === "string") at(name).min = value;
  for (const [name, value] of Object.entries(data?.maxValues ?? {}))
    if (typeof value === "string") at(name).max = value;
  for (const [name, value] of Object.entries(data?.nullCount ?? {}))
    if (typeof value === "string") at(name).nulls = Number(value);
  return { rows: data?.numRecords, columns };
}

/** Numbers stay the texts that they are, because a whole number may have more digits than a double keeps. */
function parse(stats: string): unknown {
  try {
    return JSON.parse(stats, (_, value: unknown, context?: { source?: string }) =>
      typeof value === "number" ? (context?.source ?? String(value)) : value,
    );
  } catch (error) {
    // Statistics only save work: a file whose statistics another program broke is read in full.
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

/** Values in JSON's own form, so that numbers keep all of their digits. */
type Tree = Map<string, Tree | string>;

function grow(tree: Tree, [name = "", ...rest]: string[], value: string | undefined): void {
  if (value === undefined) return;
  if (rest.length === 0) {
    tree.set(name, value);
    return;
  }
  const known = tree.get(name);
  const branch: Tree = known instanceof Map ? known : new Map();
  tree.set(name, branch);
  grow(branch, rest, value);
}

const print = (tree: Tree | string): string =>
  typeof tree === "string"
    ? tree
    : `{${[...tree].map(([name, value]) => `${JSON.stringify(name)}:${print(value)}`).join(",")}}`;

/** A bound in JSON, from DuckDB's text of it; undefined where the log cannot say it. */
function bound(text: string | undefined, type: string, side: "min" | "max"): string | undefined {
  if (text === undefined) return undefined;
  if (/^(TINYINT|SMALLINT|INTEGER|BIGINT)$/.test(type)) return text;
  if (type.startsWith("DECIMAL(")) return text.replaceAll(/\D/g, "").length <= DIGITS ? text : undefined;
  if (type === "FLOAT" || type === "DOUBLE") {
    if (!Number.isFinite(Number(text))) return undefined;
    // Zero has two signs, and Parquet's statistics may name either for both.
    if (Number(text) === 0) return side === "min" ? "-0.0" : "0.0";
    return text;
  }
  if (type === "DATE") return /^\d{4}-\d\d-\d\d$/.test(text) ? JSON.stringify(text) : undefined;
  if (type.startsWith("TIMESTAMP")) return time(text, side);
  return type === "VARCHAR" ? cut(text, side) : undefined;
}

/** A time of whole milliseconds that is not later, or not earlier: readers may round down, both their bounds and ours. */
function time(text: string, side: "min" | "max"): string | undefined {
  const [, date, clock, fraction = ""] = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?(?:\+00)?$/.exec(text) ?? [];
  if (date === undefined) return undefined;
  const floor = Date.parse(`${date}T${clock}.${fraction.slice(0, 3).padEnd(3, "0")}Z`);
  const isCut = /[1-9]/.test(fraction.slice(3));
  const bound = new Date(side === "max" && isCut ? floor + 1 : floor).toISOString();
  // The year 10000 has a sign.
  return /^\d/.test(bound) ? JSON.stringify(bound) : undefined;
}

const LAST_CHARACTER = "\u{10FFFF}";

/** A string of 32 characters at most that is not greater, or not smaller, by the order of UTF-8. */
function cut(text: string, side: "min" | "max"): string | undefined {
  const characters = Array.from(text);
  if (characters.length <= CHARACTERS) return JSON.stringify(text);
  const prefix = characters.slice(0, CHARACTERS).join("");
  if (side === "min") return JSON.stringify(prefix);
  return characters[CHARACTERS] === LAST_CHARACTER ? undefined : JSON.stringify(prefix + LAST_CHARACTER);
}
