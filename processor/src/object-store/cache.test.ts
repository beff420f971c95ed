import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { testFolder } from "../processor-for-tests.ts";
import { cached } from "./cache.ts";
import { behavesAsObjectStore, pieces } from "./conformance.ts";
import { fetchAll } from "./fetch-all.ts";
import { type ObjectStore, openObjectStore } from "./index.ts";

let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await testFolder("cache");
});
afterAll(() => rm(folder, { recursive: true }));

const newFile = () => join(folder, `file-${++count}`);

async function open(bytes = 100) {
  const behind = await openObjectStore({ driver: "fs", path: `store-${++count}` }, folder);
  const fetched: string[] = [];
  const counting: ObjectStore = {
    ...behind,
    async fetch(key, file) {
      fetched.push(key);
      return behind.fetch(key, file);
    },
  };
  const own = join(folder, `cache-${count}`);
  const store = cached(counting, { folder: own, bytes, isFixed: (key) => key.startsWith("fixed/") });
  return { store, behind, fetched, own };
}

describe("a store with a cache", () => {
  behavesAsObjectStore(
    async () => (await open()).store,
    () => folder,
  );

  let at: Awaited<ReturnType<typeof open>>;
  beforeEach(async () => {
    at = await open();
  });
  const read = async (key: string) => {
    const file = newFile();
    return (await at.store.fetch(key, file)) ? readFile(file, "utf8") : undefined;
  };

  it("fetches once what keeps its content, and anything else each time", async () => {
    for (const key of ["fixed/a", "other"]) await at.behind.put(key, pieces(key));
    for (const key of ["fixed/a", "fixed/a", "other", "other"]) expect(await read(key)).toBe(key);
    expect(at.fetched).toEqual(["fixed/a", "other", "other"]);
  });

  it("has what was handed over, and not what was deleted", async () => {
    const file = newFile();
    await at.behind.put("x", pieces("content"));
    await at.behind.fetch("x", file);
    await at.store.putFile("fixed/a", file);
    expect(await read("fixed/a")).toBe("content");
    expect(at.fetched).toEqual([]);
    await at.store.delete("fixed/a");
    expect(await read("fixed/a")).toBeUndefined();
    expect(await readdir(at.own)).toEqual([]);
  });

  it("keeps one copy of what several fetch at once", async () => {
    await at.behind.put("fixed/a", pieces("content"));
    await Promise.all(Array.from({ length: 20 }, () => read("fixed/a")));
    expect(await readdir(at.own)).toHaveLength(1);
    await at.store.delete("fixed/a");
    expect(await readdir(at.own)).toEqual([]);
  });

  it("lets go first what was not used for the longest time, and takes nothing that fills it", async () => {
    for (const [key, bytes] of [
      ["fixed/a", 40],
      ["fixed/b", 40],
      ["fixed/c", 40],
      ["fixed/huge", 51],
    ] as const)
      await at.behind.put(key, pieces("x".repeat(bytes)));
    for (const key of ["fixed/a", "fixed/b", "fixed/a", "fixed/c", "fixed/huge"]) await read(key);
    at.fetched.length = 0;
    for (const key of ["fixed/a", "fixed/c", "fixed/huge", "fixed/b"]) await read(key);
    expect(at.fetched).toEqual(["fixed/huge", "fixed/b"]);
    expect(await readdir(at.own)).toHaveLength(2);
  });
});

it("fetches many objects, and says which are not there", async () => {
  const { behind } = await open();
  const wanted = Array.from({ length: 30 }, (_, nth) => ({ key: `k/${nth}`, file: newFile() }));
  for (const { key } of wanted.filter((_, nth) => nth % 10 !== 3)) await behind.put(key, pieces(key));
  expect(await fetchAll(behind, wanted)).toEqual(["k/3", "k/13", "k/23"]);
  for (const { key, file } of wanted.filter((_, nth) => nth % 10 !== 3)) expect(await readFile(file, "utf8")).toBe(key);
});
