import { Contract } from "@cais/spec/contract.ts";
import { Stack, Table } from "@cais/spec/stack.ts";
import { expect, it } from "vitest";
import type { z } from "zod";
import { dryRun } from "./dry-run.ts";

const stack = (rules: string[] = []) =>
  Stack.parse({
    name: "sales",
    owner: "shop",
    environments: ["dev"],
    source: { upload: {} },
    contract: {
      columns: [
        { name: "day", type: "date" },
        { name: "amount", type: "double" },
      ],
      rules: rules.map((check) => ({ check, reason: "no" })),
    },
    tables: [
      { name: "sales", layer: "silver", sql: "sales.sql", disposition: "append" },
      { name: "by_day", layer: "gold", sql: "by_day.sql", disposition: "replace" },
    ],
  });
const sql = {
  "sales.sql": "SELECT * FROM input;\n",
  "by_day.sql": "SELECT day, sum(amount) AS sum FROM sales GROUP BY day",
};

it("finds nothing in SQL that a run gets past", async () => {
  expect(await dryRun(stack(["amount < 1000", "day > DATE '2020-01-01'"]), sql)).toEqual([]);
});

it("knows every type, and the columns that are kept without being named", async () => {
  const { contract, ...rest } = stack();
  const columns = [
    ...contract.columns,
    ...Contract.parse({ columns: [{ name: "price", type: "decimal", scale: 3 }] }).columns,
  ];
  const kept = { ...rest, contract: { ...contract, columns, unknownColumns: "keep" as const } };
  const select = "SELECT day, amount, price::DECIMAL(18, 3) AS p, unknown_columns['x'] || 'y' AS x FROM input";
  expect(await dryRun(kept, { ...sql, "sales.sql": select })).toEqual([]);
  const [mistake] = await dryRun(stack(), { ...sql, "sales.sql": "SELECT unknown_columns AS day FROM input" });
  expect(mistake?.message).toMatch(/^Binder Error: Referenced column "unknown_columns" not found/);
});

it("knows what a bronze table has beside the rows", async () => {
  const { tables, ...rest } = stack();
  const bronze = Stack.parse({ ...rest, tables: [{ name: "received", layer: "bronze" }, ...tables] });
  const from = (select: string) => dryRun(bronze, { ...sql, "sales.sql": select });
  const added = "_file || coalesce(_member, '') || _run AS file, _row + 1 AS row, _received_at::DATE AS day";
  expect(await from(`SELECT ${added} FROM received`)).toEqual([
    { table: 2, line: 1, message: expect.any(String) as string },
  ]);
  expect(await from(`SELECT ${added}, amount FROM received`)).toEqual([]);
  expect(await from("SELECT _file AS day, amount FROM input")).toMatchObject([{ table: 1 }]);
});

it("finds a rule that names no column or does not parse", async () => {
  const mistakes = await dryRun(stack(["amont < 1", "amount < = 1", "amount < 1"]), sql);
  expect(mistakes.map(({ rule }) => rule)).toEqual([0, 1]);
  expect(mistakes[0]?.message).toMatch(/^Binder Error: Referenced column "amont" not found/);
  expect(mistakes[0]?.message).not.toContain("LINE");
  expect(mistakes[1]?.message).toContain("must be one SQL expression over the columns");
});

it.each([
  ["a misspelt word", "SELEC day FROM input", 1, /must be one SELECT statement/],
  ["a misspelt column, with its line", "SELECT day,\n  amont\nFROM input", 2, /Referenced column "amont" not found/],
  ["a table that is not there", "SELECT * FROM sale", 1, /sale/],
  ["a table that comes later", "SELECT * FROM by_day", 1, /by_day/],
  ["a file", "SELECT * FROM read_csv('/etc/passwd')", 1, /read_csv/],
  ["a file by its name", "SELECT * FROM '/etc/passwd'", 1, /passwd/],
])("finds %s", async (_, text, line, message) => {
  const mistakes = await dryRun(stack(), { ...sql, "sales.sql": text });
  expect(mistakes).toEqual([{ table: 0, line, message: expect.stringMatching(message) as string }]);
});

