import type { ObjectStore } from "./index.ts";

/** Objects that are fetched at a time: most of the time goes by until the first byte of each. */
const AT_A_TIME = 8;

/** Fetches objects into new files, some at a time. Gives the keys of those that are not there. */
export async function fetchAll(
  store: Pick<ObjectStore, "fetch">,
  wanted: readonly { key: string; file: string }[],
): Promise<string[]> {
  const left = wanted.values();
  const missing = new Set<string>();
  const fetchNext = async () => {
    for (const { key, file } of left) if (!(await store.fetch(key, file))) missing.add(key);
  };
  const done = await Promise.allSettled(Array.from({ length: AT_A_TIME }, fetchNext));
  for (const result of done) if (result.status === "rejected") throw result.reason;
  return wanted.map(({ key }) => key).filter((key) => missing.has(key));
}
