import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { behavesAsObjectStore, pieces } from "./conformance.ts";
import { openObjectStore, StoreUnreachable } from "./index.ts";

let folder: string;
beforeAll(async () => {
  await mkdir(resolve(".cais/tests"), { recursive: true });
  folder = await mkdtemp(resolve(".cais/tests/object-store-"));
});
afterAll(() => rm(folder, { recursive: true }));

let stores = 0;
const open = () => openObjectStore({ driver: "fs", path: `store-${++stores}` }, folder);

describe("the fs driver", () => {
  behavesAsObjectStore(open, () => folder);

  it("keeps readable keys as paths, as other programs expect of a table's folder", async () => {
    const store = await open();
    await store.put("rain_by_day/_delta_log/00000000000000000000.json", pieces("{}"));
    const path = join(folder, `store-${stores}`, "rain_by_day/_delta_log/00000000000000000000.json");
    expect(store.location("rain_by_day/_delta_log/00000000000000000000.json")).toBe(path);
    expect(await readFile(path, "utf8")).toBe("{}");
  });

  it("has as objects the files that others put there under plain names, but no hidden ones", async () => {
    const store = await open();
    const root = join(folder, `store-${stores}`);
    const names = ["São Paulo (SP) 100%.csv", "a b/c d.csv", "50%/x.csv", "plain.csv"];
    for (const path of ["a b", "50%", ".hidden"]) await mkdir(join(root, path));
    for (const name of names) await writeFile(join(root, name), name);
    for (const name of [".hidden/x.csv", ".x.csv.swp", "a b/.DS_Store"]) await writeFile(join(root, name), "no");
    const listed = async (prefix: string) =>
      (await Array.fromAsync(store.list(prefix))).map(({ key }) => key).toSorted();
    expect(await listed("")).toEqual(names.toSorted());
    expect(await listed("a b")).toEqual(["a b/c d.csv"]);
    for (const name of names) {
      expect((await store.head(name))?.bytes).toBe(Buffer.byteLength(name));
      expect(await store.fetch(name, join(folder, `fetched-${stores}-${names.indexOf(name)}`))).toBe(true);
    }
    expect(await store.head(".hidden/x.csv")).toBeUndefined();
    expect(await store.head("x".repeat(300))).toBeUndefined();
    // What a key is encoded to is not another key of the same file.
    await store.put("e f", pieces("mine"));
    expect(await store.head("e%20f")).toBeUndefined();
    await store.put("a b/c d.csv", pieces("mine"));
    expect((await store.head("a b/c d.csv"))?.bytes).toBe(4);
    expect(await listed("a b")).toEqual(["a b/c d.csv"]);
    await store.delete("a b/c d.csv");
    expect(await listed("a b")).toEqual([]);
  });

  it("says of a store that is not there that it is not, and never that an object is not", async () => {
    const store = await open();
    const root = join(folder, `store-${stores}`);
    await store.put("a", pieces("a"));
    await rename(root, `${root}-away`);
    // What is left of a volume that is not mounted.
    await mkdir(root);
    const uses = [
      () => store.head("a"),
      () => store.get("a"),
      () => store.fetch("a", join(folder, "never")),
      () => store.delete("a"),
      () => store.put("b", pieces("b")),
      () => store.putFile("b", join(`${root}-away`, "a")),
      () => Array.fromAsync(store.list("")),
    ];
    for (const use of uses) await expect(use).rejects.toThrow(StoreUnreachable);
    await rm(root, { recursive: true });
    for (const use of uses) await expect(use).rejects.toThrow(StoreUnreachable);
    await rename(`${root}-away`, root);
    expect((await store.head("a"))?.bytes).toBe(1);
  });

  it("makes no store anew that goes away while an object is written", async () => {
    const store = await open();
    const root = join(folder, `store-${stores}`);
    const body = async function* () {
      yield Buffer.from("half");
      await rename(root, `${root}-away`);
    };
    await expect(store.put("new/folder/a", body())).rejects.toThrow(StoreUnreachable);
    await rename(`${root}-away`, root);
    expect(await Array.fromAsync(store.list(""))).toEqual([]);
    await store.put("new/folder/a", pieces("a"));
    expect((await store.head("new/folder/a"))?.bytes).toBe(1);
  });

  it("follows no link out of the store", async () => {
    const store = await open();
    const root = join(folder, `store-${stores}`);
    const outside = await mkdtemp(join(folder, "outside-"));
    await writeFile(join(outside, "secret"), "secret");
    await symlink(outside, join(root, "link"));
    await symlink(join(outside, "secret"), join(root, "file"));
    await expect(store.get("link/secret")).rejects.toThrow(/is a link/);
    await expect(store.put("link/new", pieces("x"))).rejects.toThrow(/is a link/);
    await expect(store.delete("link/secret")).rejects.toThrow(/is a link/);
    expect(await store.get("file")).toBeUndefined();
    expect(await store.fetch("file", join(folder, "fetched"))).toBe(false);
    expect(await Array.fromAsync(store.list(""))).toEqual([]);
    expect(await readdir(outside)).toEqual(["secret"]);
    // Writing to the name of a link replaces the link, not what it leads to.
    await store.put("file", pieces("mine"));
    expect(await readFile(join(outside, "secret"), "utf8")).toBe("secret");
  });

  it("takes over a file of its file system without reading it, for its owner alone", async () => {
    const store = await open();
    const file = join(folder, `made-${stores}`);
    await writeFile(file, "made", { mode: 0o644 });
    await store.putFile("made", file);
    const [made, object] = [await stat(file), await stat(store.location("made"))];
    expect(object.ino).toBe(made.ino);
    expect(object.mode & 0o777).toBe(0o600);
    expect(await readdir(join(folder, `store-${stores}`, ".unfinished"))).toEqual([]);
  });

  // The one file that is surely of another file system.
  it.runIf(process.platform === "linux")("copies a file of another file system", async () => {
    const store = await open();
    const { bytes } = await store.putFile("version", "/proc/version");
    const expected = await readFile("/proc/version");
    expect(bytes).toBe(expected.length);
    expect(await readFile(store.location("version"))).toEqual(expected);
  });

  it("takes over no link", async () => {
    const store = await open();
    const target = join(folder, `target-${stores}`);
    await writeFile(target, "not mine");
    await symlink(target, join(folder, `link-${stores}`));
    await expect(store.putFile("linked", join(folder, `link-${stores}`))).rejects.toThrow(/ELOOP/);
    expect(await store.head("linked")).toBeUndefined();
  });

  it("says which key lies above or below another", async () => {
    const store = await open();
    await store.put("a", pieces("x"));
    await expect(store.put("a/b", pieces("y"))).rejects.toThrow('The object "a/b" lies above or below another one');
    await store.put("c/d", pieces("x"));
    await expect(store.put("c", pieces("y"))).rejects.toThrow('The object "c" lies above or below another one');
  });

  it("clears at opening what a crash left half-written", async () => {
    await open();
    const unfinished = join(folder, `store-${stores}`, ".unfinished");
    await writeFile(join(unfinished, "left"), "half");
    await openObjectStore({ driver: "fs", path: `store-${stores}` }, folder);
    expect(await readdir(unfinished)).toEqual([]);
  });

  it("is not ready when its folder is gone", async () => {
    const store = await open();
    await rm(join(folder, `store-${stores}`), { recursive: true });
    await expect(store.check()).rejects.toThrow(/ENOENT/);
  });
});
