import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ObjectExists, type ObjectStore } from "./index.ts";

/** Bytes as a body that comes in pieces. */
export async function* pieces(...texts: (string | Uint8Array)[]): AsyncIterable<Uint8Array> {
  for (const text of texts) yield typeof text === "string" ? Buffer.from(text) : text;
}

/** A body that breaks off. */
async function* fails(): AsyncIterable<Uint8Array> {
  yield Buffer.from("half");
  throw new Error("the sender went away");
}

/** What every driver must do. `open` gives a new, empty store each time; `folder` is for files of the tests. */
export function behavesAsObjectStore(open: () => Promise<ObjectStore>, folder: () => string): void {
  let store: ObjectStore;
  let local: string;
  beforeAll(async () => {
    store = await open();
    local = await mkdtemp(join(folder(), "local-"));
  });
  afterAll(() => rm(local, { recursive: true }));

  const read = async (key: string, range?: { start: number; end?: number }) => {
    const body = await store.get(key, range);
    return body && (await buffer(body)).toString();
  };
  const keys = async (prefix: string) => (await Array.fromAsync(store.list(prefix), ({ key }) => key)).toSorted();
  it("gives back what was put, with its size and sha256", async () => {
    const stored = await store.put("a/file.csv", pieces("one,", "two"));
    expect(stored).toMatchObject({ bytes: 7, sha256: createHash("sha256").update("one,two").digest("hex") });
    expect(await read("a/file.csv")).toBe("one,two");
    expect(await store.head("a/file.csv")).toMatchObject({ key: "a/file.csv", bytes: 7, version: stored.version });
  });

  it("keeps an empty object, and one of many pieces", async () => {
    expect(await store.put("empty", pieces())).toMatchObject({ bytes: 0 });
    expect(await read("empty")).toBe("");
    const mebibytes = Array.from({ length: 5 }, () => randomBytes(1 << 20));
    const stored = await store.put("large", pieces(...mebibytes));
    expect(stored.bytes).toBe(5 << 20);
    expect(stored.sha256).toBe(createHash("sha256").update(Buffer.concat(mebibytes)).digest("hex"));
  });

  it("reads a range with both ends included", async () => {
    await store.put("range", pieces("0123456789"));
    expect(await read("range", { start: 2, end: 4 })).toBe("234");
    expect(await read("range", { start: 7 })).toBe("789");
  });

  it("has no object where none was put", async () => {
    expect(await store.get("missing")).toBeUndefined();
    expect(await store.head("missing")).toBeUndefined();
    expect(await store.head("a")).toBeUndefined();
    expect(await store.fetch("missing", join(local, "missing"))).toBe(false);
    await store.delete("missing");
  });

  it("replaces an object whole, with another version", async () => {
    const first = await store.put("replaced", pieces("a longer first content"));
    const second = await store.put("replaced", pieces("second"));
    expect(second.version).not.toBe(first.version);
    expect(await read("replaced")).toBe("second");
  });

  it("puts an object only once with ifAbsent, even if many try at once", async () => {
    const tries = Array.from({ length: 8 }, (_, n) => store.put("once", pieces(`try ${n}`), { ifAbsent: true }));
    const results = await Promise.allSettled(tries);
    const won = results.findIndex(({ status }) => status === "fulfilled");
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const refused = results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
    expect(refused.every((reason) => reason instanceof ObjectExists)).toBe(true);
    expect(await read("once")).toBe(`try ${won}`);
  });

  it("writes nothing when the body fails, and throws the body's error", async () => {
    await expect(store.put("broken", fails())).rejects.toThrow("the sender went away");
    expect(await store.head("broken")).toBeUndefined();
    await store.put("kept", pieces("kept"));
    await expect(store.put("kept", fails())).rejects.toThrow("the sender went away");
    expect(await read("kept")).toBe("kept");
    expect(await keys("broken")).toEqual([]);
  });

  it("shows a body only when it is whole", async () => {
    const { promise: seen, resolve: go } = Promise.withResolvers<void>();
    const slow = async function* (): AsyncIterable<Uint8Array> {
      yield Buffer.from("first half, ");
      await seen;
      yield Buffer.from("second half");
    };
    const put = store.put("slow", slow());
    expect(await store.head("slow")).toBeUndefined();
    expect(await keys("")).not.toContain("slow");
    go();
    await put;
    expect(await read("slow")).toBe("first half, second half");
  });

  it("takes a file over, which stays readable", async () => {
    const file = join(local, "made");
    await writeFile(file, "made here");
    expect(await store.putFile("over/made", file)).toMatchObject({ bytes: 9 });
    expect(await store.head("over/made")).toMatchObject({ bytes: 9 });
    expect(await read("over/made")).toBe("made here");
    expect(await readFile(file, "utf8")).toBe("made here");
    // As its maker cleans up, and as an attempt that is repeated does it again.
    await store.putFile("over/made", file);
    await rm(file);
    expect(await read("over/made")).toBe("made here");
    expect(await keys("over")).toEqual(["over/made"]);
  });

  it("takes a file over in place of an object, or not with ifAbsent", async () => {
    const file = join(local, "newer");
    await writeFile(file, "newer");
    const first = await store.put("there", pieces("older"));
    await expect(store.putFile("there", file, { ifAbsent: true })).rejects.toThrow(ObjectExists);
    expect(await read("there")).toBe("older");
    await store.putFile("there", file);
    expect((await store.head("there"))?.version).not.toBe(first.version);
    expect(await read("there")).toBe("newer");
    await store.putFile("absent", file, { ifAbsent: true });
    expect(await read("absent")).toBe("newer");
    // What replaces the object leaves the file alone.
    await store.put("absent", pieces("another"));
    expect(await readFile(file, "utf8")).toBe("newer");
  });

  it("takes no file over that is not there, and no folder", async () => {
    await expect(store.putFile("nothing", join(local, "nothing"))).rejects.toThrow(/ENOENT/);
    await expect(store.putFile("nothing", local)).rejects.toThrow(/EISDIR|is no file/);
    expect(await store.head("nothing")).toBeUndefined();
  });

  it("lists a folder but not its siblings", async () => {
    for (const key of ["list/a", "list/b/c", "list-other/d", "listing"]) await store.put(key, pieces(key));
    expect(await keys("list")).toEqual(["list/a", "list/b/c"]);
    expect(await keys("list/b")).toEqual(["list/b/c"]);
    expect(await keys("lis")).toEqual([]);
    expect(await keys("")).toEqual(expect.arrayContaining(["list/a", "list/b/c", "list-other/d", "listing"]));
  });

  it("deletes an object and keeps the others", async () => {
    await store.put("del/a", pieces("a"));
    await store.put("del/b", pieces("b"));
    await store.delete("del/a");
    expect(await keys("del")).toEqual(["del/b"]);
  });

  it("fetches an object into a file", async () => {
    await store.put("fetched", pieces("content"));
    const file = join(local, "fetched");
    expect(await store.fetch("fetched", file)).toBe(true);
    expect(await readFile(file, "utf8")).toBe("content");
    // What was fetched stays as it was when the object is replaced.
    await store.put("fetched", pieces("other"));
    expect(await readFile(file, "utf8")).toBe("content");
  });

  it.each([
    "Relatório final (2).csv",
    "名前/ファイル.csv",
    "a b/c%20d/e%/f",
    "CON/nul/aux.csv",
    "x=1&y=2?z#w",
    ".hidden/.unfinished/..x",
    `long/${"n".repeat(250)}`,
    `ünïcödé/${"é".repeat(240)}`,
    "'quoted\";--",
    "-rf *",
  ])("keeps the key %j", async (key) => {
    await store.put(key, pieces(key));
    expect(await read(key)).toBe(key);
    expect(await keys(key.split("/").slice(0, -1).join("/"))).toContain(key);
    await store.delete(key);
    expect(await store.head(key)).toBeUndefined();
  });

  it.each(["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/.", "a/", "a\\b", "a\0b", "a\nb"])(
    "refuses the key %j everywhere",
    async (key) => {
      await expect(store.put(key, pieces("x"))).rejects.toThrow(/object key/);
      await expect(store.putFile(key, join(local, "x"))).rejects.toThrow(/object key/);
      await expect(store.get(key)).rejects.toThrow(/object key/);
      await expect(store.head(key)).rejects.toThrow(/object key/);
      await expect(store.delete(key)).rejects.toThrow(/object key/);
      await expect(store.fetch(key, join(local, "refused"))).rejects.toThrow(/object key/);
      expect(() => store.location(key)).toThrow(/object key/);
    },
  );

  it("refuses a folder that climbs out", async () => {
    for (const prefix of ["..", "/etc", "a/../.."]) await expect(keys(prefix)).rejects.toThrow(/object key/);
  });

  it("says that it can be written", async () => {
    await expect(store.check()).resolves.toBeUndefined();
  });
}
