import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Runs, TableRows, Tables } from "@cais/spec/api.ts";
import { Vacuumed } from "@cais/spec/upkeep.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { cais, scratch, start, type Started, sweep } from "../tests/start.ts";

const root = join(import.meta.dirname, "..");
const sample = join(root, "stacks", "inmet", "sample.csv");
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
  expect(before.stdout).toMatch(/^table +layer +rows +size +version +changed \(UTC\)\n/);
  expect(before.stdout).toMatch(/^inmet\/rain_by_day +gold +0 +– +– +empty until the first run$/m);
  expect((await run("tables", "inmet/inmet")).stdout).toContain("It has no columns yet: npx cais ingest inmet FILE");

  expect((await run("ingest", "inmet", sample, "--wait")).code).toBe(0);
  const after = await run("tables");
  expect(after.stdout).toMatch(/^inmet\/inmet +silver +\d+ +\d+\.\d kB +(?:–|0) +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/m);
  const { tables } = Tables.parse(JSON.parse((await run("tables", "--json")).stdout));
  expect(tables.map(({ stack, name }) => `${stack}/${name}`)).toContain("inmet/inmet");
});

it("tells what a run made of what", { timeout: 60_000 }, async () => {
  const { runs } = Runs.parse(JSON.parse((await run("runs", "--json")).stdout));
  const { stdout, code } = await run("runs", runs[0]?.id ?? "", "--lineage");
  expect(code).toBe(0);
  expect(stdout).toMatch(/\n\nsample\.csv  \d+ rows\n└─ inmet \(silver\)  \d+ rows.*\n   ├─ rain_by_day \(gold\)  /);
  expect(stdout).toMatch(/\n {3}└─ csv: inmet  \d+ rows  \S+inmet_clean\.csv\n$/);
});

