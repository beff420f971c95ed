import { sqlText } from "../../engine/quote.ts";

/** SQL that writes the whole of `from` to one Parquet file, as the lake's own files are written. */
export const parquetCopy = (from: string, file: string): string =>
  `COPY (SELECT * FROM ${from}) TO ${sqlText(file)} (FORMAT parquet, COMPRESSION zstd)`;
