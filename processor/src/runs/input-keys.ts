import { newRunId } from "../ledger/run-id.ts";

/**
 * A new key in the input store for a file of this name. Keys begin with the date, so that a listing finds new ones. Of
 * the name as sent a key has only the ending, which tells a person what the object is.
 */
export function uploadKey(name: string, now: Date): string {
  const [ending = ""] = /\.[a-z0-9]{1,10}(\.gz)?$/.exec(name.toLowerCase()) ?? [];
  return `${now.toISOString().slice(0, 10)}/${newRunId(now)}${ending}`;
}

/**
 * The key in the input store of a file that is put there directly under this id. It begins with the date, too, and ends with
 * the file's name, by which the monitor knows it.
 */
export const directKey = (id: string, name: string): string =>
  `${id.slice(0, 4)}-${id.slice(4, 6)}-${id.slice(6, 8)}/${id}/${name}`;

/** A new key in the input store for a correction of a file's rejected rows. */
export const correctionKey = (now: Date): string => `corrections/${newRunId(now)}.csv`;
