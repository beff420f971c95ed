import { z } from "zod";

const units: Record<string, number> = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

function bytesOf(size: string): number {
  const [, amount, unit] = /^([\d.]+)\s*(\w+)$/.exec(size) ?? [];
  return Math.floor(Number(amount) * (units[unit ?? ""] ?? Number.NaN));
}

/** A size: bytes as a number, or a number with its unit (`500MB`, `2GiB`). Decimal units are powers of 1,000 (IEC 80000-13). */
const Bytes = z.union([
  z.number().int().positive(),
  z
    .string()
    .regex(/^\d+(\.\d+)?\s*(B|kB|MB|GB|KiB|MiB|GiB)$/, "must be a number and one of B, kB, MB, GB, KiB, MiB, GiB")
    .refine((text) => !(bytesOf(text) < 1), "must be at least 1 byte")
    .transform(bytesOf),
]);

/** What a file of rows can be. Each is taken compressed too: as gzip, or in a zip with one or more of them. */
export const formats = ["csv", "tsv", "json", "ndjson", "xml", "parquet", "excel"] as const;
export type Format = (typeof formats)[number];

/** How a file is read where it does not tell by itself. */
export const Reading = z.strictObject({
  csv: z
    .strictObject({
      delimiter: z.enum(["auto", ",", ";", "tab", "|"]).default("auto"),
      encoding: z.enum(["auto", "utf-8", "utf-16", "windows-1252"]).default("auto"),
      header: z
        .boolean()
        .default(true)
        .describe("false: the file has no header row, and its columns are the contract's, in that order."),
      preamble: z
        .union([z.literal("auto"), z.number().int().min(0).max(1000)])
        .default("auto")
        .describe("Lines before the header. Default: those before the first one that holds the contract's columns."),
    })
    .prefault({}),
  json: z
    .strictObject({
      rows: z
        .string()
        .regex(/^(\/[^/]*)*$/, "must be a JSON pointer such as /data/items")
        .default("")
        .describe("JSON pointer (RFC 6901) to the array of rows. Default: the document itself."),
    })
    .prefault({}),
  xml: z
    .strictObject({
      row: z.string().min(1).optional().describe("Name of the element that is a row. Default: the root's children."),
    })
    .prefault({}),
  excel: z
    .strictObject({
      sheet: z.string().min(1).optional().describe("Default: the first."),
      header: z.number().int().min(1).default(1).describe("Row of the header."),
    })
    .prefault({}),
});
export type Reading = z.output<typeof Reading>;

/** Files that people and programs send. */
export const Upload = z.strictObject({
  formats: z.array(z.enum(formats)).min(1).default(["csv"]),
  maxBytes: Bytes.default(2e9).describe("Largest file accepted, such as 500MB. Default: 2GB."),
  maxExpandedBytes: Bytes.optional().describe("Largest content of a compressed file. Default: ten times maxBytes."),
  read: Reading.prefault({}),
  after: z
    .enum(["keep", "archive", "delete"])
    .default("keep")
    .describe(
      "What becomes of a received file once all of its rows are in the tables: archive moves it to archive/ in the input store.",
    ),
});
export type Upload = z.output<typeof Upload>;

/** The most that a file may hold once it is decompressed. */
export const expandedLimit = ({ maxBytes, maxExpandedBytes }: Upload) => maxExpandedBytes ?? maxBytes * 10;
