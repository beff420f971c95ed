import type { Readable } from "node:stream";
import type { ObjectStoreBinding } from "@cais/spec/bindings.ts";

/** What a store says of one object. */
export interface ObjectHead {
  key: string;
  /** Size in bytes. */
  bytes: number;
  /** Changes whenever the object is written again, so (store, key, version) names one content. */
  version: string;
  modifiedAt: Date;
}

export interface StoredObject {
  bytes: number;
  /** Of the content, in hex; computed while it streamed. */
  sha256: string;
  version: string;
}

/** What a store says of a file handed over. */
export type HandedOver = Pick<StoredObject, "bytes">;

/**
 * A private store of objects addressed by key (`ObjectKey` of the spec: relative, no `.` or `..` part).
 * A write is durable and visible whole when its promise resolves, and invisible before. Every method refuses a key that is
 * no `ObjectKey`. "Not found" is a value; every other failure is an error that names the key.
 */
export interface ObjectStore {
  /** Names this store among all of them in the ledger, and stays the same over restarts. */
  readonly id: string;
  /**
   * Writes an object, replacing one of the same key. With `ifAbsent` an existing object is left alone and the call throws
   * ObjectExists. If the body fails, nothing is written and the body's error is thrown as it is.
   */
  put(key: string, body: AsyncIterable<Uint8Array>, options?: { ifAbsent?: boolean }): Promise<StoredObject>;
  /**
   * Hands a local file over as an object, as `put` does with its content, but without reading it where the file system
   * allows. The file stays readable, and must never be written again: it may be the object itself.
   */
  putFile(key: string, file: string, options?: { ifAbsent?: boolean }): Promise<HandedOver>;
  /** Streams an object, or its bytes `start` to `end` (both included, as in HTTP). */
  get(key: string, range?: { start: number; end?: number }): Promise<Readable | undefined>;
  head(key: string): Promise<ObjectHead | undefined>;
  /**
   * The objects whose keys are in the folder `prefix` (`a` lists `a/b`, not `ab`), or all for an empty prefix, in no
   * promised order. An object written or deleted meanwhile may be listed or not. What others put there under a name that is
   * no key, or as a link, is none; `onOther` hears of each.
   */
  list(prefix: string, onOther?: (name: string) => void): AsyncIterable<ObjectHead>;
  /** Deletes an object; one that is not there is no error. */
  delete(key: string): Promise<void>;
  /** Brings an object into a new local file that must only be read; false if there is no such object. */
  fetch(key: string, file: string): Promise<boolean>;
  /** Throws if objects cannot be written now. */
  check(): Promise<void>;
  /** Where a person finds the object: a path for fs, a URL elsewhere. */
  location(key: string): string;
  /**
   * Deletes what unfinished writes of killed processes left and that is older than `before`, or with `dryRun` only finds it.
   * Absent where opening the store does that.
   */
  collect?(options: { before: Date; dryRun: boolean }): Promise<{ key: string; bytes: number }[]>;
  /**
   * An address with which anyone may bring (PUT) or get one object until it expires, without the processor. It is a secret.
   * `name`: what a download is saved as. Absent where the store has none, or no key to sign with.
   */
  tempUrl?(
    key: string,
    options: { method: "GET" | "PUT"; seconds: number; name?: string },
  ): Promise<{ url: string; expires: Date }>;
  /** Where such addresses lead, such as `https://swift.example.org`. Absent where a PUT that breaks off may leave half an object. */
  readonly tempUrlOrigin?: string;
}

/** Thrown by `put` and `putFile` with `ifAbsent` when there is an object already. */
export class ObjectExists extends Error {
  override name = "ObjectExists";
}

/**
 * Thrown by every method of a store that is not there as a whole, such as a volume that is not mounted: whether it has an
 * object cannot be said.
 */
export class StoreUnreachable extends Error {
  override name = "StoreUnreachable";
}

/** Thrown by writes where a store has no room left, such as a quota that is used up. */
export class StoreFull extends Error {
  override name = "StoreFull";
}

/**
 * Opens a bound store, loading only that driver's code. Relative paths are below `dataFolder`. One that was in use before
 * is never made anew: if it is not there, this throws StoreUnreachable.
 */
export async function openObjectStore(
  binding: ObjectStoreBinding,
  dataFolder: string,
  { inUse = false }: { inUse?: boolean } = {},
): Promise<ObjectStore> {
  switch (binding.driver) {
    case "fs":
      return (await import("./fs.ts")).open(binding, dataFolder, inUse);
    case "swift":
      return (await import("./swift/index.ts")).open(binding, dataFolder);
  }
}
