import { z } from "zod";

/** As `@pulumi/policy` spells a text that only a deployment can know. */
export const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export const Keyed = z.record(z.string(), z.unknown());

/** A map of a template; undefined for anything else. */
export const mapOf = (value: unknown): Record<string, unknown> | undefined =>
  typeof value === "string" ? undefined : Keyed.safeParse(value).data;

export type Resolve = (value: unknown) => unknown;

/** What a template's functions are worked out with. */
interface Known {
  /** A parameter's value; `unknown` where it is not known. */
  parameter: (name: string) => unknown;
  files: Readonly<Record<string, unknown>>;
  /** Which of its two values an `if` takes: conditions are Heat's, and a rule must hold for both. */
  branch: boolean;
}

/** What Heat leaves out: an `if` that is not met and has no other value. */
const nothing = Symbol("nothing");

/** As many copies as the `repeat`s of a template may make here; what repeats more often is unknown. */
const mostRepeats = 1000;

/** As long as a text that is put together may become, in characters. */
const longestText = 2 ** 20;

const functions =
  /^(get_|str_|list_|map_|yaql$|repeat$|digest$|filter$|if$|make_url$|resource_facade$|contains$|Ref$|Fn::)/;

/**
 * Puts values where a template refers to them, and works out the functions that join and repeat what it knows; what only
 * Heat knows becomes unknown: https://docs.openstack.org/heat/latest/template_guide/hot_spec.html#intrinsic-functions
 */
export function resolver({ parameter, files, branch }: Known): Resolve {
  let repeats = 0;
  const resolve: Resolve = (value) => {
    if (Array.isArray(value)) return value.map(resolve).filter((item) => item !== nothing);
    const map = mapOf(value);
    if (!map) return value;
    const [[name = "", argument] = [], ...others] = Object.entries(map);
    if (others.length > 0 || !functions.test(name))
      return Object.fromEntries(
        Object.entries(map)
          .map(([key, item]): [string, unknown] => [key, resolve(item)])
          .filter(([, item]) => item !== nothing),
      );
    if (name === "repeat") return repeat(argument);
    if (name === "if") {
      const [, met, unmet] = Array.isArray(argument) ? argument : [];
      const items: readonly unknown[] = Array.isArray(argument) ? argument : [];
      const taken = branch ? met : unmet;
      return items.length < (branch ? 2 : 3) ? nothing : resolve(taken);
    }
    return call(name, resolve(argument));
  };

  const call = (name: string, argument: unknown): unknown => {
    const list: readonly unknown[] = Array.isArray(argument) ? argument : [argument];
    if (name === "get_param") return inside(parameter(String(list[0])), list.slice(1));
    if (name === "get_file") return files[String(argument)] ?? unknown;
    if (name === "list_join" || name === "Fn::Join") {
      const [separator, ...lists] = list;
      return joined(lists.flat().map(textOf), String(separator));
    }
    if (/^list_concat(_unique)?$/.test(name)) return list.flat();
    if (name === "map_merge")
      return list.some((map) => mapOf(map) === undefined) ? unknown : Object.assign({}, ...list.map(mapOf));
    if (/^str_replace(_strict|_vstrict)?$/.test(name)) {
      const { template, params } = mapOf(argument) ?? {};
      const replaced = mapOf(params);
      if (typeof template !== "string" || template === unknown || !replaced) return unknown;
      return replacedIn(template, replaced);
    }
    return unknown;
  };

  const repeat = (argument: unknown): unknown => {
    const { for_each: loops, template, permutations } = mapOf(argument) ?? {};
    const lists = Object.entries(mapOf(resolve(loops)) ?? {});
    if (lists.length === 0 || lists.some(([, list]) => !Array.isArray(list))) return unknown;
    const named = lists.map(([name, list]): [string, unknown[]] => [name, Array.isArray(list) ? list : []]);
    const rounds = permutations === false ? sideBySide(named) : everyWay(named);
    repeats += rounds?.length ?? 0;
    if (rounds === undefined || repeats > mostRepeats) return unknown;
    return rounds.map((round) => resolve(filled(template, round)));
  };

  return resolve;
}

type Round = Readonly<Record<string, unknown>>;

const sideBySide = (lists: readonly [string, unknown[]][]): Round[] =>
  Array.from({ length: Math.min(mostRepeats, lists[0]?.[1].length ?? 0) }, (_, index) =>
    Object.fromEntries(lists.map(([name, list]) => [name, list[index]])),
  );

function everyWay(lists: readonly [string, unknown[]][]): Round[] | undefined {
  if (lists.reduce((product, [, list]) => product * list.length, 1) > mostRepeats) return undefined;
  return lists.reduce<Round[]>(
    (rounds, [name, list]) => rounds.flatMap((round) => list.map((item) => ({ ...round, [name]: item }))),
    [{}],
  );
}

/** A template of `repeat` with the values of one round. A value that stands alone keeps its kind. */
function filled(template: unknown, round: Round): unknown {
  if (typeof template === "string")
    return Object.hasOwn(round, template) ? round[template] : replacedIn(template, round);
  if (Array.isArray(template)) return template.map((item) => filled(item, round));
  const map = mapOf(template);
  if (!map) return template;
  return Object.fromEntries(
    Object.entries(map).map(([key, item]) => [String(replacedIn(key, round)), filled(item, round)]),
  );
}

/** Stands for an unknown part of a text whose other parts are known. */
export const gap = "[unknown]";

const textOf = (value: unknown): string =>
  value === unknown ? gap : typeof value === "object" ? JSON.stringify(value) : String(value);

/** A text that consists of what is unknown is unknown, too. */
const joined = (parts: readonly string[], separator: string): string =>
  parts.length > 0 && parts.every((part) => part === gap) ? unknown : parts.join(separator);

/** Longer names first, each place once, as Heat does it. */
function replacedIn(text: string, values: Round): string {
  const names = Object.keys(values).filter((name) => name !== "");
  if (names.length === 0) return text;
  const escaped = names
    .toSorted((one, other) => other.length - one.length)
    .map((name) => name.replaceAll(/[^\w]/g, "\\$&"));
  const result = text.replaceAll(new RegExp(escaped.join("|"), "g"), (name) => textOf(values[name]));
  return result === gap || result.length > longestText ? unknown : result;
}

/** What a path of keys leads to in a parameter. */
function inside(value: unknown, path: readonly unknown[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== "object" || found === null) return unknown;
    found = Reflect.get(found, String(key));
  }
  return found ?? unknown;
}

/** A parameter's value as its type has it; a client gives every one as text. */
export function typed(value: unknown, type: unknown): unknown {
  if (typeof value !== "string" || value === unknown) return value;
  if (type === "comma_delimited_list") return value === "" ? [] : value.split(",").map((item) => item.trim());
  if (type !== "json") return value;
  try {
    return JSON.parse(value);
  } catch (error) {
    if (error instanceof SyntaxError) return value;
    throw error;
  }
}