it("shows a table's columns and rows", { timeout: 60_000 }, async () => {
  const shown = await run("tables", "inmet/rain_by_day", "--limit", "1");
  expect(shown.code).toBe(0);
  expect(shown.stdout).toMatch(/^inmet\/rain_by_day  gold  \d+ rows?  \d+(?:\.\d)? k?B  (?:version 0  )?of /);
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

it("shows a table's versions, and the table as it was at one", { timeout: 60_000 }, async () => {
  // The log has a commit a moment after it counts.
  await expect
    .poll(async () => (await run("tables", "inmet/inmet", "--versions")).stdout, { timeout: 20_000 })
    .toMatch(
      /^version +written \(UTC\) +operation +added +removed +rows +files +size +by\n +0 +\d{4}-\S+ \S+ +\w[\w ]+ +\+\d+ +– +\d+ +1 +\d+\.\d kB +\S/,
    );
  const { stdout, code } = await run("tables", "inmet/inmet", "--version", "0", "--limit", "0");
  expect(stdout).toMatch(/^inmet\/inmet  silver  \d+ rows  \d+\.\d kB  version 0  of /);
  expect(code).toBe(0);
  expect((await run("tables", "inmet/inmet", "--at", "1999-01-01")).stderr).toContain(
    'Table "inmet" has no version of 1999-01-01',
  );
});

it.each([
  [["tables", "--versions"], 2, "name the table as STACK/TABLE"],
  [["tables", "inmet/inmet", "--version", "-1"], 2, "must be a whole number from 0 on."],
  [["tables", "inmet/inmet", "--version", "1", "--at", "2024-01-01"], 2, "cannot be used with option"],
  [["tables", "inmet/inmet", "--version", "99"], 1, 'cais: Not Found: Table "inmet" has no version 99; it has 0 ('],
  [["tables", "inmet"], 2, "cais: a table is named as STACK/TABLE, such as inmet/rain_by_day, not inmet\n"],
  [["tables", "inmet/nothing"], 1, 'cais: Not Found: There is no table "inmet/nothing"; npx cais tables lists them.\n'],
  [["tables", "inmet/inmet", "--limit", "x"], 2, "must be a whole number from 0 to 10000."],
])("%j is refused", async (args, code, told) => {
  const ended = await run(...args);
  expect(ended.stderr).toContain(told);
  expect(ended.code).toBe(code);
});

const sql = "SELECT n AS number, chr(64 + n) AS letter FROM (SELECT unnest([2, 10]) AS n)";

it("prints a query's rows as a table, CSV or JSON, and says if there are more", { timeout: 60_000 }, async () => {
  expect(await run("query", sql)).toEqual({ code: 0, stdout: "number  letter\n     2  B\n    10  J\n", stderr: "" });
  expect(await run("query", sql, "--format", "csv", "--limit", "1")).toEqual({
    code: 0,
    stdout: "number,letter\r\n2,B\r\n",
    stderr: "There are more than 1 row: narrow the query or raise --limit.\n",
  });
  expect((await run("query", sql, "--json")).stdout).toBe('{"number":2,"letter":"B"}\n{"number":10,"letter":"J"}\n');
  expect(await run("query", "SELECT max(rain_mm) AS most FROM rain_by_day WHERE false AND day > '2000-01-01'")).toEqual(
    {
      code: 0,
      stdout: "most\nnull\n",
      stderr: "",
    },
  );
  expect((await run("query", "SELECT 1 AS one WHERE false")).stderr).toBe("No rows.\n");
});

it("writes a query's rows to a new file, and no other", { timeout: 60_000 }, async () => {
  const out = join(data, "out.csv");
  expect(await run("query", sql, "--out", out)).toMatchObject({ code: 0, stderr: `${out} is written.\n` });
  expect(await readFile(out, "utf8")).toBe("number,letter\r\n2,B\r\n10,J\r\n");
  expect(await run("query", sql, "--out", out)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("is there already"),
  });
});

it("tells why a query is refused", { timeout: 60_000 }, async () => {
  expect(await run("query", "DROP TABLE inmet.inmet")).toEqual({
    code: 1,
    stdout: "",
    stderr: "cais: Bad Request: The query cannot be answered. It must be one SELECT statement.\n",
  });
  expect(await run("query", "FROM nothing")).toMatchObject({
    code: 1,
    stderr: 'cais: Not Found: There is no table "nothing" that you may see; npx cais tables lists them.\n',
  });
  expect(await run("query", sql, "--limit", "0")).toMatchObject({ code: 2 });
});

/** How many queries the processor is at. */
const folders = () =>
  readdir(join(data, "work/queries")).then(
    (names) => names.length,
    () => 0,
  );

it("gives a query up at Ctrl-C", { timeout: 60_000 }, async () => {
  const endless =
    "SELECT count(*) FROM range(100000) a, range(100000) b, range(100) c WHERE a.range * b.range % 7 = c.range";
  const args = [join(root, "cli/cais.mjs"), "query", endless, "--url", processor.url];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "ignore", "pipe"] });
  let told = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (told += text));
  // The request was made when the processor's engine has a folder for it.
  await expect.poll(folders, { timeout: 30_000 }).toBe(1);
  child.kill("SIGINT");
  const [code] = (await once(child, "close")) as [number | null];
  expect({ code, told }).toEqual({ code: 130, told: "\nInterrupted: the query was given up\n" });
  await expect.poll(folders, { timeout: 30_000 }).toBe(0);
});

it("optimizes and vacuums a table", { timeout: 60_000 }, async () => {
  const none = "There are no small files to put together.\n";
  expect(await run("tables", "optimize", "inmet/inmet")).toEqual({ code: 0, stdout: none, stderr: "" });
  expect((await run("ingest", "inmet", sample, "--wait", "--again")).code).toBe(0);
  expect(await run("tables", "optimize", "inmet/inmet")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^2 files became 1 file of \d+\.\d kB\.\n$/),
  });
  expect((await run("tables", "optimize", "inmet/inmet")).stdout).toBe(none);
  expect(await run("tables", "vacuum", "inmet/inmet", "--dry-run")).toMatchObject({
    code: 0,
    stdout: "There is nothing to delete.\n",
  });
  const { stdout } = await run("tables", "vacuum", "inmet/inmet", "--json");
  expect(Vacuumed.parse(JSON.parse(stdout))).toEqual({ stack: "inmet", name: "inmet", dryRun: false, files: [] });
  expect(await run("tables", "optimize", "inmet")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("STACK/TABLE"),
  });
  expect(await run("tables", "vacuum", "inmet/none")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("There is no table"),
  });
  expect(await run("tables", "rewind", "inmet/inmet")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("there is nothing to take off"),
  });
});
