import { mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDuckDB } from "./duckdb.ts";
import { wholeBecause } from "./row-wise.ts";

let folder: string;
let instance: DuckDBInstance;
let connection: DuckDBConnection;
beforeAll(async () => {
  await mkdir(resolve(".cais/tests"), { recursive: true });
  folder = await realpath(await mkdtemp(resolve(".cais/tests/row-wise-")));
  ({ instance, connection } = await openDuckDB(join(folder), { memoryBytes: 200e6, tempBytes: 1e6, threads: 1 }));
  await connection.run(
    `CREATE VIEW whole AS SELECT range AS n, 'word ' || (range % 7) AS word, [range, range + 1] AS list,
       {'a': range} AS s, DATE '2024-01-01' + range::INTEGER AS day FROM range(100)`,
  );
});
afterAll(async () => {
  connection.closeSync();
  instance.closeSync();
  await rm(folder, { recursive: true });
});

const rowsOf = async (sql: string, of: string): Promise<string[]> =>
  (await connection.runAndReadAll(`SELECT t::VARCHAR FROM (${sql.replaceAll("whole", of)}) AS t`))
    .getRows()
    .map(String);

describe("SQL that looks at one row at a time", () => {
  it.each([
    "SELECT * FROM whole",
    "FROM whole",
    "SELECT * EXCLUDE (list), n + 1 AS m FROM whole AS w WHERE w.n % 3 = 0 AND word <> 'word 1'",
    "SELECT n, unnest(list) AS one FROM whole",
    "SELECT COLUMNS('n|word') FROM whole WHERE n BETWEEN 10 AND 60 OR word IN ('word 2', 'word 3')",
    "SELECT CASE WHEN n > 5 THEN upper(word) ELSE trim(word) END AS x, s.a, list[1], n::DECIMAL(9,2) FROM whole",
    "SELECT list_transform(list, lambda x: x * 2) AS l, regexp_extract(word, '\\d') AS d, day + INTERVAL 1 DAY AS d2 FROM whole",
    "SELECT coalesce(nullif(word, 'word 1'), 'none') COLLATE nocase AS w, date_trunc('month', day) AS m, strftime(day, '%Y') FROM whole;",
  ])("gives for new rows what a table grows by: %s", async (sql) => {
    expect(await wholeBecause(connection, sql)).toBeNull();
    const select = sql.replace(/;$/, "");
    const parts = ["(FROM whole WHERE n < 40)", "(FROM whole WHERE n BETWEEN 40 AND 41)", "(FROM whole WHERE n > 41)"];
    const grown: string[] = [];
    for (const [index, part] of parts.entries()) {
      await connection.run(`CREATE OR REPLACE TEMP VIEW part${index} AS ${part}`);
      grown.push(...(await rowsOf(select, `part${index}`)));
    }
    expect(grown).toEqual(await rowsOf(select, "whole"));
  });
});

it.each([
  ["SELECT sum(n) FROM whole", "sum()"],
  ["SELECT word, count(*) FROM whole GROUP BY word", "GROUP BY"],
  ["SELECT word FROM whole GROUP BY ALL", "GROUP BY"],
  ["SELECT count(*) FILTER (n > 1) FROM whole", "count_star()"],
  ["SELECT max(n) OVER () FROM whole", "a window"],
  ["SELECT row_number() OVER (ORDER BY n) FROM whole", "a window"],
  ["SELECT n FROM whole QUALIFY n > 1", "QUALIFY"],
  ["SELECT n FROM whole HAVING n > 1", "HAVING"],
  ["SELECT DISTINCT word FROM whole", "DISTINCT"],
  ["SELECT DISTINCT ON (word) n FROM whole", "DISTINCT"],
  ["SELECT n FROM whole LIMIT 10", "LIMIT"],
  ["SELECT n FROM whole ORDER BY n", "ORDER BY"],
  ["SELECT n FROM whole JOIN other USING (n)", "a join"],
  ["SELECT n FROM whole, unnest(list)", "a join"],
  ["SELECT n FROM whole UNION ALL SELECT n FROM whole", "a set operation"],
  ["SELECT n FROM (SELECT n FROM whole)", "a subquery"],
  ["SELECT n FROM whole WHERE n = (SELECT max(n) FROM whole)", "a subquery"],
  ["SELECT n FROM whole WHERE n IN (FROM other)", "a subquery"],
  ["WITH w AS (FROM whole) SELECT n FROM w", "WITH"],
  ["SELECT n FROM whole USING SAMPLE 10", "a sample"],
  ["SELECT n FROM whole TABLESAMPLE 10%", "a sample"],
  ["SELECT random() FROM whole", "random()"],
  ["SELECT uuid() FROM whole", "uuid()"],
  ["SELECT n, now() FROM whole", "now()"],
  ["SELECT n, current_date FROM whole", "current_date"],
  ["SELECT n, today() FROM whole WHERE day < today()", "today()"],
  ["SELECT n, current_localtimestamp() FROM whole", "current_localtimestamp()"],
  ["SELECT n, year(current_localtime()::TIMESTAMP) FROM whole", "current_localtime()"],
  ["SELECT date_part('year', age(day)) FROM whole", "age()"],
  ["SELECT rowid FROM whole", "rowid"],
  ["SELECT * FROM range(3)", "a function as a table"],
  ["SELECT 1", "no table"],
  ["VALUES (1)", "VALUES"],
  ["SELEC n", "it is refused"],
])("says why SQL must see all rows: %s", async (sql, why) => {
  expect(await wholeBecause(connection, sql)).toBe(why);
});
