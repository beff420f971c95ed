import { copyFile, link, mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ObjectStore } from "./index.ts";

/** How a cache is kept. */
export interface CacheOptions {
  /** Its alone, and on the disk to which objects are fetched. What is in it at first is not looked at. */
  folder: string;
  /** Bytes that it may take of the disk. What was not used for the longest time goes first. */
  bytes: number;
  /** Whether an object keeps its content for as long as it is there: only such are cached. */
  isFixed: (key: string) => boolean;
}

/**
 * A store of which objects that were fetched or handed over once are fetched from this machine the next time: a run, a query
 * and a page of rows all read the same few files of a table.
 */
export function cached(store: ObjectStore, { folder, bytes: limit, isFixed }: CacheOptions): ObjectStore {
  /** What is here, the longest unused first. */
  const files = new Map<string, { path: string; bytes: number }>();
  let total = 0;
  let count = 0;

  async function keep(key: string, file: string): Promise<void> {
    const { size } = await stat(file);
    // One that takes most of the room would push out all others.
    if (size > limit / 2) return;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, String(++count));
    await secondName(file, path);
    // Nothing is awaited between these: several may keep the same object at once.
    const other = files.get(key);
    files.delete(key);
    files.set(key, { path, bytes: size });
    total += size - (other?.bytes ?? 0);
    if (other !== undefined) await rm(other.path, { force: true });
    for (const [oldest] of files) {
      if (total <= limit) break;
      await drop(oldest);
    }
  }

  async function drop(key: string): Promise<void> {
    const found = files.get(key);
    if (found === undefined) return;
    files.delete(key);
    total -= found.bytes;
    await rm(found.path, { force: true });
  }

  return {
    ...store,
    async fetch(key, file) {
      const found = files.get(key);
      if (found !== undefined && (await isThere(secondName(found.path, file)))) {
        files.delete(key);
        files.set(key, found);
        return true;
      }
      const fetched = await store.fetch(key, file);
      if (fetched && isFixed(key)) await keep(key, file);
      return fetched;
    },
    async put(key, body, options) {
      await drop(key);
      return store.put(key, body, options);
    },
    async putFile(key, file, options) {
      const stored = await store.putFile(key, file, options);
      if (isFixed(key)) await keep(key, file);
      return stored;
    },
    async delete(key) {
      await drop(key);
      await store.delete(key);
    },
  };
}

/** Gives a file that is only read from now on another name. */
async function secondName(file: string, name: string): Promise<void> {
  try {
    await link(file, name);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && ["EXDEV", "EPERM", "EMLINK"].includes(String(error.code))))
      throw error;
    await copyFile(file, name);
  }
}

/** False if what was cached has just gone. */
async function isThere(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}
