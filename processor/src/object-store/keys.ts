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
