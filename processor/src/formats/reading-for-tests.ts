import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Contract } from "@cais/spec/contract.ts";
import { Upload } from "@cais/spec/upload.ts";
import type { z } from "zod";
import type { Found } from "../contract/records.ts";
import { openDuckDB, query } from "../engine/duckdb.ts";
import { sqlText } from "../engine/quote.ts";
import { testFolder } from "../processor-for-tests.ts";
import { readRecords } from "./index.ts";

/** What a file was read as. Rows are [number, cell, …]; refused ones [number, reason, text]. */
export interface ReadFile {
  member: string | null;
  header: string[];
  preamble: Record<string, string>;
  found: Found;
  rows: (string | number | null)[][];
  refused: (string | number | null)[][];
}

/** A contract with columns of these types by name, and what else a test is about. */
export const contractOf = (
  columns: Record<string, z.input<typeof Contract>["columns"][number]["type"]>,
  more: Partial<z.input<typeof Contract>> = {},
): Contract => Contract.parse({ columns: Object.entries(columns).map(([name, type]) => ({ name, type })), ...more });

/** Reads a file as a run does, and the records that came of it. */
export async function readAs(
  content: string | Uint8Array | ((path: string) => Promise<void>),
  name: string,
  contract: Contract,
  upload: z.input<typeof Upload>,
): Promise<ReadFile[]> {
  const folder = await testFolder("formats");
  const { instance, connection } = await openDuckDB(folder, { memoryBytes: 300e6, tempBytes: 1e9, threads: 1 });
  try {
    const file = join(folder, "file");
    if (typeof content === "function") await content(file);
    else await writeFile(file, content);
    const run = join(folder, "run");
    await mkdir(run);
    const all = await readRecords(file, name, { connection, upload: Upload.parse(upload), contract, folder: run });
    const read: ReadFile[] = [];
    for (const {
      member,
      memberIndex,
      header,
      preamble,
      found,
      file,
      kind,
      delimiter,
      refusedFile,
      good,
      refused,
    } of all) {
      const number = (row: Record<string, unknown>) => Number(row["id"]) - memberIndex * 2 ** 40;
      const cells = header.map((_, index) => `c${index}: 'VARCHAR'`).join(", ");
      const from =
        kind === "parquet"
          ? `read_parquet(${sqlText(file)}) AS records(id, ${header.map((_, index) => `c${index}`).join(", ")})`
          : `read_csv(${sqlText(file)}, columns = {id: 'BIGINT', line: 'VARCHAR', ${cells}}, auto_detect = false, header = false, new_line = '\\n', delim = ${sqlText(delimiter)}, quote = '"', escape = '"', parallel = false, null_padding = true, max_line_size = 4000000)`;
      const rows = await query(connection, `SELECT * FROM ${from} ORDER BY id`);
      const bad = await query(
        connection,
        `SELECT * FROM read_csv(${sqlText(refusedFile)}, columns = {id: 'BIGINT', reason: 'VARCHAR', line: 'VARCHAR'}, auto_detect = false, header = false, new_line = '\\n', delim = ',', quote = '"', escape = '"', parallel = false, max_line_size = 4000000)`,
      );
      if (rows.length !== good || bad.length !== refused)
        throw new Error(`counted ${good} and ${refused}, wrote ${rows.length} and ${bad.length}`);
      read.push({
        member,
        header,
        preamble,
        found,
        rows: rows.map((row) => [
          number(row),
          ...header.map((_, index) => {
            const cell = row[`c${index}`];
            return cell === null || cell === undefined ? null : String(cell);
          }),
        ]),
        refused: bad.map((row) => [number(row), String(row["reason"]), String(row["line"])]),
      });
    }
    return read;
  } finally {
    connection.closeSync();
    instance.closeSync();
    await rm(folder, { recursive: true });
  }
}
