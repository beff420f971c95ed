import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import type { Contract } from "@cais/spec/contract.ts";
import { z } from "zod";
import { query } from "../engine/duckdb.ts";
import type { Received } from "../engine/messages.ts";
import { sqlName, sqlText } from "../engine/quote.ts";
import { type Placed, placeColumns } from "./columns.ts";
import { duplicatesSql } from "./duplicates.ts";
import { personal, protectedSql } from "./pii.ts";
import { type Found, type Records, Unreadable } from "./records.ts";
import { writeRejected } from "./rejected.ts";
import type { SmallChecks } from "./small.ts";
import {
  carefulSelect,
  constantsSelect,
  inputNames,
  plainInput,
  plainSelect,
  RECEIVED,
  ROW,
  rowGroupSql,
  UNKNOWN,
  VIOLATIONS,
} from "./select.ts";

/** What the contract's check found. */
export interface CheckedRecords {
  read: number;
  clean: number;
  rejected: number;
  /**
   * Parquet with a line for each refused row, in the order of the file: `row`, `member`, `header`, `preamble` (JSON), `text` (the row as it
   * was), `cells` (null if it has none), `violations` (all of them: `column`, `reason`, `value`). null if there are none.
   */
  file: string | null;
  /** Of the first member that has one. */
  header: string[];
  found: Found;
}

export interface CheckOptions {
  /** Checks a small file in memory; then `input` is there until the next one is. */
  small?: SmallChecks | undefined;
  /** Makes a view of the clean rows with what a bronze table says of each. All plain rows must have their numbers. */
  received?: Received | undefined;
  /** The key of columns that are hashed. */
  piiKey?: string | undefined;
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
  { small, received, piiKey }: CheckOptions = {},
): Promise<CheckedRecords> {
  const [first] = records;
  if (first === undefined) throw new Unreadable("The file holds no rows.");
  const all = records.map((each) => ({
    records: each,
    placed: inMember(each, () => placeColumns(contract, each.header, each.preamble)),
  }));
  for (const { records: each, placed } of all) await checkConstants(connection, contract, each, placed);
  const names = inputNames(contract);

  const good = records.reduce((sum, each) => sum + each.good, 0);
  const refused = records.reduce((sum, each) => sum + each.refused, 0);
  const plain = all.flatMap(({ records: { plain, ...each }, placed }) =>
    plain === null ? [] : [{ records: { ...each, plain }, placed, numbered: plain.plan.numbered }],
  );

  const places = all.map(({ placed }) => placed);
  const held = await small?.hold(records, contract, places);
  const careful = () =>
    all.map(({ records: each, placed }) => carefulSelect(contract, each, placed)).join("\nUNION ALL ");
  const sizes = {
    good,
    longBytes: records.reduce((sum, { longBytes }) => sum + longBytes, 0),
  };
  const checked =
    held?.checked ?? (await written(connection, join(folder, "checked.parquet"), careful(), rowGroupSql(sizes)));
  const [counts] = await query(
    connection,
    `SELECT count(*)::DOUBLE AS "all", count(${violations})::DOUBLE AS broken FROM ${checked}`,
  );
  const { all: read, broken: brokenRows } = z.object({ all: z.number(), broken: z.number() }).parse(counts);
  const expected = good - plain.reduce((sum, { records: each }) => sum + each.plain.rows, 0);
  if (read !== expected)
    throw new Error(`The engine read ${read} rows of ${expected}; this is a fault of Cais, please report it.`);
  const clean = `SELECT ${row}, ${names} FROM ${checked} WHERE ${violations} IS NULL`;

  // What bytes did not show of plain rows is asked of them all, and only those that violate it are written.
  const broken = [`SELECT ${row}, ${violations} FROM ${checked} WHERE ${violations} IS NOT NULL`];
  const asked = plain.filter(({ records: each }) => each.plain.plan.asked);
  let plainBroken = 0;
  if (asked.length > 0) {
    const select = asked.map(({ records: each, placed }) => plainSelect(contract, each, placed)).join("\nUNION ALL ");
    const file = join(folder, "broken.parquet");
    broken.push(
      `SELECT * FROM ${await written(connection, file, `SELECT ${row}, ${violations} FROM (${select}) WHERE ${violations} IS NOT NULL`)}`,
    );
    plainBroken = await countOf(connection, `read_parquet(${sqlText(file)})`);
  }
  // An ANTI JOIN would say the same, but the engine takes the file, whose length it cannot know, for its smaller side.
  const without = (select: string, relation: string) =>
    `SELECT * FROM (${select}) WHERE ${row} NOT IN (SELECT ${row} FROM ${relation})`;
  const numbered = plain
    .filter(({ numbered }) => numbered)
    .map(({ records: each, placed }) => plainInput(contract, each, placed))
    .map((select) => (plainBroken === 0 ? select : without(select, `(${broken[1]})`)));
  const candidates = [...numbered, clean].join("\nUNION ALL ");

  const duplicates = duplicatesSql(contract, `(${candidates})`, all);
  let doubled = 0;
  if (duplicates !== undefined) {
    const file = join(folder, "duplicates.parquet");
    broken.push(`SELECT * FROM ${await written(connection, file, duplicates)}`);
    doubled = await countOf(connection, `read_parquet(${sqlText(file)})`);
  }
  const single = doubled === 0 ? candidates : without(candidates, `(${broken.at(-1)})`);
  const unnumbered = plain
    .filter(({ numbered }) => !numbered)
    .map(({ records: each, placed }) => plainInput(contract, each, placed));
  const seen = [
    ...protectedSql(contract, piiKey),
    ...(contract.unknownColumns === "keep" ? [sqlName(UNKNOWN)] : []),
  ].join(", ");
  const rows = [...unnumbered, `SELECT ${names} FROM (${single})`].join("\nUNION ALL ");
  await connection.run(`CREATE TEMP VIEW input AS ${seen === names ? rows : `SELECT ${seen} FROM (${rows})`}`);

  if (received !== undefined)
    await connection.run(`CREATE TEMP VIEW ${sqlName(RECEIVED)} AS ${receivedSql(seen, single, records, received)}`);

  const violating = brokenRows + plainBroken + doubled;
  const rejected = violating + refused;
  const relation = violating === 0 ? undefined : `(${broken.join("\nUNION ALL ")})`;
  return {
    read: good + refused,
    clean: good - violating,
    rejected,
    file:
      rejected === 0
        ? null
        : await writeRejected(connection, folder, records, { broken: relation, count: rejected }, held?.rows),
    header: first.header,
    found: first.found,
  };
}

