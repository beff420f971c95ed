import { ObjectKey } from "@cais/spec/names.ts";

// NAME_MAX is 255 bytes on Linux, macOS and Windows; the rest is room for the mark of a part that goes on.
const PART_LIMIT = 200;
const GOES_ON = "%";

/** The key as it is, or an error that quotes what is wrong with it. */
export function checkedKey(key: string): string {
  const { success, error } = ObjectKey.safeParse(key);
  if (!success) throw new Error(`The object key ${JSON.stringify(key)} ${error.issues[0]?.message ?? "is not valid"}.`);
  return key;
}

/**
 * The relative path of a key. Letters, digits and `._-` stay readable; every other byte, and a dot at a part's head, is
 * percent-encoded, so a key can hold any name and never meets a hidden or reserved one. A part longer than a file name
 * may be goes on in a folder whose name ends in `%`, which encoding alone never yields.
 */
export function keyToPath(key: string): string {
  return checkedKey(key)
    .split("/")
    .map((part) => {
      const encoded = [...Buffer.from(part)]
        .map((byte, index) => {
          const char = String.fromCharCode(byte);
          const plain = index === 0 ? /[\w-]/ : /[\w.-]/;
          return byte < 0x80 && plain.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
        })
        .join("");
      const pieces = encoded.match(new RegExp(`.{1,${PART_LIMIT}}`, "g")) ?? [];
      return pieces.join(`${GOES_ON}/`);
    })
    .join("/");
}

/** The key of a relative path that keyToPath made. */
export function pathToKey(path: string): string {
  return decodeURIComponent(path.replaceAll(`${GOES_ON}/`, ""));
}

/** Whether keyToPath made this relative path. */
function isMade(path: string): boolean {
  try {
    return keyToPath(pathToKey(path)) === path;
  } catch {
    // No key at all: broken escapes, or what a key must not hold.
    return false;
  }
}

/**
 * The path of a file that someone else put into the folder under a plain name, such as `São Paulo.csv`: the key itself.
 * Undefined for what keyToPath makes of another key, for hidden files, and for what is no key.
 */
export function foreignPath(key: string): string | undefined {
  const isHidden = key.split("/").some((part) => part.startsWith("."));
  return isHidden || !ObjectKey.safeParse(key).success || isMade(key) ? undefined : key;
}

/** The key of a relative path in a store's folder; undefined for what is no object. */
export const keyOf = (path: string): string | undefined => (isMade(path) ? pathToKey(path) : foreignPath(path));
