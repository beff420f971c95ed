import { expect, it } from "vitest";
import { crossCheck } from "./cross-check.ts";
import { kindOf, secretsOf, Sink, tableOf } from "./sinks.ts";
import { Stack } from "./stack.ts";

const stack = (...sinks: unknown[]) => ({
  name: "rain",
  owner: "weather",
  environments: ["dev"],
  source: { upload: {} },
  contract: { columns: [{ name: "day", type: "date" }] },
  tables: [{ name: "rain", layer: "silver", sql: "clean.sql", disposition: "append" }],
  sinks,
});
const webhook = { webhook: { url: { secret: "hook-url" }, secret: { secret: "hook-key" } } };

it("fills in what a sink is given, and parses that to itself", () => {
  const { sinks } = Stack.parse(stack({ csv: { table: "rain", to: "out/rain.csv" } }, webhook));
  expect(sinks).toEqual([
    { csv: { table: "rain", to: "out/rain.csv", delimiter: ",", decimal: ".", per: "table" } },
    { webhook: { ...webhook.webhook, on: ["done", "failed", "quarantined"] } },
  ]);
  expect(sinks.map((sink) => Sink.parse(sink))).toEqual(sinks);
  expect(sinks.map(kindOf)).toEqual(["csv", "webhook"]);
  expect(sinks.map(tableOf)).toEqual(["rain", undefined]);
});

it.each([
  [{}, ["sinks", 0], "has no kind; give it one, such as csv"],
  [
    { csv: { table: "rain", to: "a.csv" }, parquet: { table: "rain", to: "a.parquet" } },
    ["sinks", 0, "parquet"],
    "is a second kind; give each sink an item of the list",
  ],
  [
    { csv: { table: "rain", to: "a.csv", decimal: "," } },
    ["sinks", 0, "csv", "decimal"],
    'a comma in numbers needs another one between cells, such as delimiter: ";"',
  ],
  [{ parquet: { table: "snow", to: "a" } }, ["sinks", 0, "parquet", "table"], 'no table "snow"; there is rain'],
])("refuses %j", (sink, path, message) => {
  expect(crossCheck(stack(sink))).toEqual([{ path, message }]);
  expect(Stack.safeParse(stack(sink)).success).toBe(false);
});

it("refuses two sinks of one key, whatever their kinds", () => {
  const two = stack({ csv: { table: "rain", to: "out/rain" } }, { parquet: { table: "rain", to: "out/rain" } });
  expect(crossCheck(two)).toMatchObject([{ path: ["sinks", 1, "parquet", "to"] }]);
});

it.each([
  ["a secret in the open", { webhook: { ...webhook.webhook, url: "https://hook.test" } }],
  ["a name that is no secret's", { webhook: { ...webhook.webhook, url: { secret: "Hook URL" } } }],
  ["more than the name", { webhook: { ...webhook.webhook, url: { secret: "hook-url", value: "x" } } }],
  ["an ending that there is not", { webhook: { ...webhook.webhook, on: ["ended"] } }],
  ["none at all", { webhook: { ...webhook.webhook, on: [] } }],
  ["a key that leaves no room for a run's id", { csv: { table: "rain", to: "x".repeat(481) } }],
  ["another delimiter", { csv: { table: "rain", to: "a.csv", delimiter: "x" } }],
  ["a kind that there is not", { ftp: { table: "rain" } }],
])("refuses %s", (_, sink) => {
  expect(Stack.safeParse(stack(sink)).success).toBe(false);
});

it("finds each secret that a stack names, once", () => {
  const other = { webhook: { url: { secret: "a-url" }, secret: { secret: "hook-key" } } };
  expect(secretsOf(Stack.parse(stack(webhook, other)))).toEqual(["a-url", "hook-key", "hook-url"]);
  expect(secretsOf(Stack.parse(stack()))).toEqual([]);
});

it("refuses a secret that signs something else already", () => {
  const { error } = Stack.safeParse(stack({ webhook: { ...webhook.webhook, secret: { secret: "temp-url-key" } } }));
  expect(error?.issues).toMatchObject([
    {
      path: ["sinks", 0, "webhook", "secret", "secret"],
      message: "must not be temp-url-key, which signs the addresses of the stack's input store",
    },
  ]);
});
