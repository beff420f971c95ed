import { createHash, type Hash, randomUUID } from "node:crypto";
import { constants, createReadStream, type BigIntStats } from "node:fs";
import {
  access,
  copyFile,
  type FileHandle,
  link,
  lstat,
  mkdir,
  open as openFile,
  opendir,
  realpath,
  rename,
  rm,
} from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import type { ObjectStoreBinding } from "@cais/spec/bindings.ts";
import { checkedKey, foreignPath, keyOf, keyToPath } from "./keys.ts";
import { ObjectExists, type ObjectHead, type ObjectStore, StoreUnreachable } from "./index.ts";

/** No key encodes to a name with a dot at its head, so this folder never meets an object. */
const UNFINISHED = ".unfinished";

/**
 * Opens a folder as an object store. One object is one file. Limits: a key cannot lie below another (`a` and `a/b`), and
 * where the file system ignores case, so do keys.
 */
export async function open(
  binding: Extract<ObjectStoreBinding, { driver: "fs" }>,
  dataFolder: string,
  inUse: boolean,
): Promise<ObjectStore> {
  if (inUse) await mustBeThere(resolve(dataFolder, binding.path));
  else await mkdir(resolve(dataFolder, binding.path, UNFINISHED), { recursive: true, mode: 0o700 });
  // Keys are compared with this path, so it must itself hold no link.
  const root = await realpath(resolve(dataFolder, binding.path));
  const pathOf = (key: string) => join(root, keyToPath(key));
  const unfinished = () => join(root, UNFINISHED, randomUUID());
  // What a crash left half-written belongs to no one: a write in progress is always of this very process.
  for await (const entry of await opendir(join(root, UNFINISHED))) await rm(join(root, UNFINISHED, entry.name));

  /** The folder of a path, which must really be in the store: a link on the way would lead out of it. */
  async function folderOf(path: string, create = false): Promise<string | undefined> {
    const folder = dirname(path);
    if (create) await makeFolders(root, folder);
    const real = await orUndefined(realpath(folder), ["ENOENT", "ENOTDIR"]);
    if (real !== undefined && real !== folder)
      throw new Error(`The folder ${folder} of the object store is a link; replace it by a folder.`);
    return real;
  }

  async function stat(key: string): Promise<{ path: string; stats: BigIntStats } | undefined> {
    const own = await statPath(pathOf(key));
    const foreign = own === undefined ? foreignPath(key) : undefined;
    const found = foreign === undefined ? own : await statPath(join(root, foreign));
    if (found === undefined) await mustBeThere(root);
    return found;
  }

  async function statPath(path: string): Promise<{ path: string; stats: BigIntStats } | undefined> {
    if ((await folderOf(path)) === undefined) return undefined;
    const stats = await orUndefined(lstat(path, { bigint: true }), ["ENOENT", "ENOTDIR", "ENAMETOOLONG"]);
    return stats?.isFile() === true ? { path, stats } : undefined;
  }

  /** Gives what `bring` makes at `temporary` the key's name, at once and durably. */
  async function place(key: string, temporary: string, bring: () => Promise<void>, ifAbsent: boolean) {
    const path = pathOf(key);
    try {
      await bring();
      return await name(temporary, path, key, ifAbsent);
    } catch (error) {
      if (isCode(error, ["ENOENT", "ENOTDIR"])) await mustBeThere(root);
      throw error;
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async function name(temporary: string, path: string, key: string, ifAbsent: boolean) {
    try {
      const folder = await folderOf(path, true);
      if (ifAbsent) await link(temporary, path);
      else await rename(temporary, path);
      if (folder !== undefined) await syncFolder(folder);
      const stats = await lstat(path, { bigint: true });
      return { bytes: Number(stats.size), version: versionOf(stats) };
    } catch (error) {
      if (ifAbsent && isCode(error, ["EEXIST"]))
        throw new ObjectExists(`There is an object ${JSON.stringify(key)} already.`, { cause: error });
      if (isCode(error, ["EISDIR", "ENOTDIR", "EEXIST"]))
        throw new Error(`The object ${JSON.stringify(key)} lies above or below another one; choose another key.`, {
          cause: error,
        });
      throw error;
    }
  }

  return {
    id: `fs:${binding.path}`,
    location: pathOf,

    async put(key, body, { ifAbsent = false } = {}) {
      const hash = createHash("sha256");
      const temporary = unfinished();
      const { bytes, version } = await place(key, temporary, () => write(temporary, body, hash), ifAbsent);
      return { bytes, sha256: hash.digest("hex"), version };
    },

    async putFile(key, file, { ifAbsent = false } = {}) {
      const temporary = unfinished();
      const bring = async () => {
        const linked = await orUndefined(
          link(file, temporary).then(() => true),
          UNLINKABLE,
        );
        if (linked !== true) return write(temporary, createReadStream(file));
        const handle = await openFile(temporary, constants.O_RDWR | constants.O_NOFOLLOW);
        try {
          if (!(await handle.stat()).isFile()) throw new Error(`${file} is no file, so it cannot become an object.`);
          await handle.chmod(0o600);
          await handle.sync();
        } finally {
          await handle.close();
        }
      };
      return place(key, temporary, bring, ifAbsent);
    },

    async get(key, range) {
      const found = await stat(key);
      if (found === undefined) return undefined;
      const file = await orUndefined(openFile(found.path, constants.O_RDONLY | constants.O_NOFOLLOW), ["ENOENT"]);
      return file?.createReadStream(range);
    },

    async head(key) {
      const found = await stat(key);
      return found && headOf(key, found.stats);
    },

    async *list(prefix, onOther) {
      await mustBeThere(root);
      const foreign = prefix === "" ? undefined : foreignPath(prefix);
      const folders = [prefix === "" ? root : pathOf(prefix), ...(foreign === undefined ? [] : [join(root, foreign)])];
      for (const folder of folders)
        for await (const path of walk(folder)) {
          const name = relative(root, path).split(sep).join("/");
          const key = keyOf(name);
          if (key === undefined && !/(^|\/)\./.test(name)) onOther?.(name);
          if (key === undefined) continue;
          // One key, one object: the one that this store wrote.
          if (pathOf(key) !== path && (await statPath(pathOf(key))) !== undefined) continue;
          const stats = await orUndefined(lstat(path, { bigint: true }), ["ENOENT"]);
          if (stats?.isFile() === true) yield headOf(key, stats);
        }
    },

    async delete(key) {
      for (let found = await stat(key); found !== undefined; found = await stat(key)) {
        await rm(found.path, { force: true });
        await syncFolder(dirname(found.path));
      }
    },

    async check() {
      await access(join(root, UNFINISHED), constants.W_OK);
    },

    async fetch(key, file) {
      const found = await stat(checkedKey(key));
      if (found === undefined) return false;
      // A second name for the same file costs nothing; another file system needs a copy.
      const linked = await orUndefined(
        link(found.path, file).then(() => true),
        [...UNLINKABLE, "ENOENT"],
      );
      if (linked === true) return true;
      const copied = orUndefined(
        copyFile(found.path, file, constants.COPYFILE_EXCL).then(() => true),
        ["ENOENT"],
      );
      return (await copied) ?? false;
    },
  };
}

/** Bytes written by one call. Larger ones were not faster, and hold more memory while the sender is ahead of the disk. */
const PIECE = 128 << 10;

/** Writes a body to a new file, durably. One piece is written while the next one arrives and is hashed. */
async function write(path: string, body: AsyncIterable<Uint8Array>, hash?: Hash): Promise<void> {
  const file = await openFile(path, "wx", 0o600);
  let writing: Promise<void> | undefined;
  try {
    let chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of body) {
      hash?.update(chunk);
      chunks.push(chunk);
      bytes += chunk.byteLength;
      if (bytes < PIECE) continue;
      await writing;
      writing = writeAll(file, chunks, bytes);
      // Told when it is awaited; here only kept from ending the process until then.
      writing.catch((error: unknown) => error);
      [chunks, bytes] = [[], 0];
    }
    await writing;
    await writeAll(file, chunks, bytes);
    await file.sync();
  } finally {
    await Promise.allSettled([writing]);
    await file.close();
  }
}

async function writeAll(file: FileHandle, chunks: Uint8Array[], bytes: number): Promise<void> {
  if (bytes === 0) return;
  const { bytesWritten } = await file.writev(chunks);
  // A disk that is almost full takes a part, and the rest with an error.
  if (bytesWritten < bytes) await file.writeFile(Buffer.concat(chunks).subarray(bytesWritten));
}

/** Why a file can have no second name: another file system, one without such names, too many already (link(2)). */
const UNLINKABLE = ["EXDEV", "EPERM", "EMLINK"];

/** "Not found" is only said of a store that is there. An empty mount point lacks the folder for what is unfinished too. */
async function mustBeThere(root: string): Promise<void> {
  try {
    await access(join(root, UNFINISHED));
  } catch (error) {
    if (!isCode(error, ["ENOENT", "ENOTDIR"])) throw error;
    throw new StoreUnreachable(`The folder ${root} of an object store is not there; is its volume mounted?`, {
      cause: error,
    });
  }
}

/** Every file below a folder but the unfinished ones; links are not followed. */
async function* walk(folder: string): AsyncIterable<string> {
  const entries = await orUndefined(opendir(folder), ["ENOENT", "ENOTDIR"]);
  if (entries === undefined) return;
  for await (const entry of entries) {
    if (entry.name === UNFINISHED) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile()) yield path;
  }
}

