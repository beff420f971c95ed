import type { Format } from "@cais/spec/upload.ts";

/** How files of each format are called. What a file is, its content decides; its name tells what was meant. */
const endings: Record<Format, readonly string[]> = {
  csv: ["csv", "txt"],
  tsv: ["tsv", "tab", "txt"],
  json: ["json"],
  ndjson: ["ndjson", "jsonl", "json"],
  xml: ["xml"],
  parquet: ["parquet"],
  excel: ["xlsx"],
};

/** Whether a stack that takes these formats takes a file of this name: one of theirs, that with .gz, or a .zip. */
export function takesName(formats: readonly Format[], name: string): boolean {
  const lower = name.toLowerCase();
  if (lower.endsWith(".zip")) return true;
  const bare = lower.endsWith(".gz") ? lower.slice(0, -".gz".length) : lower;
  return formats.some((format) => endings[format].some((ending) => bare.endsWith(`.${ending}`)));
}

/** The endings of a stack's files where they are not compressed: `.csv`, `.txt`. */
export const plainEndings = (formats: readonly Format[]): string[] => [
  ...new Set(formats.flatMap((format) => endings[format].map((ending) => `.${ending}`))),
];

/** The names that a stack takes, for people: `.csv, .txt, each also as .gz, or .zip`. */
export function namesTaken(formats: readonly Format[]): string {
  const taken = plainEndings(formats);
  return `${taken.join(", ")}${taken.length > 1 ? ", each" : ","} also as .gz, or .zip`;
}

/** The formats that a name may mean, the likeliest first; none for a name without an ending that is known. */
export function formatsOfName(name: string): Format[] {
  const bare = name.toLowerCase().replace(/\.gz$/, "");
  const ending = bare.slice(bare.lastIndexOf(".") + 1);
  const all: Format[] = ["csv", "tsv", "json", "ndjson", "xml", "parquet", "excel"];
  return all.filter((format) => endings[format].includes(ending));
}
