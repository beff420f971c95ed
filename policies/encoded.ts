import { gunzipSync } from "node:zlib";

/** Texts in base64: in one line, or broken into lines of one length as `base64` and MIME write them. */
const runs =
  /(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{60,}(?:\r?\n[ \t]*[A-Za-z0-9+/]{60,})*\r?\n[ \t]*[A-Za-z0-9+/]+={0,2}(?=[ \t]*$)|[A-Za-z0-9+/]{24,}={0,2}/gm;

/** How deep base64 within base64 is read: user data is encoded once, a file in it once more. */
const depthLimit = 2;

/** How many bytes are unpacked at most; Nova takes 64 KB of user data. */
const unpackedLimit = 2 ** 20;

/** A text with all that it hides in base64 and gzip below it. */
export function readable(text: string, depth = 0): string {
  if (depth === depthLimit) return text;
  return [text, ...hiddenIn(text).map((inner) => readable(inner, depth + 1))].join("\n");
}

/** The texts that a text hides in base64, and gzip within that. */
export const hiddenIn = (text: string): string[] =>
  [...text.matchAll(runs)].map(([run]) => decoded(run)).filter((inner) => inner !== "");

/** A text without what base64 hides, which is read for itself, and without files such as pictures. */
export const withoutHidden = (text: string): string =>
  text.replaceAll(runs, (run) => (files.test(run) || decoded(run) !== "" ? " " : run));

/** PNG, JPEG, GIF, WebP, ZIP, PDF, Parquet and fonts, by their first bytes: what is in them is random, and no secret. */
const files = /^(?:iVBORw0KGgo|\/9j\/|R0lGOD|UklGR|UEsDB|JVBERi0|UEFSMQ|d09G)/;

/** What a base64 text says, or nothing where that is no readable text. */
export function decoded(encoded: string): string {
  const bytes = Buffer.from(encoded, "base64");
  const text = (bytes[0] === 0x1f && bytes[1] === 0x8b ? unpacked(bytes) : bytes).toString("utf8");
  return /^[\t\n\r\x20-\x7e\u00a0-\ufffc]+$/.test(text) ? text : "";
}

/** Nothing where it is no gzip after all, or unpacks to more than is read here. */
function unpacked(bytes: Buffer): Buffer {
  try {
    return gunzipSync(bytes, { maxOutputLength: unpackedLimit });
  } catch (error) {
    if (error instanceof Error && "code" in error) return Buffer.alloc(0);
    throw error;
  }
}
