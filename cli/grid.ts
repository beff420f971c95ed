import { styleText } from "node:util";
import stringWidth from "string-width";

/** A column of a grid. */
export interface GridColumn {
  name: string;
  /** Numbers stand at the right, so that their digits are below each other. */
  align?: "left" | "right";
}

export interface GridOptions {
  /** Columns of the terminal; undefined: any number, as for a file or a pipe. */
  width?: number | undefined;
}

const GAP = "  ";
/** What a narrowed column keeps, so that its beginning still tells something. */
const MIN_WIDTH = 10;

/**
 * Cells in columns, a line a row, below a line of the columns' names. Where the terminal is too narrow, the widest cells
 * are cut with `…`; columns that even then have no place are left out, and `hidden` says how many.
 */
export function grid(
  columns: readonly GridColumn[],
  rows: readonly (readonly string[])[],
  { width = Number.POSITIVE_INFINITY }: GridOptions = {},
): { lines: string[]; hidden: number } {
  const texts = rows.map((row) => columns.map((_, index) => printable(row[index] ?? "")));
  const names = columns.map(({ name }) => printable(name));
  const natural = columns.map((_, index) =>
    Math.max(...[names, ...texts].map((row) => stringWidth(row[index] ?? "")), 1),
  );
  const shown = columns.length - hiddenColumns(natural, width);
  const widths = narrow(natural.slice(0, shown), width);
  const line = (cells: readonly string[]) =>
    widths
      .map((room, index) => placed(cells[index] ?? "", room, columns[index]?.align ?? "left"))
      .join(GAP)
      .trimEnd();
  const head = styleText(["bold"], line(names), { stream: process.stdout });
  return { lines: [head, ...texts.map(line)], hidden: columns.length - shown };
}

/** Whether a column's values are numbers, by DuckDB's name of the type. */
export const isNumber = (type: string): boolean =>
  /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\b.*)$/.test(type);

/** The width of the terminal that the standard output is; undefined if it is none. */
export const terminalWidth = (): number | undefined => (process.stdout.isTTY ? process.stdout.columns : undefined);

/** Text of a file as one line, with nothing that a terminal would act upon (control characters, changes of direction). */
export const printable = (text: string): string =>
  text
    .replaceAll(/\r\n|[\n\r]/g, "↵")
    .replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, (character) => (character === "\t" ? " " : "�"));

const total = (widths: readonly number[]) =>
  widths.reduce((sum, width) => sum + width, 0) + Math.max(0, widths.length - 1) * GAP.length;

function hiddenColumns(natural: readonly number[], width: number): number {
  let shown = natural.length;
  while (shown > 1 && total(natural.slice(0, shown).map((one) => Math.min(one, MIN_WIDTH))) > width) shown--;
  return natural.length - shown;
}

/** Takes room from the widest column, again and again. */
function narrow(natural: readonly number[], width: number): number[] {
  const widths = natural.map((one) => Math.min(one, Math.max(width, MIN_WIDTH)));
  while (total(widths) > width) {
    const widest = Math.max(...widths);
    if (widest <= MIN_WIDTH) break;
    widths[widths.indexOf(widest)] = widest - 1;
  }
  return widths;
}

function placed(text: string, room: number, align: "left" | "right"): string {
  const cut = stringWidth(text) <= room ? text : cutTo(text, room);
  const space = " ".repeat(Math.max(0, room - stringWidth(cut)));
  return align === "right" ? space + cut : cut + space;
}

/** Cuts between what a reader takes for characters: an accent or a flag is never cut in two. */
function cutTo(text: string, room: number): string {
  let kept = "";
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (stringWidth(kept + segment) > room - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}
