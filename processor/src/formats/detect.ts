import { TextDecoder } from "node:util";
import type { Format, Upload } from "@cais/spec/upload.ts";
import { Unreadable } from "../contract/records.ts";
import { formatsOfName, namesTaken } from "./names.ts";
import { utf16Of } from "./utf8.ts";

/** What the first bytes of some content show: a format, a wrapping, or the name of something that no stack takes. */
export type Kind = { is: "format"; format: Format } | { is: "gzip" } | { is: "zip" } | { is: "other"; what: string };

/** How many bytes `detect` looks at. */
export const HEAD_BYTES = 1 << 16;

/** Bytes that begin a file of a kind, as Latin-1 (https://en.wikipedia.org/wiki/List_of_file_signatures). */
const signatures: [string, Kind][] = [
  ["\u001F\u008B", { is: "gzip" }],
  ["PK\u0003\u0004", { is: "zip" }],
  ["PK\u0005\u0006", { is: "zip" }],
  ["PAR1", { is: "format", format: "parquet" }],
  ["PARE", other("a Parquet file with an encrypted footer")],
  [
    "\u00D0\u00CF\u0011\u00E0",
    other("an old or password-protected Excel or Word file (.xls, .doc); save it as .xlsx without a password"),
  ],
  ["%PDF-", other("a PDF")],
  ["\u0089PNG", other("a picture")],
  ["\u00FF\u00D8\u00FF", other("a picture")],
  ["GIF8", other("a picture")],
  ["BZh", other("compressed by bzip2; gzip and zip are read")],
  ["\u00FD7zXZ\u0000", other("compressed by xz; gzip and zip are read")],
  ["\u0028\u00B5\u002F\u00FD", other("compressed by zstd; gzip and zip are read")],
  ["7z\u00BC\u00AF\u0027\u001C", other("a 7z archive; gzip and zip are read")],
  ["Rar!", other("a RAR archive; gzip and zip are read")],
  ["SQLite format 3\u0000", other("a SQLite database")],
  ["Obj\u0001", other("an Avro file")],
  ["ORC", other("an ORC file")],
  ["ARROW1", other("an Arrow file")],
  ["\u007FELF", other("a program")],
  ["MZ\u0090\u0000", other("a program")],
];

function other(what: string): Kind {
  return { is: "other", what };
}

/** What the content is. Where that leaves a choice (CSV or TSV, JSON or NDJSON), the name makes it. */
export function detect(head: Buffer, name: string, { formats, read }: Pick<Upload, "formats" | "read">): Kind {
  const bytes = head.toString("latin1");
  const [, signed] = signatures.find(([signature]) => bytes.startsWith(signature)) ?? [];
  if (signed !== undefined) return signed;
  if (bytes.slice(257, 262) === "ustar") return other("a tar archive; gzip and zip of the files themselves are read");
  if (head.length === 0) throw new Unreadable("The file is empty; send one with at least one row.");
  const text = new TextDecoder(utf16Of(head)?.encoding ?? "utf-8").decode(head).trimStart();
  if (/^<!doctype html|^<html/i.test(text)) return other("a web page");
  if (/^<(\?xml|!DOCTYPE|!--|[\p{L}_][\w.:-]*[\s/>])/u.test(text)) return format("xml");
  const separated = formats.filter((format) => format === "csv" || format === "tsv");
  // A list of lists, an object: no header of a CSV file begins so.
  if (/^\[\s*([[{\]]|$)|^\{\s*["}]/.test(text) || (separated.length === 0 && /^[[{]/.test(text)))
    return format(jsonKind(text, name, formats, read.json.rows));
  const [first, second] = separated;
  if (first === undefined) return other("text of another kind");
  if (second === undefined) return format(first);
  if (!text.includes("\t")) return format("csv");
  const meant = formatsOfName(name).filter((format) => format === "csv" || format === "tsv");
  const [line = ""] = text.split("\n", 1);
  return format(meant.length === 1 && meant[0] !== undefined ? meant[0] : line.includes("\t") ? "tsv" : "csv");
}

function format(format: Format): Kind {
  return { is: "format", format };
}

function jsonKind(text: string, name: string, formats: readonly Format[], pointer: string): "json" | "ndjson" {
  if (text.startsWith("[")) return "json";
  if (isLines(text)) return "ndjson";
  if (!formats.includes("ndjson")) return "json";
  if (!formats.includes("json")) return "ndjson";
  // One object: a document around its rows, or a file of one row.
  if (pointer !== "") return "json";
  return formatsOfName(name)[0] === "ndjson" || isWhole(firstLine(text)) ? "ndjson" : "json";
}

const firstLine = (text: string) => text.split("\n", 1)[0] ?? "";

/** Whether the first line is a JSON value by itself and another one follows. */
function isLines(text: string): boolean {
  const line = firstLine(text);
  return isWhole(line) && text.slice(line.length).trimStart().startsWith("{");
}

function isWhole(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

const articles: Record<Format, string> = {
  csv: "CSV",
  tsv: "TSV",
  json: "JSON",
  ndjson: "newline-delimited JSON",
  xml: "XML",
  parquet: "a Parquet file",
  excel: "an Excel workbook",
};

/** Refuses what is none of the formats that a stack takes, in a sentence that says what it is. */
export const notTaken = (what: Format | { what: string }, formats: readonly Format[]) =>
  new Unreadable(
    `The file is ${typeof what === "string" ? articles[what] : what.what}; the stack takes ${formats.join(", ")} (${namesTaken(formats)}).`,
  );
