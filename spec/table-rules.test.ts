import { expect, it } from "vitest";
import { crossCheck } from "./cross-check.ts";

const columns = [
  { name: "day", type: "date" },
  { name: "_Row", type: "integer" },
];

/** What is wrong with tables, as `path: message`. */
const problems = (tables: object[], contract: object = { columns: [columns[0]] }) =>
  crossCheck({ tables, contract }).map(({ path, message }) => `${path.join(".")}: ${message}`);

const silver = { name: "t", layer: "silver", sql: "t.sql" };
const bronze = { name: "received", layer: "bronze" };

it.each([
  [[bronze, { ...silver, disposition: "append" }]],
  [[{ ...bronze, disposition: "append", partitionBy: ["_run"] }]],
  [[{ ...silver, disposition: "merge", key: ["a", "b"], partitionBy: ["b"] }]],
  [[{ ...silver, disposition: "replace", replace: "partitions", partitionBy: ["a"] }]],
  [[{ ...silver, disposition: "replace", replace: "table" }]],
])("takes %j", (tables) => {
  expect(problems(tables)).toEqual([]);
});

it.each([
  [
    { ...silver, name: "Input", disposition: "append" },
    ["name: `input` is what SQL calls the rows of a run; choose another name"],
  ],
  [
    { ...silver, name: "Contributions", disposition: "append" },
    ["name: the lake has a folder of this name for merged tables; choose another name"],
  ],
  [
    { ...silver, name: "deliveries", disposition: "append" },
    ["name: the lake has a folder of this name for sinks; choose another name"],
  ],
  [
    { ...silver, disposition: "merge" },
    ["disposition: merge needs `key`: the columns that tell the table's rows apart"],
  ],
  [
    { ...silver, disposition: "append", key: ["a"] },
    ['key: is for merged tables only, and this one is "append"; leave it out, or say merge'],
  ],
  [{ ...silver, disposition: "merge", key: ["a", "A"] }, ['key.1: "A" is there already, as number 1']],
  [{ ...silver, disposition: "append", partitionBy: ["a", "a"] }, ['partitionBy.1: "a" is there already, as number 1']],
  [
    { ...silver, disposition: "append", replace: "partitions" },
    [
      'replace: is for replaced tables only, and this one is "append"; leave it out',
      "replace: partitions needs `partitionBy`: the columns whose values are replaced together",
    ],
  ],
  [{ ...bronze, sql: "t.sql" }, ["sql: a bronze table has no SQL; leave it out, or say silver"]],
  [
    { ...bronze, disposition: "merge" },
    ['disposition: a bronze table is always appended, found "merge"; leave it out'],
  ],
  [{ ...bronze, key: ["a"] }, ["key: is for merged tables only, and a bronze table is appended; leave it out"]],
  [
    { ...bronze, replace: "partitions" },
    ["replace: is for replaced tables only, and a bronze table is appended; leave it out"],
  ],
])("finds what is wrong with %j", (table, expected) => {
  expect(problems([table])).toEqual(expected.map((problem) => `tables.0.${problem}`));
});

it("misses what silver and gold must say", () => {
  expect(problems([{ name: "t", layer: "gold" }])).toEqual([
    "tables.0: `sql` is missing; expected the name of a .sql file in the stack's folder",
    "tables.0: `disposition` is missing; expected append, replace or merge",
  ]);
});

it("wants one bronze table, the first one, with names of its own", () => {
  const tables = [{ ...silver, disposition: "append" }, bronze];
  expect(problems(tables, { columns })).toEqual([
    "tables.1.layer: a bronze table is what was received: there is at most one, and it comes first",
    "contract.columns.1.name: the bronze table received has a column of its own by this name",
  ]);
  expect(problems([tables[0] ?? {}], { columns })).toEqual([]);
});
