import { join } from "node:path";
import { TableRows, Tables } from "@cais/spec/api.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { cais, scratch, start, type Started, sweep } from "../tests/start.ts";

const sample = join(import.meta.dirname, "..", "stacks", "inmet", "sample.csv");
let data: string;
let processor: Started;
beforeAll(async () => {
  data = await scratch("tables");
  processor = await start(data);
}, 60_000);
afterAll(async () => {
  await processor?.stop();
  await sweep(data);
});

const run = (...args: string[]) => cais([...args, "--url", processor.url]);

it("lists tables before and after their first run", { timeout: 60_000 }, async () => {
  const before = await run("tables");
  expect(before.code).toBe(0);
  expect(before.stdout).toMatch(/^table +layer +rows +size +changed \(UTC\)\n/);
  expect(before.stdout).toMatch(/^inmet\/rain_by_day +gold +0 +– +empty until the first run$/m);
  expect((await run("tables", "inmet/inmet")).stdout).toContain("It has no columns yet: npx cais ingest inmet FILE");

  expect((await run("ingest", "inmet", sample, "--wait")).code).toBe(0);
  const after = await run("tables");
  expect(after.stdout).toMatch(/^inmet\/inmet +silver +\d+ +\d+\.\d kB +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/m);
  const { tables } = Tables.parse(JSON.parse((await run("tables", "--json")).stdout));
  expect(tables.map(({ stack, name }) => `${stack}/${name}`)).toContain("inmet/inmet");
});

it("shows a table's columns and rows", { timeout: 60_000 }, async () => {
  const shown = await run("tables", "inmet/rain_by_day", "--limit", "1");
  expect(shown.code).toBe(0);
  expect(shown.stdout).toMatch(/^inmet\/rain_by_day  gold  \d+ rows  \d+\.\d kB  changed /);
  expect(shown.stdout).toMatch(/^column +type$/m);
  expect(shown.stdout).toMatch(/^rain_mm +DOUBLE$/m);
  const whole = TableRows.parse(JSON.parse((await run("tables", "inmet/rain_by_day", "--json")).stdout));
  expect(shown.stderr).toBe(
    whole.rows > 1
      ? `There are ${whole.rows - 1} ${whole.rows === 2 ? "row" : "rows"} more: --limit shows up to 10,000.\n`
      : "",
  );
  const [first] = whole.data;
  expect(shown.stdout.trimEnd().split("\n").at(-1)?.split(/ +/)).toEqual(
    whole.columns.map(({ name }) => String(first?.[name])),
  );
});

it.each([
  [["tables", "inmet"], 2, "cais: a table is named as STACK/TABLE, such as inmet/rain_by_day, not inmet\n"],
  [["tables", "inmet/nothing"], 1, 'cais: Not Found: There is no table "inmet/nothing"; GET /v1/tables lists them.\n'],
  [["tables", "inmet/inmet", "--limit", "x"], 2, "must be a whole number from 0 to 10000."],
])("%j is refused", async (args, code, told) => {
  const ended = await run(...args);
  expect(ended.stderr).toContain(told);
  expect(ended.code).toBe(code);
});
