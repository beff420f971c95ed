import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import { afterAll, beforeAll, expect, it } from "vitest";
import { testFolder } from "../processor-for-tests.ts";
import { guarded, unguarded } from "./editable.ts";
import { editable, mistakes, type Select } from "./index.ts";

let folder: string;
let connection: DuckDBConnection;
beforeAll(async () => {
  folder = await testFolder("rejected");
  connection = await (await DuckDBInstance.create()).connect();
});
afterAll(async () => {
  connection.closeSync();
  await rm(folder, { recursive: true });
});

/** Rejected rows as the contract's check keeps them, given as SQL tuples. */
async function rejected(...tuples: string[]): Promise<Select> {
  const file = join(folder, "rejected.parquet");
  await connection.run(
    `COPY (SELECT "row"::BIGINT AS "row", member::VARCHAR AS member, text::VARCHAR AS text, cells::VARCHAR[] AS cells,
        violations::STRUCT("column" VARCHAR, reason VARCHAR, value VARCHAR)[] AS violations, header::VARCHAR[] AS header
      FROM (VALUES ${tuples.join(", ")}) AS rejected ("row", member, text, cells, violations, header))
    TO '${file}' (FORMAT parquet)`,
  );
  return async function* (sql) {
    const result = await connection.stream(sql(`read_parquet('${file}')`));
    for await (const rows of result.yieldRows()) yield rows;
  };
}

/** Rows of which only the header can be read. */
const unreadable: Select = async function* (sql) {
  if (!sql("rows").includes("GROUP BY")) throw new Error("broken");
  yield [[null, null]];
};

const broken = (column: string, reason: string) => `{'column': ${column}, 'reason': '${reason}', 'value': 'x'}`;
const whole = async (select: Select) => (await Array.fromAsync(editable(select))).join("");

it("gives rows to edit under their own titles, and those without cells as text", async () => {
  const select = await rejected(
    `(3, NULL, '1;"a', NULL, [${broken("NULL", "has 2 cells, not 3")}], ['Data', 'Preço, R$', 'Data'])`,
    `(7, NULL, '...', ['=cmd()', NULL, ''], [${broken("'DAY'", "is no date")}, ${broken("'DAY'", "is odd")}], ['Data', 'Preço, R$', 'Data'])`,
  );
  expect(await whole(select)).toBe(
    [
      '\uFEFFcais row,cais reasons,cais text,Data,"Preço, R$",Data',
      '3,"has 2 cells, not 3","1;""a",,,',
      `7,DAY: is no date; DAY: is odd,,'=cmd(),,""`,
      "",
    ].join("\r\n"),
  );
});

it("gives nothing where the rows cannot be read", async () => {
  const given: string[] = [];
  await expect(async () => {
    for await (const piece of editable(unreadable)) given.push(piece);
  }).rejects.toThrow("broken");
  expect(given).toEqual([]);
});

it("puts the rows of members with other headers into one table", async () => {
  const select = await rejected(
    `(2, 'a.csv', 'x', ['1', '2'], [${broken("'b'", "is odd")}], ['a', 'b'])`,
    `(2, 'b.csv', 'x', ['3', '4'], [${broken("'b'", "is odd")}], ['b', '-c'])`,
  );
  expect(await whole(select)).toBe(
    [
      "\uFEFFcais row,cais member,cais reasons,cais text,a,b,'-c",
      "2,a.csv,b: is odd,,1,2,",
      "2,b.csv,b: is odd,,,3,4",
      "",
    ].join("\r\n"),
  );
});

it("tells every mistake of a row, with the beginning of the row", async () => {
  const select = await rejected(
    `(5, 'm', repeat('é', 1001), ['1'], [${broken("'a'", "one")}, ${broken("NULL", "two")}], ['a'])`,
    `(6, 'm', repeat('é', 1000), ['1'], [${broken("'a'", "one")}], ['a'])`,
  );
  const rows = (await Array.fromAsync(select((from) => `SELECT * FROM ${mistakes(from)}`))).flat();
  expect(rows).toEqual([
    [5n, "m", "a", "one", "x", `${"é".repeat(999)}…`],
    [5n, "m", null, "two", "x", `${"é".repeat(999)}…`],
    [6n, "m", "a", "one", "x", "é".repeat(1000)],
  ]);
});

it.each(["=1+1", "'=1", "''=1", "-9,9", "-9", "'", "'a", "@x", "\tx", "-a", "", "+1.5", "+1.5.5"])(
  "a cell that a spreadsheet would run comes back as it was: %j",
  (cell) => {
    expect(unguarded(guarded(cell))).toBe(cell);
    expect(guarded(cell)).not.toMatch(/^(?![+-]\d+([.,]\d+)?$)[=+\-@\t\r]/);
  },
);
