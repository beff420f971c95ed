import type { Column, Contract } from "@cais/spec/contract.ts";
import type { Placed } from "./columns.ts";
import { type Layout, layoutOf } from "./layout.ts";

/**
 * How a cell's bytes are looked at while its row is read. A row all of whose cells are surely what the contract demands is
 * plain: the engine reads it with its types, and asks nothing again that was seen here. Every other row is read as text and
 * checked by SQL, which alone decides what is refused. Both ways give the same rows: where a cell leaves any doubt, it is not plain.
 */
export type PlainCell =
  | { kind: "any" }
  | { kind: "empty" }
  | ({ kind: "text" } & Nullable)
  | ({ kind: "integer"; digits: number } & Nullable & Range)
  | ({ kind: "number"; point: string; digits: number; whole: number; fraction: number } & Nullable & Range)
  | ({ kind: "boolean" } & Nullable)
  | ({ kind: "date"; layout: Layout } & Nullable & Range);

interface Nullable {
  required: boolean;
  nulls: string[];
}
interface Range {
  min: number;
  max: number;
}

/** How the plain rows of a file are told and read. */
export interface PlainPlan {
  cells: PlainCell[];
  /** For each column of the contract: whether its type, its range and its presence are seen while rows are read. */
  decided: boolean[];
  /** Whether SQL has more to ask of a plain row's cells. */
  asked: boolean;
  /** Whether a plain row needs its number, such as where it may still be refused. */
  numbered: boolean;
  /** The character before a fraction, in all cells read as numbers. */
  point: string;
  /** Spellings of no value, in all cells. */
  nulls: string[];
}

/** Digits that a double holds exactly, so that a range can be asked of it here. */
const EXACT_DIGITS = 15;
/** Digits that a 64-bit integer, and a DECIMAL of 64 bits, surely hold. */
const WIDE_DIGITS = 18;

/**
 * The plan for a file's rows of `width` cells, or undefined where too little can be seen in their bytes to be worth it.
 * `isNumbered`: rows need their numbers in any case.
 */
export function plainPlan(
  contract: Contract,
  placed: Placed,
  width: number,
  isNumbered = false,
): PlainPlan | undefined {
  const { nulls, decimal: point } = contract;
  // The engine's reader knows one spelling of numbers and one list of nulls for all cells of a file.
  if (contract.columns.some((column) => column.nulls !== undefined && column.nulls.join("\0") !== nulls.join("\0")))
    return undefined;
  if (nulls.some((text) => !/^[!-~]+$/.test(text) || /["',;|\\]/.test(text))) return undefined;
  const named = new Set(placed.columns.map(({ place }) => place));
  const kept = new Set(placed.unknown.map(({ place }) => place));
  const last = Math.max(-1, ...placed.columns.map(({ place }) => place ?? -1), ...kept);
  const cells = Array.from({ length: width }, (_, place): PlainCell => {
    if (named.has(place)) return { kind: "any" };
    if (place > last) return { kind: "empty" };
    return contract.unknownColumns === "keep" ? { kind: "text", required: false, nulls } : { kind: "any" };
  });
  const decided = placed.columns.map(({ column, place }) => {
    if (place === null) return true;
    const cell = plainCell(column, contract);
    cells[place] = cell ?? { kind: "text", required: column.required, nulls };
    return cell !== undefined;
  });
  const asked =
    decided.includes(false) ||
    contract.rules.length > 0 ||
    placed.columns.some(({ column: { pattern, values } }) => pattern !== undefined || values !== undefined);
  const numbered = isNumbered || asked || contract.unique.length > 0 || contract.columns.some(({ unique }) => unique);
  return { cells, decided, asked, numbered, point, nulls };
}

/** How a column's cells are looked at; undefined where SQL must look at all of them. */
function plainCell(column: Column, contract: Contract): PlainCell | undefined {
  const { required, type } = column;
  const { nulls } = contract;
  const range = {
    min: typeof column.min === "number" ? column.min : Number.NEGATIVE_INFINITY,
    max: typeof column.max === "number" ? column.max : Number.POSITIVE_INFINITY,
  };
  const own = { required, nulls };
  const point = column.decimal ?? contract.decimal;
  const bounded = column.min !== undefined || column.max !== undefined;
  switch (type) {
    case "string":
      return { kind: "text", ...own };
    case "integer":
      return { kind: "integer", digits: bounded ? EXACT_DIGITS : WIDE_DIGITS, ...own, ...range };
    case "double": {
      const digits = bounded ? EXACT_DIGITS : 100;
      return point === contract.decimal
        ? { kind: "number", point, digits, whole: digits, fraction: digits, ...own, ...range }
        : undefined;
    }
    case "decimal": {
      const fraction = column.scale ?? 2;
      const digits = bounded ? EXACT_DIGITS : WIDE_DIGITS;
      return point === contract.decimal
        ? { kind: "number", point, digits, whole: WIDE_DIGITS - fraction, fraction, ...own, ...range }
        : undefined;
    }
    case "boolean":
      return { kind: "boolean", ...own };
    case "date": {
      const layout = layoutOf(onlyFormat(column) ?? "");
      const [min, max] = [dayNumber(column.min), dayNumber(column.max)];
      if (layout === undefined || layout.parts.some(({ part }) => part > 2 && part < 6)) return undefined;
      if (min === undefined || max === undefined) return undefined;
      return { kind: "date", layout, ...own, min: min ?? range.min, max: max ?? range.max };
    }
    case "timestamp": {
      const layout = layoutOf(onlyFormat(column) ?? "");
      if (layout === undefined || bounded || (column.timezone ?? "UTC") !== "UTC") return undefined;
      return { kind: "date", layout, ...own, ...range };
    }
  }
}

/** The format of a column's dates, where it has one. */
function onlyFormat({ type, format }: Column): string | undefined {
  if (format === undefined) return type === "date" ? "%Y-%m-%d" : "%Y-%m-%d %H:%M:%S";
  const formats = typeof format === "string" ? [format] : format;
  return formats.length === 1 ? formats[0] : undefined;
}

/** A day as the number YYYYMMDD; null for none, undefined for what is no day. */
function dayNumber(day: number | string | undefined): number | null | undefined {
  if (day === undefined) return null;
  return typeof day === "string" && /^\d{4}-\d{2}-\d{2}$/.test(day) ? Number(day.replaceAll("-", "")) : undefined;
}