/** SQL for clean rows with where each came from, of SQL for them with their numbers. */
function receivedSql(names: string, rows: string, records: Records[], { file, run, receivedAt }: Received): string {
  const members = records.map(
    ({ member, memberIndex }) => `WHEN ${memberIndex} THEN ${member === null ? "NULL" : sqlText(member)}`,
  );
  const member = `${row} // ${MEMBER_SQL}`;
  return `SELECT ${names}, ${sqlText(file)} AS _file, (CASE ${member} ${members.join(" ")} END)::VARCHAR AS _member,
    ${row} % ${MEMBER_SQL} AS _row, ${sqlText(run)} AS _run, (TIMESTAMPTZ ${sqlText(receivedAt)} AT TIME ZONE 'UTC') AS _received_at
    FROM (${rows})`;
}

/** Rows of a member of a zip: `rowId` as SQL. */
const MEMBER_SQL = "(2::BIGINT ** 40)::BIGINT";

const row = sqlName(ROW);
const violations = sqlName(VIOLATIONS);

/** Writes a SELECT's rows to a file of the run, and gives SQL that reads them. */
async function written(
  connection: DuckDBConnection,
  file: string,
  select: string,
  groups = rowGroupSql({ good: 0, longBytes: 0 }),
): Promise<string> {
  await connection.run(`COPY (${select}) TO ${sqlText(file)} (FORMAT parquet, COMPRESSION lz4${groups})`);
  return `read_parquet(${sqlText(file)})`;
}

async function countOf(connection: DuckDBConnection, relation: string): Promise<number> {
  const [counted] = await query(connection, `SELECT count(*)::DOUBLE AS rows FROM ${relation}`);
  return z.number().parse(counted?.["rows"]);
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
  const told = personal(contract).has(column) ? "" : `: "${value ?? ""}"`;
  const from = contract.columns.find(({ name }) => name === column)?.from;
  const label = typeof from === "object" ? from.preamble : column;
  inMember(records, () => {
    throw new Unreadable(`The value of "${label}" before the header ${reason}${told}.`);
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
