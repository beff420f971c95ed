import { Contract } from "@cais/spec/contract.ts";
import { Stack } from "@cais/spec/stack.ts";
import { expect, it } from "vitest";
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
