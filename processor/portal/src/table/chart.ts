import type { TableRows } from "@cais/spec/api.ts";

type Row = TableRows["data"][number];
type Column = TableRows["columns"][number];

/** What a chart of a table shows. */
export interface ChartChoice {
  /** The column along the bottom. */
  x: string;
  /** Whether `x` holds dates; else it holds names. */
  time: boolean;
  /** Columns that can be the height of the bars; the first is shown first. */
  measures: string[];
  /** The column that colours the bars, or null. */
  colour: string | null;
}

/** More names than this along the bottom cannot be read. */
const maxNames = 40;
/** More colours than this cannot be told apart. */
const maxColours = 6;

// DuckDB's names of types: https://duckdb.org/docs/stable/sql/data_types/overview
const isNumber = ({ type }: Column) => /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\b.*)$/.test(type);
const isTime = ({ type }: Column) => /^(DATE|TIMESTAMP\b.*)$/.test(type);
const isName = ({ type }: Column) => /^(VARCHAR|ENUM\b.*)$/.test(type);

const distinct = (data: readonly Row[], column: string) => new Set(data.map((row) => row[column])).size;
const unique = (data: readonly Row[], ...columns: string[]) =>
  new Set(data.map((row) => JSON.stringify(columns.map((column) => row[column])))).size === data.length;

/**
 * Chooses a bar chart by the types of the columns: the first date (else the first column of few names) along the bottom,
 * numbers as bars, a column of few names as their colour. Null when no bar chart fits: without a number, or when several
 * rows would share a bar, because not every number may be added up.
 */
export function chooseChart(columns: readonly Column[], data: readonly Row[]): ChartChoice | null {
  const measures = columns.filter(isNumber).map(({ name }) => name);
  const names = columns.filter(isName).map(({ name }) => name);
  const time = columns.find(isTime)?.name;
  const x = time ?? names.find((name) => data.length <= maxNames && unique(data, name));
  if (x === undefined || measures.length === 0 || data.length === 0) return null;
  const colours = names.filter((name) => {
    const count = name === x ? 0 : distinct(data, name);
    return count > 1 && count <= maxColours;
  });
  const colour = colours.find((name) => unique(data, x, name)) ?? null;
  return colour === null && !unique(data, x) ? null : { x, time: time !== undefined, measures, colour };
}

/** The bars of one colour. */
export interface Series {
  /** The value of the colour column; null when it is empty or when there is no such column. */
  name: string | null;
  bars: { x: string; value: number }[];
}

/** A cell as a number: integers and decimals that JSON would cut come as text. Null where there is none. */
export function numeric(cell: Row[string] | undefined): number | null {
  if (cell === null || cell === undefined || cell === "" || typeof cell === "boolean") return null;
  const value = Number(cell);
  return Number.isFinite(value) ? value : null;
}

/** The bars of a chart, by colour. Colours go up by their mean, so that a scale from cold to warm says something. */
export function barsOf(choice: ChartChoice, measure: string, data: readonly Row[]): Series[] {
  const series = new Map<string | null, Series>();
  for (const row of data) {
    const value = numeric(row[measure]);
    const at = row[choice.x];
    if (value === null || at === null || at === undefined) continue;
    const cell = choice.colour === null ? null : row[choice.colour];
    const name = cell === null || cell === undefined ? null : String(cell);
    const known = series.get(name) ?? { name, bars: [] };
    series.set(name, known);
    known.bars.push({ x: String(at), value });
  }
  const mean = ({ bars }: Series) => bars.reduce((sum, { value }) => sum + value, 0) / bars.length;
  const result = [...series.values()].toSorted((a, b) => mean(a) - mean(b));
  for (const { bars } of result) bars.sort((a, b) => (choice.time ? a.x.localeCompare(b.x) : 0));
  return result;
}

/** The years of a table's dates, newest first. */
export function yearsOf(choice: ChartChoice, data: readonly Row[]): string[] {
  if (!choice.time) return [];
  return [...new Set(data.map((row) => String(row[choice.x] ?? "").slice(0, 4)))]
    .filter(Boolean)
    .toSorted()
    .toReversed();
}
