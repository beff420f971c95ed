import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import type { Contract } from "@cais/spec/contract.ts";
import { z } from "zod";
import { query } from "../engine/duckdb.ts";
import { sqlName, sqlText } from "../engine/quote.ts";
import { type Placed, placeColumns } from "./columns.ts";
import { duplicatesSql } from "./duplicates.ts";
import { type Found, type Records, Unreadable } from "./records.ts";
import { writeRejected } from "./rejected.ts";
import { carefulSelect, constantsSelect, inputNames, plainInput, plainSelect, ROW, VIOLATIONS } from "./select.ts";

/** What the contract's check found. */
export interface CheckedRecords {
  read: number;
  clean: number;
  rejected: number;
  /**
   * Parquet with a line for each refused row, in the order of the file: `row`, `member`, `header`, `text` (the row as it
   * was), `cells` (null if it has none), `violations` (all of them: `column`, `reason`, `value`). null if there are none.
   */
  file: string | null;
  /** Of the first member that has one. */
  header: string[];
  found: Found;
}

/** Records and where the contract's columns are in them. */
export interface PlacedRecords {
  records: Records;
  placed: Placed;
}

/**
 * Checks a file's rows by a contract: the clean ones become the view `input`, the others a Parquet file in `folder`. The
 * contract's rules must have been looked at (checkExpression). Throws Unreadable where no row could be right.
 */
export async function checkRecords(
  connection: DuckDBConnection,
  folder: string,
  records: Records[],
  contract: Contract,
): Promise<CheckedRecords> {
  const [first] = records;
  if (first === undefined) throw new Unreadable("The file holds no rows.");
  const all = records.map((each) => ({
    records: each,
    placed: inMember(each, () => placeColumns(contract, each.header, each.preamble)),
  }));
  for (const { records: each, placed } of all) await checkConstants(connection, contract, each, placed);

  const checkedFile = join(folder, "checked.parquet");
  const from = `read_parquet(${sqlText(checkedFile)})`;
  const selects: string[] = [];
  const clean: string[] = [];
  let unchecked = 0;
  for (const { records: each, placed } of all) {
    selects.push(carefulSelect(contract, each, placed));
    if (each.plain === null) continue;
    const withPlain = { ...each, plain: each.plain };
    if (each.plain.plan.numbered) selects.push(plainSelect(contract, withPlain, placed));
    else {
      clean.push(plainInput(contract, withPlain, placed));
      unchecked += each.plain.rows;
    }
  }
  await connection.run(
    `COPY (${selects.join("\nUNION ALL ")}) TO ${sqlText(checkedFile)} (FORMAT parquet, COMPRESSION lz4)`,
  );
  const [counts] = await query(
    connection,
    `SELECT count(*)::DOUBLE AS "all", count(${sqlName(VIOLATIONS)})::DOUBLE AS broken FROM ${from}`,
  );
  const { all: checked, broken } = z.object({ all: z.number(), broken: z.number() }).parse(counts);
  const good = records.reduce((sum, each) => sum + each.good, 0);
  if (checked + unchecked !== good)
    throw new Error(
      `The engine read ${checked + unchecked} rows of ${good}; this is a fault of Cais, please report it.`,
    );

  const duplicates = duplicatesSql(contract, from, all);
  const doubled = duplicates === undefined ? 0 : await makeDuplicates(connection, duplicates);
  const notDoubled = doubled === 0 ? "" : `AND ${sqlName(ROW)} NOT IN (SELECT ${sqlName(ROW)} FROM duplicates)`;
  clean.push(`SELECT ${inputNames(contract)} FROM ${from} WHERE ${sqlName(VIOLATIONS)} IS NULL ${notDoubled}`);
  await connection.run(`CREATE TEMP VIEW input AS ${clean.join("\nUNION ALL ")}`);

  const refused = records.reduce((sum, each) => sum + each.refused, 0);
  const rejected = broken + doubled + refused;
  const brokenRows = `SELECT ${sqlName(ROW)}, ${sqlName(VIOLATIONS)} FROM ${from} WHERE ${sqlName(VIOLATIONS)} IS NOT NULL
    ${doubled === 0 ? "" : `UNION ALL SELECT ${sqlName(ROW)}, ${sqlName(VIOLATIONS)} FROM duplicates`}`;
  return {
    read: good + refused,
    clean: good - broken - doubled,
    rejected,
    file: rejected === 0 ? null : await writeRejected(connection, folder, records, brokenRows, broken + doubled),
    header: first.header,
    found: first.found,
  };
}

async function makeDuplicates(connection: DuckDBConnection, select: string): Promise<number> {
  await connection.run(`CREATE TEMP TABLE duplicates AS ${select}`);
  const [row] = await query(connection, "SELECT count(*)::DOUBLE AS rows FROM duplicates");
  return z.number().parse(row?.["rows"]);
}

/** A value before the header is every row's: one that is not as demanded makes the whole file unreadable. */
async function checkConstants(
  connection: DuckDBConnection,
  contract: Contract,
  records: Records,
  placed: Placed,
): Promise<void> {
  const select = constantsSelect(contract, placed);
  if (select === undefined) return;
  const Violation = z.object({ column: z.string(), reason: z.string(), value: z.string().nullable() });
  const [violation] = (await query(connection, select)).map((row) => Violation.parse(row));
  if (violation === undefined) return;
  const { column, reason, value } = violation;
  const from = contract.columns.find(({ name }) => name === column)?.from;
  const label = typeof from === "object" ? from.preamble : column;
  inMember(records, () => {
    throw new Unreadable(`The value of "${label}" before the header ${reason}: "${value ?? ""}".`);
  });
}

/** Says in which member of a zip it is. */
function inMember<T>({ member }: Records, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Unreadable && member !== null)
      throw new Unreadable(`In "${member}": ${error.message}`, { cause: error });
    throw error;
  }
}
