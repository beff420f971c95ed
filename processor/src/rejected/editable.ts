/**
 * The form in which a file's open rejected rows are given to people to edit, and taken back: CSV in UTF-8 with a byte
 * order mark (without one Excel garbles accents), first the columns below, then the file's own under their own titles.
 * Of these, only the row and the member are read again; they say which row a line corrects.
 */
export const editableTitles = {
  /** The row's number in its file or member. */
  row: "cais row",
  /** The file inside a zip. Left out where the file is none. */
  member: "cais member",
  /** Why the row was refused. */
  reasons: "cais reasons",
  /** The row as it was, where it could not be divided into cells; its cells are empty then. */
  text: "cais text",
} as const;

const NUMBER = /^[+-]?\d+([.,]\d+)?$/;

/**
 * A cell with one more ' before it if a spreadsheet would run it as a formula, or if it has such a ' already, so that
 * `unguarded` gives back every cell (https://owasp.org/www-community/attacks/CSV_Injection). Numbers stay as they are.
 */
export const guarded = (cell: string): string =>
  /^'*[=+\-@\t\r]/.test(cell) && !NUMBER.test(cell) ? `'${cell}` : cell;

/** The cell that `guarded` was given. */
export const unguarded = (cell: string): string => cell.replace(/^'(?='*[=+\-@\t\r])/, "");

/** A line of the form. A cell without value is empty, an empty text is "". */
export const editableLine = (cells: (string | null)[]): string => `${cells.map(csvCell).join(",")}\r\n`;

function csvCell(cell: string | null): string {
  if (cell === null) return "";
  const safe = guarded(cell);
  return safe === "" || /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