it("looks at no table that may read one that cannot be made", async () => {
  const mistakes = await dryRun(stack(), { "sales.sql": "SELECT nothing FROM input", "by_day.sql": "SELEC" });
  expect(mistakes.map(({ table }) => table)).toEqual([0]);
});

/** A stack with these tables. */
const withTables = (tables: z.input<typeof Stack>["tables"]) => ({
  ...stack(),
  tables: tables.map((table) => Table.parse(table)),
});

it("knows the table of rows as received, and what it says of them", async () => {
  const tables = withTables([
    { name: "received", layer: "bronze", partitionBy: ["day"] },
    { name: "sales", layer: "silver", sql: "sales.sql", disposition: "append" },
  ]);
  const select = "SELECT day, amount, _file, _member, _row + 1 AS row, _run, _received_at::DATE AS at FROM received";
  expect(await dryRun(tables, { "sales.sql": select })).toEqual([]);
});

it("finds columns of keys and partitions that are not there, or cannot be such", async () => {
  const tables = withTables([
    {
      name: "sales",
      layer: "silver",
      sql: "sales.sql",
      disposition: "merge",
      key: ["day", "nr"],
      partitionBy: ["dya"],
    },
    { name: "list", layer: "gold", sql: "list.sql", disposition: "replace", partitionBy: ["l"] },
    { name: "days", layer: "gold", sql: "days.sql", disposition: "replace", partitionBy: ["day"] },
    { name: "waits", layer: "gold", sql: "waits.sql", disposition: "replace" },
  ]);
  const texts = {
    "sales.sql": "SELECT * FROM input",
    "list.sql": "SELECT [1] AS l, 1 AS n",
    "days.sql": "SELECT DISTINCT day FROM sales",
    "waits.sql": "SELECT INTERVAL 1 DAY AS wait",
  };
  expect(await dryRun(tables, texts)).toEqual([
    { table: 0, line: 1, path: ["tables", 0, "key", 1], message: 'the table has no column "nr"' },
    {
      table: 0,
      line: 1,
      path: ["tables", 0, "partitionBy", 0],
      message: 'the table has no column "dya"; did you mean "day"?',
    },
    {
      table: 1,
      line: 1,
      path: ["tables", 1, "partitionBy", 0],
      message: '"l" is INTEGER[], of several values; name a column of one',
    },
    {
      table: 2,
      line: 1,
      path: ["tables", 2, "partitionBy"],
      message: "The table is partitioned by all of its columns; leave one out of partitionBy.",
    },
    {
      table: 3,
      line: 1,
      message:
        'Column "wait" is INTERVAL, which Delta tables do not have; write a number of days or seconds, such as epoch(x) in the SQL.',
    },
  ]);
});

it("finds columns of a database's key that the table has not", async () => {
  const database = { table: "by_day", url: { secret: "url" } };
  const sinks = [
    { database: { ...database, to: "a", key: ["day"] } },
    { database: { ...database, to: "b" } },
    { database: { ...database, to: "c", key: ["day", "summ"] } },
  ];
  expect(await dryRun(Stack.parse({ ...stack(), sinks }), sql)).toEqual([
    {
      table: 1,
      line: 1,
      path: ["sinks", 2, "database", "key", 1],
      message: 'the table has no column "summ"; did you mean "sum"?',
    },
  ]);
});

it("finds a table that would add what is new in two others", async () => {
  const tables = withTables([
    { name: "received", layer: "bronze" },
    { name: "sales", layer: "silver", sql: "sales.sql", disposition: "append" },
    { name: "both", layer: "silver", sql: "both.sql", disposition: "merge", key: ["day"] },
  ]);
  const texts = { "sales.sql": "FROM received" };
  const [mistake, ...others] = await dryRun(tables, {
    ...texts,
    "both.sql": "SELECT sales.day FROM sales JOIN received USING (day)",
  });
  expect(others).toEqual([]);
  expect(mistake).toEqual({
    table: 2,
    line: 1,
    message:
      "It adds to its table what is new in received and sales, but can only tell what is new in one of them; read the others from a table that is replaced, or let this one be replaced.",
  });
  expect(
    await dryRun(tables, {
      ...texts,
      "both.sql": "SELECT input.* FROM input JOIN sales USING (day) JOIN received USING (day)",
    }),
  ).toEqual([]);
});
