import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testFolder } from "../processor-for-tests.ts";
import { type Engine, startEngine } from "./index.ts";
import type { Source } from "./messages.ts";

let folder: string;
let engine: Engine;
beforeAll(async () => {
  folder = await testFolder("query");
  engine = startEngine({ log: () => undefined });
  await engine.open({ folder, limits: { memoryBytes: 300e6, tempBytes: 1e9, threads: 1 }, seconds: 60 });
});
afterAll(async () => {
  await engine.stop();
  await rm(folder, { recursive: true });
});

/** A table of the numbers up to `rows`. */
async function numbers(rows: number) {
  const made = await engine.makeTable({
    folder,
    name: `made${rows}`,
    sql: `SELECT range AS id, range * 0.5 AS half FROM range(${rows})`,
    before: [],
  });
  return { files: made.files.map(({ file }) => ({ file })), columns: made.columns };
}

async function answer(sql: string, tables: Awaited<ReturnType<typeof numbers>>[] = [], limit = 100) {
  const { file, ...rest } = await engine.answer({
    folder,
    sql,
    tables,
    limit,
    writes: { as: "csv", delimiter: ",", decimal: "." },
  });
  const [, ...lines] = (await readFile(join(file), "utf8")).trimEnd().split("\r\n");
  return { ...rest, lines };
}

const now = { version: null, time: null };

describe("the tables of a query", () => {
  it.each<[string, Source[]]>([
    ["SELECT 1", []],
    ["SELECT * FROM sold;", [{ stack: null, table: "sold", ...now }]],
    [`FROM "azure-cost".cost`, [{ stack: "azure-cost", table: "cost", ...now }]],
    ["WITH a AS (SELECT * FROM b) SELECT * FROM A, b", [{ stack: null, table: "b", ...now }]],
    ["WITH t AS (FROM t), u AS (FROM t) FROM u", [{ stack: null, table: "t", ...now }]],
    ["WITH u AS (FROM t), t AS (SELECT 1) FROM u, t", [{ stack: null, table: "t", ...now }]],
    ["WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 3) FROM t", []],
    ["SELECT (WITH t AS (SELECT 1) FROM t), id FROM t", [{ stack: null, table: "t", ...now }]],
    [
      "SELECT (SELECT max(x) FROM c WHERE c.y = d.y) FROM s.d d",
      [
        { stack: null, table: "c", ...now },
        { stack: "s", table: "d", ...now },
      ],
    ],
    [
      "SELECT * FROM t AT (VERSION => 3) JOIN t USING (id)",
      [
        { stack: null, table: "t", version: 3, time: null },
        { stack: null, table: "t", ...now },
      ],
    ],
    [
      "FROM t AT (TIMESTAMP => '2024-01-31 12:00:00')",
      [{ stack: null, table: "t", version: null, time: "2024-01-31T12:00:00.000Z" }],
    ],
    [
      "FROM t x AT (TIMESTAMP => TIMESTAMP '2024-01-31')",
      [{ stack: null, table: "t", version: null, time: "2024-01-31T00:00:00.000Z" }],
    ],
    ["FROM 'a.csv'", [{ stack: null, table: "a.csv", ...now }]],
  ])("%s", async (sql, sources) => {
    expect((await engine.sources(sql)).toSorted((a, b) => a.table.localeCompare(b.table))).toEqual(sources);
  });

  it.each([
    ["DELETE FROM t", "It must be one SELECT statement"],
    ["SELECT 1; SELECT 2", "it has 2"],
    ["SELEC 1", 'syntax error at or near "SELEC"'],
    ["", "it has 0"],
    ["FROM a.b.c", 'It reads "a.b.c"; name tables as stack.table.'],
    ["FROM t AT (VERSION => 1 + 1)", "AT takes a version or a time as it is"],
    ["FROM t AT (VERSION => -1)", "AT takes a version or a time as it is"],
    ["FROM t AT (TIMESTAMP => now())", "AT takes a version or a time as it is"],
    ["FROM t AT (TIMESTAMP => 'yesterday')", "AT takes a version or a time as it is"],
    ["SELECT '\uE0001'", "It holds the character U+E000"],
  ])("are not told of %s", async (sql, why) => {
    await expect(engine.sources(sql)).rejects.toThrow(why);
  });
});

