import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { z } from "zod";
import { checkSql, placeColumns, ROW, VIOLATIONS } from "../contract/check.ts";
import { splitRecords } from "../formats/csv/split.ts";
import { query } from "./duckdb.ts";
import type { Checked, Request } from "./messages.ts";
import { sqlName, sqlText } from "./quote.ts";
import { about, checkExpression } from "./select.ts";

/** Reads a CSV file by its contract: the clean rows become the view `input`, the others a Parquet file. */
export async function checkContract(
  connection: DuckDBConnection,
  { folder, file, contract }: Extract<Request, { do: "contract" }>,
): Promise<Checked> {
  for (const [index, { check }] of contract.rules.entries())
    await about(`Rule ${index + 1} of the contract`, () => checkExpression(connection, check));
  const records = join(folder, "records.csv");
  const refused = join(folder, "refused.csv");
  const checked = join(folder, "checked.parquet");
  const rejectedFile = join(folder, "rejected.parquet");
  const { header, good, refused: misshapen, hasLineBreaks } = await splitRecords(file, records, refused);
  const places = placeColumns(contract.columns, header);
  await connection.run(
    `COPY (${checkSql(records, contract, places, header.length, hasLineBreaks)}) TO ${sqlText(checked)} (FORMAT parquet, COMPRESSION lz4)`,
  );
  const from = `read_parquet(${sqlText(checked)})`;
  const [counts] = await query(
    connection,
    `SELECT count(*)::INTEGER AS "all", count(${sqlName(VIOLATIONS)})::INTEGER AS broken FROM ${from}`,
  );
  const { all, broken } = z.object({ all: z.number(), broken: z.number() }).parse(counts);
  if (all !== good)
    throw new Error(`The engine read ${all} rows of ${good}; this is a fault of Cais, please report it.`);
  const columns = contract.columns.map(({ name }) => sqlName(name)).join(", ");
  await connection.run(`CREATE TEMP VIEW input AS SELECT ${columns} FROM ${from} WHERE ${sqlName(VIOLATIONS)} IS NULL`);
  const rejected = broken + misshapen;
  if (rejected > 0)
    await connection.run(
      `COPY (
         SELECT "row", "column", reason, value FROM (
           SELECT ${sqlName(ROW)} AS "row", position, unnest(violation)
           FROM (SELECT ${sqlName(ROW)}, unnest(violations) AS violation, generate_subscripts(violations, 1) AS position
                 FROM (SELECT ${sqlName(ROW)}, ${sqlName(VIOLATIONS)} AS violations FROM ${from} WHERE violations IS NOT NULL))
           UNION ALL
           SELECT "row", 1, NULL, reason, value FROM read_csv(${sqlText(refused)}, auto_detect = false, header = false, delim = ',',
           quote = '"', escape = '"', parallel = false, columns = {'row': 'BIGINT', 'reason': 'VARCHAR', 'value': 'VARCHAR'})
         ) ORDER BY "row", position
       ) TO ${sqlText(rejectedFile)} (FORMAT parquet, COMPRESSION zstd)`,
    );
  return {
    read: all + misshapen,
    clean: all - broken,
    rejected,
    file: rejected > 0 ? rejectedFile : null,
    header,
    found: { format: "csv" },
  };
}
