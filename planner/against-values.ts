import { diff, isDeepStrictEqual } from "node:util";
import { type Json, secretMark } from "./value.ts";

/** A place in a value: keys, positions in a list, and `name=x` for an item of a list that is known by its name. */
export type Path = (string | number | { name: string })[];

/** A place where two values differ. `before` or `after` is absent where there is nothing on that side. */
export interface Difference {
  path: Path;
  before?: Json;
  after?: Json;
}

/** Instead of a text that is secret on the other side. */
export const plainMark = "[plain text]";

// Myers' algorithm takes time and memory with the square of what differs.
const longestDiff = 2000;

/**
 * Where two values differ, as deep as possible: lists item by item, those whose items have a `name` by that, texts that
 * hold JSON as what they hold.
 */
export function differences(before: Json | undefined, after: Json | undefined, path: Path = []): Difference[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (isObject(before) && isObject(after))
    return [...new Set([...Object.keys(before), ...Object.keys(after)])]
      .toSorted()
      .flatMap((key) => differences(own(before, key), own(after, key), [...path, key]));
  if (Array.isArray(before) && Array.isArray(after)) return differentItems(before, after, path);
  const held = { before: heldJson(before), after: heldJson(after) };
  if (held.before !== undefined && held.after !== undefined && !isDeepStrictEqual(held.before, held.after))
    return differences(held.before, held.after, path);
  return [
    {
      path,
      ...(before === undefined ? {} : { before: after === secretMark ? plainMark : before }),
      ...(after === undefined ? {} : { after: before === secretMark ? plainMark : after }),
    },
  ];
}

function differentItems(before: Json[], after: Json[], path: Path): Difference[] {
  const named = { before: byName(before), after: byName(after) };
  if (named.before && named.after) {
    const names = { before: [...named.before.keys()], after: [...named.after.keys()] };
    const found = [...new Set([...names.before, ...names.after])].flatMap((name) =>
      differences(named.before?.get(name), named.after?.get(name), [...path, { name }]),
    );
    return found.length > 0 ? found : [{ path, before: names.before, after: names.after }];
  }
  if (before.length === after.length) return before.flatMap((item, at) => differences(item, after[at], [...path, at]));
  // Which item was the secret nobody can tell, so none is shown of the side that has fewer.
  const opened = countSecrets(before) - countSecrets(after);
  const shown = {
    before: opened < 0 ? before.map(closed) : before,
    after: opened > 0 ? after.map(closed) : after,
  };
  if (Math.max(before.length, after.length) > longestDiff) return [{ path, ...shown }];
  const places = { before: 0, after: 0 };
  return diff(before.map(text), after.map(text)).flatMap(([operation]): Difference[] => {
    // 1 stands for what only the first has, -1 for what only the second has.
    const at = { before: operation >= 0 ? places.before++ : -1, after: operation <= 0 ? places.after++ : -1 };
    if (operation === 0) return [];
    return operation === 1
      ? [{ path: [...path, at.before], before: shown.before[at.before] ?? null }]
      : [{ path: [...path, at.after], after: shown.after[at.after] ?? null }];
  });
}

const text = (value: Json): string => JSON.stringify(value);

const countSecrets = (items: Json[]): number => text(items).split(text(secretMark)).length - 1;

const closed = (item: Json): Json => (item === secretMark ? item : plainMark);

const isObject = (value: Json | undefined): value is { [key: string]: Json } =>
  value !== null && typeof value === "object" && !Array.isArray(value);

const own = (value: { [key: string]: Json }, key: string): Json | undefined =>
  Object.hasOwn(value, key) ? value[key] : undefined;

/** The items by their names, if each has one of its own. */
function byName(items: Json[]): Map<string, Json> | undefined {
  const found = new Map<string, Json>();
  for (const item of items) {
    const name = isObject(item) ? own(item, "name") : undefined;
    if (typeof name !== "string" || found.has(name)) return undefined;
    found.set(name, item);
  }
  return found;
}

function heldJson(value: Json | undefined): Json | undefined {
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return undefined;
  try {
    const held: Json = JSON.parse(value);
    return held;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** A path as Pulumi spells it: `rules[0].port`, `metadata["cost-centre"]`; `columns[name=DATA]` is ours. */
export function spellPath(path: Path): string {
  const spelled = path.map((step) => {
    if (typeof step === "number") return `[${step}]`;
    if (typeof step === "object") return `[name=${step.name}]`;
    return /^[A-Za-z_$][\w$]*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
  });
  return spelled.join("").replace(/^\./, "");
}

/** The steps of a path as `ignoreChanges` takes it; `*` stands for any step. */
export function parsePath(text: string): (string | number)[] {
  return [...text.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|([^.[\]]+)/g)].map(([, quoted, index, key]) => {
    if (quoted !== undefined) return quoted.replaceAll(/\\(.)/g, "$1");
    if (index !== undefined) return index === "*" ? index : Number(index);
    return key ?? "";
  });
}

/** Whether a path is one of the given ones or below. */
export const isCovered = (path: Path, by: (string | number)[][]): boolean =>
  by.some((steps) => steps.length <= path.length && steps.every((step, at) => step === "*" || step === path[at]));
