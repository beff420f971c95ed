import { ObjectKey } from "@cais/spec/names.ts";
import { checkedKey } from "../keys.ts";

/** What Cais keeps in a container beside its objects: the segments of large ones. It is never listed. */
export const RESERVED = ".cais-segments/";

/** Sorts behind every name that begins with RESERVED, and before any other. As a listing leaves it out, it is no key, too. */
export const BEHIND_RESERVED = ".cais-segments0";

/** https://docs.openstack.org/swift/latest/api/object_api_v1_overview.html: names are at most 1,024 bytes. */
const MAX_NAME = 1024;

export const isReserved = (name: string): boolean => name.startsWith(RESERVED) || name === BEHIND_RESERVED;

/** The name of an object in its container: the key as it is. */
export function nameOf(key: string): string {
  const name = checkedKey(key);
  if (isReserved(name)) throw new Error(`The object key ${JSON.stringify(key)} is of a reserved folder.`);
  if (Buffer.byteLength(name) > MAX_NAME)
    throw new Error(
      `The object key ${JSON.stringify(key)} has more than ${MAX_NAME} bytes, which Swift does not take; shorten it.`,
    );
  return name;
}

/** The key of a name; undefined for what is no object to Cais. */
export const keyOf = (name: string): string | undefined =>
  ObjectKey.safeParse(name).success && !isReserved(name) ? name : undefined;

/** What the names of segments have besides the key: a slash, the id of the put, another slash and a number of five digits. */
const SEGMENT_BYTES = Buffer.byteLength(RESERVED) + 1 + 36 + 1 + 5;

/** The folder of the segments that one put of an object writes. Throws for a key with which their names would be too long. */
export function segmentsOf(key: string, put: string): string {
  const most = MAX_NAME - SEGMENT_BYTES;
  if (Buffer.byteLength(key) > most)
    throw new Error(
      `The object key ${JSON.stringify(key)} has more than ${most} bytes, which is too long for an object in segments; shorten it.`,
    );
  return `${RESERVED}${key}/${put}/`;
}

/**
 * An object's version: when it was written, to ten microseconds. Swift holds no two writes of one object with the same time,
 * and lists and heads agree on it, which they do not on etags.
 */
export const versionOfHeader = (timestamp: string): string => {
  const [seconds = "", digits = ""] = timestamp.split(".");
  return `${seconds.replace(/^0+/, "")}.${digits.slice(0, 5).padEnd(5, "0")}`;
};

/** The version by a time of a listing, which has no zone and is of UTC: `2026-11-22T02:29:51.243780`. */
export function versionOfListing(lastModified: string): string {
  const [whole = "", digits = ""] = lastModified.replace(/Z$/, "").split(".");
  return versionOfHeader(`${Date.parse(`${whole}Z`) / 1000}.${digits}`);
}

export const timeOf = (version: string): Date => new Date(Math.floor(Number(version) * 1000));
