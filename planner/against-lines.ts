import { diff } from "node:util";
import type { Change, Detail } from "./against.ts";
import { printable } from "./printable.ts";
import { urnName, urnType } from "./urn.ts";
import type { Json } from "./value.ts";

/** A line of what changed: `-` as it was, `+` as it will be, a blank for what it is about. */
export interface DetailLine {
  sign: " " | "-" | "+";
  text: string;
}

/** The sign of a change, as `pulumi preview` has it. */
export const signs = { created: "+", changed: "~", deleted: "-" } as const;

// More is read with --json. What a stack tells of a pipeline stack is all of its stack.yaml.
const mostLines = 40;
const mostOutputLines = 10;
const overlong = /^(.{160}).+$/u;
// Myers' algorithm takes time and memory with the square of what differs.
const longestDiff = 2000;

/** Whether a resource that was protected is not any more, so that a deployment may delete it. */
export const losesProtection = ({ details }: Change): boolean =>
  details.some(({ of, path, before, after }) => of === "option" && path === "protect" && before === true && !after);

/** What a person should know of a change besides its kind. */
export function remarksOf(change: Change): string[] {
  const { kind, was, read, opaque, protect, retainOnDelete } = change;
  const remarks = [
    was !== null && `it was ${urnType(was)} ${urnName(was)}`,
    read && (kind === "deleted" ? "no longer read" : "read, not made"),
    opaque && "opaque: only its provider knows what is in it",
    losesProtection(change) && !read && "no longer protected",
    protect && !read && "protected: a deployment refuses to delete it",
    retainOnDelete && !read && "stays where it is and is only forgotten",
  ];
  return remarks.filter((remark) => remark !== false).map(printable);
}

/** A detail in lines. Texts of several lines are told by the lines that differ. */
export function linesOf({ of, path, before, after }: Detail): DetailLine[] {
  const about = { input: "", option: "option ", output: "output ", source: "where it comes from: " }[of];
  const head: DetailLine = { sign: " ", text: printable(about + path) };
  if (typeof before === "string" && typeof after === "string" && (before + after).includes("\n"))
    return [head, ...changedLines(before, after)];
  const isWhole = before === undefined || after === undefined;
  const most = isWhole && of === "output" ? mostOutputLines : mostLines;
  const told = (value: Json | undefined) => {
    if (value === undefined) return [];
    const lines = cut(spell(value, of), most);
    // Of two sides the end may be what differs.
    return isWhole ? lines.map((line) => line.replace(overlong, "$1…")) : lines;
  };
  return [
    head,
    ...told(before).map((text) => ({ sign: "-" as const, text })),
    ...told(after).map((text) => ({ sign: "+" as const, text })),
  ];
}

function changedLines(before: string, after: string): DetailLine[] {
  const lines = { before: before.split("\n").map(printable), after: after.split("\n").map(printable) };
  if (Math.max(lines.before.length, lines.after.length) > longestDiff)
    return [{ sign: " ", text: `${lines.before.length} lines are ${lines.after.length} now (--json has them)` }];
  const changed = diff(lines.before, lines.after)
    .filter(([operation]) => operation !== 0)
    .map(([operation, text]): DetailLine => ({ sign: operation === 1 ? "-" : "+", text }));
  return changed.length <= mostLines
    ? changed
    : [
        ...changed.slice(0, mostLines),
        { sign: " ", text: `… ${changed.length - mostLines} more lines (--json has them)` },
      ];
}

function spell(value: Json, of: Detail["of"]): string {
  if (of === "source" && Array.isArray(value))
    return value.map((urn) => `${urnType(String(urn))} ${urnName(String(urn))}`).join(", ") || "no resource";
  if (typeof value !== "string") return JSON.stringify(value, undefined, isShort(value) ? undefined : 2);
  return value.includes("\n") ? value : JSON.stringify(value);
}

const isShort = (value: Json): boolean => JSON.stringify(value).length <= 100;

function cut(text: string, most: number): string[] {
  const lines = text.split("\n").map(printable);
  return lines.length <= most
    ? lines
    : [...lines.slice(0, most), `… ${lines.length - most} more lines (--json has them)`];
}
