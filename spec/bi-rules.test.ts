import { expect, it } from "vitest";
import { crossCheck } from "./cross-check.ts";

const secret = (name: string) => ({ secret: name });
const refresh = { dataset: "cfafbeb1-8037-4d0c-896e-a46fb27ff229" };

function issuesOf(bi: object): string[] {
  const tables = [
    { name: "sold", layer: "silver", sql: "a.sql", disposition: "append" },
    { name: "by_day", layer: "gold", sql: "b.sql", disposition: "replace" },
    { name: "events", layer: "gold", sql: "c.sql", disposition: "append" },
  ];
  return crossCheck({ tables, sinks: [{ bi }], contract: { columns: [] } })
    .filter(({ path }) => path[0] === "sinks")
    .map(({ path, message }) => `${path.join(".")}: ${message}`);
}

it.each([
  { table: "events", url: secret("u") },
  { table: "by_day", url: secret("u"), token: secret("t") },
  { table: "by_day", url: secret("u"), replace: false },
  { table: "sold", url: secret("u"), rows: "all" },
  { table: "events", url: secret("u"), token: secret("t"), replace: true, refresh },
  { token: secret("t"), refresh },
])("takes %j", (bi) => {
  expect(issuesOf(bi)).toEqual([]);
});

const anew = (key: string, table: string) =>
  `sinks.0.bi.${key}: each run makes the rows of "${table}" anew, so those in Power BI are deleted first, which needs token; or say replace: false, and they are added each time`;

it.each([
  [{}, "sinks.0.bi: has nothing to do; give it table and url, or refresh, or all of them"],
  [{ refresh }, "sinks.0.bi.refresh: needs token: a dataset is refreshed by an application"],
  [{ table: "events" }, "sinks.0.bi.table: needs url: where its rows are pushed"],
  [{ url: secret("u"), refresh, token: secret("t") }, "sinks.0.bi.url: needs table: what is pushed to it"],
  [{ table: "sold", url: secret("u") }, 'sinks.0.bi.table: "sold" is silver; push a gold table, or say rows: all'],
  [{ table: "by_day", url: secret("u") }, anew("table", "by_day")],
  [{ table: "events", url: secret("u"), replace: true }, anew("replace", "events")],
])("refuses %j", (bi, issue) => {
  expect(issuesOf(bi)).toEqual([issue]);
});
