import type { DuckDBValue } from "@duckdb/node-api";
import type { TableColumn } from "@cais/spec/api.ts";
import { sqlText } from "../engine/quote.ts";
import { editableLine, editableTitles } from "./editable.ts";

/**
 * Runs a query over a Parquet file of rejected rows: one line per row with its number in the file, its member, the row as
 * it was (`text`), its `cells` in the order of its `header` (null if it could not be divided), and its `violations`.
 */
export type Select = (sql: (from: string) => string) => AsyncIterable<DuckDBValue[][]>;

/** The most of a row that is told with each of its mistakes; a row may have thousands of them. */
const TEXT_LENGTH = 1000;

export const mistakeColumns: TableColumn[] = [
  { name: "row", type: "BIGINT" },
  { name: "member", type: "VARCHAR" },
  { name: "column", type: "VARCHAR" },
  { name: "reason", type: "VARCHAR" },
  { name: "value", type: "VARCHAR" },
  { name: "text", type: "VARCHAR" },
];

/** SQL that gives one line per mistake, with `mistakeColumns`. */
export const mistakes = (from: string): string => `(
  SELECT "row", member, violation."column" AS "column", violation.reason AS reason, violation.value AS value,
    CASE WHEN length(text) > ${TEXT_LENGTH} THEN left(text, ${TEXT_LENGTH - 1}) || '…' ELSE text END AS text
  FROM (SELECT "row", member, text, unnest(violations) AS violation FROM ${from}))`;

/** The same of a file that the first version of Cais kept: a line per mistake, without the rows themselves. */
export const oldMistakes = (from: string): string =>
  `(SELECT "row", NULL::VARCHAR AS member, "column", reason, value, NULL::VARCHAR AS text FROM ${from})`;

/** The same of `mistakes` without what may be personal data: of values those of `shown` columns alone, and no row's text. */
export const hiding =
  (mistakes: (from: string) => string, shown: string[]) =>
  (from: string): string =>
    `(SELECT "row", member, "column", reason, CASE WHEN list_contains([${shown.map(sqlText).join(", ")}]::VARCHAR[], "column") THEN value END AS value,
        NULL::VARCHAR AS text FROM ${mistakes(from)})`;

/** The rows in the form that people edit (see `editableTitles`), in pieces. */
export async function* editable(select: Select): AsyncIterable<string> {
  const headers = await headersOf(select);
  const titles = union([...headers.values()]);
  const withMember = [...headers.keys()].some((member) => member !== null);
  const own = [
    editableTitles.row,
    ...(withMember ? [editableTitles.member] : []),
    editableTitles.reasons,
    editableTitles.text,
  ];
  // With the first rows: if they cannot be read, nothing was given that looks whole.
  let head = `\uFEFF${editableLine([...own, ...titles.map(({ title }) => title)])}`;
  const places = new Map([...headers].map(([member, header]) => [member, placesIn(titles, header)]));
  for await (const rows of select(rowsSql)) {
    const lines = rows
      .map(([number, memberValue, reasons, text, cellValues]) => {
        const member = textOf(memberValue);
        const cells = itemsOf(cellValues);
        const own = [String(number), ...(withMember ? [member] : []), textOf(reasons), textOf(text)];
        return editableLine([...own, ...(places.get(member) ?? []).map((place) => textOf(cells[place ?? -1]))]);
      })
      .join("");
    yield head + lines;
    head = "";
  }
  if (head !== "") yield head;
}

const rowsSql = (from: string) => `
  SELECT "row", member,
    array_to_string(list_transform(violations, lambda item: concat_ws(': ', item."column", item.reason)), '; '),
    CASE WHEN cells IS NULL THEN text END, cells
  FROM ${from}`;

async function headersOf(select: Select): Promise<Map<string | null, string[]>> {
  const headers = new Map<string | null, string[]>();
  // The members of one file: at most as many as a zip may have.
  for await (const rows of select(
    (from) => `SELECT member, first(header) FROM ${from} GROUP BY member ORDER BY member`,
  ))
    for (const [member, header] of rows)
      headers.set(
        textOf(member),
        itemsOf(header).map((title) => textOf(title) ?? ""),
      );
  return headers;
}

/** A column of the form: the `nth` one of a header that has this title. */
interface Title {
  title: string;
  nth: number;
}

function numbered(header: string[]): Title[] {
  const counts = new Map<string, number>();
  return header.map((title) => {
    const nth = counts.get(title) ?? 0;
    counts.set(title, nth + 1);
    return { title, nth };
  });
}

/** All columns of some headers, in the order in which they come first. */
function union(headers: string[][]): Title[] {
  const titles = new Map<string, Title>();
  for (const header of headers)
    for (const { title, nth } of numbered(header)) titles.set(`${nth} ${title}`, { title, nth });
  return [...titles.values()];
}

/** Where each column of the form is in a row of this header. */
function placesIn(titles: Title[], header: string[]): (number | undefined)[] {
  const places = new Map(numbered(header).map(({ title, nth }, index) => [`${nth} ${title}`, index]));
  return titles.map(({ title, nth }) => places.get(`${nth} ${title}`));
}

const itemsOf = (value: DuckDBValue | undefined): readonly DuckDBValue[] =>
  typeof value === "object" && value !== null && "items" in value ? value.items : [];

const textOf = (value: DuckDBValue | undefined): string | null =>
  value === null || value === undefined ? null : String(value);