/** Makes the folders below root down to the last, each durable in its parent. Root itself, once it is gone, is never made anew. */
async function makeFolders(root: string, folder: string): Promise<void> {
  if (folder === root) return;
  const make = () => mkdir(folder, { mode: 0o700 });
  try {
    await make().catch(async (error: unknown) => {
      if (!isCode(error, ["ENOENT"]) || dirname(folder) === root) throw error;
      await makeFolders(root, dirname(folder));
      await make();
    });
  } catch (error) {
    if (isCode(error, ["EEXIST"])) return;
    throw error;
  }
  await syncFolder(dirname(folder));
}

async function syncFolder(folder: string): Promise<void> {
  // Windows opens no folder as a file, and has no call to sync one.
  if (process.platform === "win32") return;
  const handle = await openFile(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const headOf = (key: string, stats: BigIntStats): ObjectHead => ({
  key,
  bytes: Number(stats.size),
  version: versionOf(stats),
  modifiedAt: stats.mtime,
});

const versionOf = ({ ino, mtimeNs, size }: BigIntStats) =>
  [ino, mtimeNs, size].map((part) => part.toString(36)).join("-");

const isCode = (error: unknown, codes: string[]) =>
  error instanceof Error && "code" in error && typeof error.code === "string" && codes.includes(error.code);

async function orUndefined<T>(result: Promise<T>, codes: string[]): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (isCode(error, codes)) return undefined;
    throw error;
  }
}
