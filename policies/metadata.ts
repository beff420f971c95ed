import { knownEntries } from "./if-known.ts";

/** A last word of a key that says that the value is a secret. A key for temporary URLs has a rule of its own. */
const secretWords =
  /(^|[-_.])(password|passwd|passphrase|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credentials?)$/i;

/** The keys of a map under which a secret seems to be written; an address where one is kept is none. */
export const secretKeys = (map: Readonly<Record<string, unknown>> | undefined): string[] =>
  knownEntries(map)
    .filter(([key, value]) => secretWords.test(key) && value !== "" && !/^https?:\/\//.test(String(value ?? "")))
    .map(([key]) => key);
