import { UnknownValueError } from "@pulumi/policy";

/** A value that a plan may not know yet, then undefined; `pulumi up` checks again when it does. */
export function ifKnown<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof UnknownValueError) return undefined;
    throw error;
  }
}

/** The keys of a map with their values; a value that is not known yet is undefined. */
export const knownEntries = (map: Readonly<Record<string, unknown>> | undefined): [string, unknown][] =>
  Object.keys(map ?? {}).map((key) => [key, ifKnown(() => map?.[key])]);

/** The items of a list that are known; none of a list that is not known itself. */
export function knownItems<Item>(read: () => readonly Item[] | undefined): Item[] {
  const list = ifKnown(read) ?? [];
  return Array.from(list.keys()).flatMap((index) => ifKnown(() => list[index]) ?? []);
}
