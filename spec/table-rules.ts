import { z } from "zod";
import { type ReadableContract, reportTwice } from "./contract-rules.ts";

const text = z.string().optional().catch(undefined);
const names = z.array(text).catch([]);

/** As much of a table as can be read. */
export const ReadableTable = z.object({
  name: text,
  layer: text,
  sql: text,
  disposition: text,
  key: names,
  partitionBy: names,
  replace: text,
});
type ReadableTable = z.output<typeof ReadableTable>;

/** What a bronze table says of each row beside the contract's columns. */
export const receivedColumns = ["_file", "_member", "_row", "_run", "_received_at"] as const;

/** Names that no table may have, with why. */
const takenNames: Record<string, string> = {
  input: "`input` is what SQL calls the rows of a run; choose another name",
  contributions: "the lake has a folder of this name for merged tables; choose another name",
  deliveries: "the lake has a folder of this name for sinks; choose another name",
};

type Report = (path: (string | number)[], message: string) => void;

/** The rules of tables that span keys. */
export function checkTables(tables: ReadableTable[], contract: ReadableContract, report: Report): void {
  reportTwice(
    tables.map(({ name }) => name),
    (i) => ["tables", i, "name"],
    report,
  );
  tables.forEach((table, i) => {
    const taken = table.name === undefined ? undefined : takenNames[table.name.toLowerCase()];
    if (taken !== undefined) report(["tables", i, "name"], taken);
    if (table.layer === "bronze") checkBronze(table, i, contract, report);
    else checkMade(table, i, report);
    for (const key of ["key", "partitionBy"] as const) reportTwice(table[key], (j) => ["tables", i, key, j], report);
  });
}

function checkBronze(
  { name, ...table }: ReadableTable,
  i: number,
  { columns }: ReadableContract,
  report: Report,
): void {
  const at = (key: string) => ["tables", i, key];
  if (i > 0) report(at("layer"), "a bronze table is what was received: there is at most one, and it comes first");
  if (table.sql !== undefined) report(at("sql"), "a bronze table has no SQL; leave it out, or say silver");
  if (table.disposition !== undefined && table.disposition !== "append")
    report(at("disposition"), `a bronze table is always appended, found "${table.disposition}"; leave it out`);
  if (table.key.length > 0)
    report(at("key"), "is for merged tables only, and a bronze table is appended; leave it out");
  if (table.replace !== undefined && table.replace !== "table")
    report(at("replace"), "is for replaced tables only, and a bronze table is appended; leave it out");
  columns.forEach((column, j) => {
    if (receivedColumns.some((received) => received === column.name?.toLowerCase()))
      report(["contract", "columns", j, "name"], `the bronze table ${name ?? ""} has a column of its own by this name`);
  });
}

function checkMade(table: ReadableTable, i: number, report: Report): void {
  const at = (key: string) => ["tables", i, key];
  const { disposition } = table;
  if (table.layer !== undefined && table.sql === undefined)
    report(["tables", i], "`sql` is missing; expected the name of a .sql file in the stack's folder");
  if (table.layer !== undefined && disposition === undefined)
    report(["tables", i], "`disposition` is missing; expected append, replace or merge");
  if (disposition === "merge" && table.key.length === 0)
    report(at("disposition"), "merge needs `key`: the columns that tell the table's rows apart");
  if (disposition !== undefined && disposition !== "merge" && table.key.length > 0)
    report(at("key"), `is for merged tables only, and this one is "${disposition}"; leave it out, or say merge`);
  if (table.replace !== "partitions") return;
  if (disposition !== undefined && disposition !== "replace")
    report(at("replace"), `is for replaced tables only, and this one is "${disposition}"; leave it out`);
  if (table.partitionBy.length === 0)
    report(at("replace"), "partitions needs `partitionBy`: the columns whose values are replaced together");
}
