import type { ObjectStore } from "./index.ts";

/** Objects that are fetched at a time: most of the time goes by until the first byte of each. */
const AT_A_TIME = 8;

/** Does work that waits for a store, some of it at a time; gives what came of it in the items' order. */
export async function someAtATime<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const left = items.entries();
  const results: Result[] = [];
  const workOn = async () => {
    for (const [index, item] of left) results[index] = await work(item);
  };
  const done = await Promise.allSettled(Array.from({ length: AT_A_TIME }, workOn));
  for (const result of done) if (result.status === "rejected") throw result.reason;
  return results;
}

/** Fetches objects into new files, some at a time. Gives the keys of those that are not there. */
export async function fetchAll(
  store: Pick<ObjectStore, "fetch">,
  wanted: readonly { key: string; file: string }[],
): Promise<string[]> {
  const there = await someAtATime(wanted, ({ key, file }) => store.fetch(key, file));
  return wanted.filter((_, index) => there[index] === false).map(({ key }) => key);
}

/** An object of the lake that the ledger lists is not there. */
export const lakeLacks = (lake: Pick<ObjectStore, "location">, key: string): Error =>
  new Error(`The lake lacks ${lake.location(key)}, which the ledger lists; restore it.`);
