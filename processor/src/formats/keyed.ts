import type { Contract } from "@cais/spec/contract.ts";
import { personal } from "../contract/pii.ts";
import { titleOf } from "../contract/columns.ts";
import { type Found, MAX_COLUMNS, type Records, recordWriter, Unreadable } from "../contract/records.ts";
import { TOO_WIDE } from "./limits.ts";
import { nativeCells } from "./native.ts";
import type { Source } from "./source.ts";

/** A cell as its format types it: text, a number as it is written there, or no value. */
export type Cell = string | { number: string } | null;

/** Hears the rows of a format whose rows name their cells, such as JSON. */
export interface KeyedRows {
  /** `text` is the row as it was in the file. */
  row(number: number, cells: Map<string, Cell>, text: string): void;
  /** `reason` is a sentence; `text` is the row as far as it is known. */
  refuse(number: number, reason: string, text: string): void;
}

/** What a reader makes records for. */
export interface Reading {
  member: Source["member"];
  contract: Contract;
  /** The run's own folder, in which records are written. */
  folder: string;
}

/**
 * Makes records of rows that name their cells. The header is the contract's columns, whether a row has them or not; where
 * the contract has a use for other columns (keep, reject), these follow as they come.
 */
export async function keyedRecords(
  { contract, member, folder }: Reading,
  found: Found,
  read: (rows: KeyedRows) => Promise<void>,
): Promise<Records> {
  const titles = contract.columns.flatMap((column) => titleOf(column) ?? []);
  const header = [...new Set(titles)];
  const expected = new Set(header);
  const known = new Set(header);
  const native = nativeCells(contract);
  const writer = recordWriter(folder, member, header);
  let rows = 0;
  let meant = false;
  /** Keys of the first rows, to say what the file has instead. */
  const examples = new Set<string>();

  function learn(cells: Map<string, Cell>): void {
    if (!meant)
      for (const key of cells.keys()) {
        meant ||= expected.has(key);
        if (examples.size < 5) examples.add(key);
      }
    if (contract.unknownColumns === "drop") return;
    for (const key of cells.keys()) {
      if (known.has(key)) continue;
      if (known.size === MAX_COLUMNS)
        throw new Unreadable(
          `The file's rows have more than ${MAX_COLUMNS.toLocaleString("en")} different columns, which is the most that is taken; send one with fewer.`,
        );
      known.add(key);
      header.push(key);
    }
  }

  let records: Records | undefined;
  try {
    await read({
      row(number, cells, text) {
        rows += 1;
        if (cells.size > MAX_COLUMNS) return writer.refuse(number, TOO_WIDE, text);
        learn(cells);
        const values = header.map((title) => {
          const cell = cells.get(title) ?? null;
          return cell === null || typeof cell === "string" ? cell : native.number(title, cell.number);
        });
        writer.row(number, values, text);
      },
      refuse(number, reason, text) {
        rows += 1;
        writer.refuse(number, reason, text);
      },
    });
  } finally {
    records = writer.close({ found });
  }
  if (rows === 0) throw new Unreadable("The file has no rows; send one with at least one row.");
  if (!meant && examples.size > 0)
    throw new Unreadable(
      `No row has any of the ${expected.size} columns expected; is it the right file? ${
        personal(contract).size > 0
          ? "What its rows have may be personal data and is not told"
          : `Its rows have ${[...examples].map((key) => `"${key}"`).join(", ")}`
      }.`,
    );
  return records;
}
