import type { Column, Contract } from "@cais/spec/contract.ts";
import { suggest } from "@cais/spec/suggest.ts";
import { Unreadable } from "./records.ts";

/** Where the cells of a contract's column come from: a place in the rows, or one value for the whole file. */
export type PlacedColumn = { column: Column } & ({ place: number } | { place: null; constant: string | null });

/** A contract's columns in a file. */
export interface Placed {
  columns: PlacedColumn[];
  /** Columns that the contract does not name, each under a title of its own. */
  unknown: { title: string; place: number }[];
}

const tidy = (title: string) => title.trim().normalize("NFC");

/** The title that a column has in the file's header; undefined for one that comes from a line before it. */
export const titleOf = ({ name, from }: Column): string | undefined =>
  from === undefined ? name : typeof from === "string" ? tidy(from) : undefined;

/** The label of the line before the header that a column comes from. */
const labelOf = ({ from }: Column): string | undefined => (typeof from === "object" ? label(from.preamble) : undefined);

/** A label without the sign after it, in the one form in which labels are compared. */
export const label = (text: string) => tidy(text.replace(/[\s:=]+$/, ""));

/**
 * Finds the contract's columns in a file. A header that lacks one or has it twice makes the file unreadable; so does a
 * column that the contract does not name, where it says so.
 */
export function placeColumns(contract: Contract, header: string[], preamble: Record<string, string> = {}): Placed {
  const { columns } = contract;
  const wanted = columns.map(titleOf).filter((title) => title !== undefined);
  const missing = columns.flatMap((column) => {
    const title = titleOf(column);
    return title === undefined || column.optional || header.includes(title) ? [] : [title];
  });
  // What is taken for a header may be a row.
  const isSecret = columns.some(({ pii }) => pii !== undefined);
  if (missing.length > 0)
    throw new Unreadable(
      isSecret
        ? `The header row lacks ${explainEach(missing, [])}; what it has may be personal data and is not told.`
        : explainMissing(missing, wanted, header),
    );
  const twice = wanted.find((title) => header.indexOf(title) !== header.lastIndexOf(title));
  if (twice !== undefined) throw new Unreadable(`The header row has "${twice}" more than once; name each column once.`);
  const lines = columns.filter((column) => !column.optional).map(labelOf);
  const noLine = lines.filter((line) => line !== undefined && !Object.hasOwn(preamble, line));
  if (noLine.length > 0)
    throw new Unreadable(
      `The lines before the header lack ${noLine.map((line) => `"${line}"`).join(", ")}; ${isSecret ? "what they have may be personal data and is not told" : `they have ${quotedList(Object.keys(preamble)) || "none"}`}.`,
    );
  const unknown = unknownColumns(header, wanted);
  if (contract.unknownColumns === "reject" && unknown.length > 0) {
    const free = wanted.filter((title) => !header.includes(title));
    const titles = unknown.map(({ title }) => title);
    throw new Unreadable(
      isSecret
        ? `The header row has ${unknown.length} columns that are not expected; leave them out. They may be personal data and are not told.`
        : `The header row has ${explainEach(titles, free)}, which is not expected; leave it out.`,
    );
  }
  return { columns: columns.map((column) => place(column, header, preamble)), unknown };
}

function place(column: Column, header: string[], preamble: Record<string, string>): PlacedColumn {
  const line = labelOf(column);
  if (line !== undefined)
    return { column, place: null, constant: (Object.hasOwn(preamble, line) ? preamble[line] : undefined) ?? null };
  const found = header.indexOf(titleOf(column) ?? "");
  return found === -1 ? { column, place: null, constant: null } : { column, place: found };
}

/** A column without a title is told by its number, as spreadsheets do; a title that is taken gets a count. */
function unknownColumns(header: string[], wanted: string[]): Placed["unknown"] {
  const known = new Set(wanted);
  const titles = new Set(header);
  const given = new Set<string>();
  const last = header.findLastIndex((title) => title !== "");
  return header.slice(0, last + 1).flatMap((found, place) => {
    if (known.has(found)) return [];
    const own = found === "" ? `column ${place + 1}` : found;
    const isTaken = (title: string) => given.has(title) || (title !== found && titles.has(title));
    let title = own;
    for (let count = 2; isTaken(title); count++) title = `${own} (${count})`;
    given.add(title);
    return [{ title, place }];
  });
}

function explainMissing(missing: string[], wanted: string[], header: string[]): string {
  const [only = ""] = header;
  const separator = header.length > 1 ? undefined : [";", "\t", "|"].find((character) => only.includes(character));
  if (separator !== undefined)
    return `The file separates its cells by ${separator === "\t" ? "tabs" : `"${separator}"`}; save it as CSV with commas and send it again.`;
  const free = header.filter((title) => !wanted.includes(title));
  const near = missing.some((title) => suggest(title, free) !== undefined);
  if (missing.length === wanted.length && !near)
    return `The header row has none of the ${wanted.length} columns expected; is it the right file? It has ${quotedList(header.slice(0, 5))}${header.length > 5 ? ", …" : ""}.`;
  return `The header row lacks ${explainEach(missing, free)}; it has ${quotedList(header)}.`;
}

/** Titles, each with the one that was probably meant. */
const explainEach = (titles: string[], free: string[]) =>
  titles
    .map((title) => {
      const meant = suggest(title, free);
      return `"${title}"${meant === undefined ? "" : ` (is it "${meant}"?)`}`;
    })
    .join(", ");

/** Titles for a message, which stays one that a person reads, however many and long they are. */
const quotedList = (titles: string[]) =>
  `${titles
    .slice(0, 50)
    .map((title) => `"${title.length > 100 ? `${title.slice(0, 99)}…` : title}"`)
    .join(", ")}${titles.length > 50 ? ", …" : ""}`;