describe("a query", () => {
  it("reads each table in the version that it names, under the name that it has there", async () => {
    const [before, after] = [await numbers(2), await numbers(3)];
    const sql = "SELECT t.id, old.half FROM t LEFT JOIN s.t old AT (VERSION => 1) USING (id) ORDER BY t.id";
    const tables = (await engine.sources(sql)).map(({ version }) => (version === 1 ? before : after));
    expect(await answer(sql, tables)).toEqual({
      rows: 3,
      bytes: expect.any(Number),
      columns: [
        { name: "id", type: "BIGINT" },
        { name: "half", type: "DECIMAL(21,1)" },
      ],
      more: false,
      lines: ["0,0.0", "1,0.5", "2,"],
    });
  });

  it("may call a part of it by the name of the table that it reads", async () => {
    const sql =
      "WITH t AS (SELECT id + 10 AS id FROM t WHERE t.id > 0), u AS (SELECT id + 100 AS id FROM t) FROM t, u ORDER BY ALL";
    expect((await answer(sql, [await numbers(3)])).lines).toEqual(["11,111", "11,112", "12,111", "12,112"]);
  });

  it("gives so many rows, in their order, and says that there are more", async () => {
    const sql = "SELECT id FROM t ORDER BY id DESC";
    expect(await answer(sql, [await numbers(5)], 2)).toMatchObject({ lines: ["4", "3"], rows: 2, more: true });
    expect(await answer(sql, [await numbers(5)], 5)).toMatchObject({ rows: 5, more: false });
  });

  it("keeps numbers, texts and names as they are written", async () => {
    const { lines, columns } = await answer(
      `SELECT 12345678901234567890.12 AS a, 'it''s "x"' AS b, 1e300 AS c, 1 AS a, 18446744073709551615 AS d, x -> '$.y' AS e
       FROM (SELECT '{"y": 0.5}'::JSON AS x)`,
    );
    expect(lines).toEqual(['12345678901234567890.12,"it\'s ""x""",1e+300,1,18446744073709551615,0.5']);
    expect(columns.map(({ name }) => name)).toEqual(["a", "b", "c", "a_1", "d", "e"]);
  });

  it.each([
    ["SELECT * FROM read_csv('/etc/passwd')", "It calls read_csv() as a table"],
    ["SELECT getenv('HOME')", "It calls getenv()"],
    ["SELECT * FROM duckdb_settings()", "It calls duckdb_settings() as a table"],
    ["WITH duckdb_views AS (SELECT 1) SELECT 1", 'It calls a query "duckdb_views"'],
    ["SELECT nothing", 'Referenced column "nothing" was not found'],
    ["SELECT 'x'::INTEGER", "Could not convert string 'x' to INT32"],
    ["DESCRIBE SELECT 1", "It must be one SELECT statement"],
  ])("is refused for %s", async (sql, why) => {
    await expect(answer(sql)).rejects.toThrow(why);
  });

  it("gives no names of columns that would fill a disk", async () => {
    const asked = { folder, tables: [], sql: `SELECT 1 AS "${"x".repeat(90_000)}" FROM range(20000)`, limit: 20_000 };
    await expect(engine.answer({ ...asked, writes: { as: "ndjson", form: "objects" } })).rejects.toThrow(
      "The names of its columns take 1,800 MB in 20,000 rows of NDJSON",
    );
    const { rows } = await engine.answer({ ...asked, writes: { as: "csv", delimiter: ",", decimal: "." } });
    expect(rows).toBe(20_000);
  });
});
