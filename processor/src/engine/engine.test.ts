import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Contract } from "@cais/spec/contract.ts";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { z } from "zod";
import { Upload } from "@cais/spec/upload.ts";
import { type Engine, startEngine } from "./index.ts";

let folder: string;
let engine: Engine;
const log = () => undefined;
async function start(more: { seconds?: number; memoryBytes?: number } = {}): Promise<Engine> {
  const started = startEngine({ log });
  const limits = { memoryBytes: more.memoryBytes ?? 200e6, tempBytes: 100e6, threads: 1 };
  await started.open({ folder, limits, seconds: more.seconds ?? 60 });
  return started;
}
const upload = Upload.parse({});
const checkFile = (file: string, contract: Contract) =>
  engine.checkContract({ folder, file, name: "file.csv", upload, contract, replay: null });
async function makeTable(name: string, sql: string, before: string[] = []) {
  const made = await engine.makeTable({ folder, name, sql, before: before.map((file) => ({ file })) });
  return { columns: made.columns, rows: made.files[0]?.rows, file: made.files[0]?.file ?? "" };
}
const asCsv = { writes: { as: "csv" as const, delimiter: ",", decimal: "." as const } };
async function setUp(): Promise<void> {
  await mkdir(resolve(".cais/tests"), { recursive: true });
  folder = await realpath(await mkdtemp(resolve(".cais/tests/engine-")));
  engine = await start();
}
async function tearDown(): Promise<void> {
  await engine.stop();
  await rm(folder, { recursive: true });
}
/** A new engine takes most of a second, so tests that leave nothing behind share one. */
function eachWithEngine(): void {
  beforeEach(setUp);
  afterEach(tearDown);
}
function allWithEngine(): void {
  beforeAll(setUp);
  afterAll(tearDown);
}

/** The rows of a Parquet file, read by an engine of the test's own. */
async function rows(file: string, sql = "SELECT * FROM read_parquet($1)"): Promise<unknown[]> {
  const connection = await (await DuckDBInstance.create()).connect();
  await connection.run("SET TimeZone = 'UTC'");
  const result = await connection.runAndReadAll(sql, [file]);
  connection.closeSync();
  return result.getRowsJson();
}

const mistakes = `SELECT "row", violation."column", violation.reason, violation.value
  FROM (SELECT "row", unnest(violations) AS violation FROM read_parquet($1))`;

/** Checks a file by a contract; gives the counts, the clean rows and the refused ones as [row, column, reason, value]. */
async function check(content: string, contract: z.input<typeof Contract>) {
  const file = join(folder, "file.csv");
  await writeFile(file, content);
  const { file: rejectedFile, read, clean, rejected } = await checkFile(file, Contract.parse(contract));
  const made = await makeTable("clean", "SELECT * FROM input");
  const counts = { read, clean, rejected };
  return {
    counts,
    clean: await rows(made.file),
    rejected: rejectedFile === null ? [] : await rows(rejectedFile, mistakes),
  };
}

describe("the contract", () => {
  eachWithEngine();

  it("takes columns by their header, in any order, and ignores others", async () => {
    const result = await check('\u{FEFF}extra,"Préço, R$",n\nx,1.5,a\n"two\nlines",,b\n', {
      columns: [
        { name: "N", from: "n", type: "string" },
        { name: "PRICE", from: "Préço, R$", type: "double" },
      ],
    });
    expect(result).toEqual({
      counts: { read: 2, clean: 2, rejected: 0 },
      clean: [
        ["a", 1.5],
        ["b", null],
      ],
      rejected: [],
    });
  });

  it("refuses what is not of a column's type", async () => {
    const columns = ["integer", "double", "boolean", "date", "timestamp"].map((type) => ({ name: type, type }));
    const broken = [
      ["1.5", "1,5", "yes", "2023-02-30", "2023-01-01"],
      ["1e3", "inf", "t", "01/02/2023", "2023-01-01 25:00:00"],
      ["0x1F", "nan", "2", "2023-1-5", "now"],
      ["1_000", "1e400", "-", "epoch", "infinity"],
      ["9223372036854775808", "1_000.5", "truely", "2023-01-01 10:00:00", "2023-01-01T10:60Z"],
      ["--1", "1.5.2", "00", "2023-13-01", "20230101 100000"],
    ];
    const lines = broken.map((cells) => cells.map((cell) => `"${cell}"`).join(","));
    const { counts, rejected } = await check(
      [columns.map(({ name }) => name).join(","), ...lines].join("\n"),
      Contract.parse({ columns }),
    );
    expect(counts).toEqual({ read: 6, clean: 0, rejected: 6 });
    const reasons = [
      "is not a whole number of at most 64 bits",
      "is not a number (with a point, not a comma)",
      "is not true, false, 1 or 0",
      "is not a date (YYYY-MM-DD)",
      "is not a date and time (YYYY-MM-DD HH:MM or HH:MM:SS, and a zone such as Z or -03:00 if it has one)",
    ];
    const told = broken.flatMap((cells, n) =>
      cells.map((cell, column) => [String(n + 2), columns[column]?.name, reasons[column], cell]),
    );
    expect(rejected).toEqual(told);
  });

  it("takes every form of a type", async () => {
    const names = ["integer", "double", "boolean", "date", "timestamp", "string"] as const;
    const { clean } = await check(
      [
        names.join(","),
        "-7,-9.9,TRUE,2024-02-29,2024-02-29 10:00:00,=1+1",
        " 42 ,1e3,0, 2024-02-29 ,2024-02-29T10:00:00+03:00, x ",
        "9223372036854775807,.5,false,,2024-02-29T10:00:00.25Z,",
        '+1,7,1,"",2024-02-29 10:00,""',
      ].join("\n"),
      { columns: names.map((type) => ({ name: type, type })) },
    );
    expect(clean).toEqual([
      ["-7", -9.9, true, "2024-02-29", "2024-02-29 10:00:00+00", "=1+1"],
      ["42", 1000, false, "2024-02-29", "2024-02-29 07:00:00+00", " x "],
      ["9223372036854775807", 0.5, false, null, "2024-02-29 10:00:00.25+00", null],
      ["1", 7, true, null, "2024-02-29 10:00:00+00", null],
    ]);
  });

  it("tells every mistake of a row, with the row, the column, the reason and the cell", async () => {
    const { counts, rejected } = await check('day,mm,code\n2023-01-01,0,A1\n,-1,Z\n\n"2023-01-03",501,"it\'s"\n', {
      columns: [
        { name: "DAY", from: "day", type: "date", required: true },
        { name: "MM", from: "mm", type: "double", min: 0, max: 500 },
        { name: "CODE", from: "code", type: "string", pattern: "[A-Z][0-9]", values: ["A1", "Z", "it's"] },
      ],
    });
    expect(counts).toEqual({ read: 3, clean: 1, rejected: 2 });
    expect(rejected).toEqual([
      ["3", "DAY", "is required, but empty", null],
      ["3", "MM", "is below 0", "-1"],
      ["3", "CODE", "does not match [A-Z][0-9]", "Z"],
      ["5", "MM", "is above 500", "501"],
      ["5", "CODE", "does not match [A-Z][0-9]", "it's"],
    ]);
  });

  it("tells a column's own reason, once, in place of what its pattern and values are", async () => {
    const { rejected } = await check("code,day\nA1,\nB2,\nz,\n,x\n", {
      columns: [
        { name: "code", type: "string", required: true, pattern: "[A-Z][0-9]", values: ["A1"], reason: "isn't A1" },
        { name: "day", type: "date" },
      ],
    });
    expect(rejected).toEqual([
      ["3", "code", "isn't A1", "B2"],
      ["4", "code", "isn't A1", "z"],
      ["5", "code", "is required, but empty", null],
      ["5", "day", "is not a date (YYYY-MM-DD)", "x"],
    ]);
  });

  it("asks rules of rows whose cells hold, and lets null pass", async () => {
    const { counts, rejected } = await check("a,b\n1,2\n2,1\n,1\nx,0\n5,4,3\n", {
      columns: [
        { name: "a", type: "integer" },
        { name: "b", type: "integer" },
      ],
      rules: [{ check: "a < b -- not more", reason: "It's the wrong way round." }],
    });
    expect(counts).toEqual({ read: 5, clean: 2, rejected: 3 });
    expect(rejected).toEqual([
      ["3", null, "It's the wrong way round.", null],
      ["5", "a", "is not a whole number of at most 64 bits", "x"],
      ["6", null, "The row has 3 cells where the header has 2.", "5,4,3"],
    ]);
  });

  it("takes any name of a column as a name, not as SQL", async () => {
    const { clean } = await check('"a""); DROP VIEW input; --","\'"\n1,2\n', {
      columns: [
        { name: "a", from: 'a"); DROP VIEW input; --', type: "integer" },
        { name: "select", from: "'", type: "integer" },
      ],
    });
    expect(clean).toEqual([["1", "2"]]);
  });
});

describe("a rule", () => {
  allWithEngine();

  it.each([
    ["a > 0, 1", "It must be one SQL expression over the columns."],
    ["a > 0 FROM input", "It must be one SQL expression over the columns."],
    ["a > 0) OR (1 = 1", "syntax error"],
    ["a > 0; SELECT 1", "syntax error"],
    ["a > 0;", "syntax error"],
    ["current_setting('temp_directory') = a::VARCHAR", "It calls current_setting()"],
    ["a IN (SELECT 1)", "a subquery is more than that"],
    ["count(*) OVER () > 1", "a window is more than that"],
    ["a AS b", "It must be one SQL expression over the columns."],
    ["DISTINCT a", "It must be one SQL expression over the columns."],
    [" ", "SELECT clause without selection list"],
  ])("is refused: %s", async (rule, message) => {
    const contract = Contract.parse({
      columns: [{ name: "a", type: "integer" }],
      rules: [{ check: rule, reason: "no" }],
    });
    const refused = expect.stringMatching(
      /^Rule 1 of the contract is refused: It (must be one SQL expression over the columns|calls current_setting)/,
    );
    const result = checkFile(join(folder, "none.csv"), contract);
    await expect(result).rejects.toThrow(expect.objectContaining({ fault: "refused", message: refused }));
    await expect(result).rejects.toThrow(message);
  });
});

describe("a table's SQL", () => {
  allWithEngine();
  beforeAll(async () => {
    await writeFile(join(folder, "file.csv"), "n,word\n1,one\n2,two\n3,three\n");
    const columns = [
      { name: "n", type: "integer" as const },
      { name: "word", type: "string" as const },
    ];
    await checkFile(join(folder, "file.csv"), Contract.parse({ columns }));
  });

  it("sees the rows of the run and the tables before it, whole", async () => {
    const first = await makeTable("words", "SELECT * FROM input WHERE n < 3; ", []);
    expect(first).toMatchObject({
      rows: 2,
      columns: [
        { name: "n", type: "BIGINT" },
        { name: "word", type: "VARCHAR" },
      ],
    });
    const before = join(folder, "before.parquet");
    await writeFile(before, await readFile(first.file));
    await makeTable("grown", "FROM words", [before]);
    const last = await makeTable(
      "counted",
      "WITH whole AS (SELECT count(*) AS c FROM grown) -- a comment; with a semicolon\nSELECT c, i FROM whole, range(2) AS r(i) ORDER BY i DESC",
      [],
    );
    expect(await rows(last.file)).toEqual([
      ["4", "1"],
      ["4", "0"],
    ]);
  });

  it("keeps sums of whole numbers exact, in Parquet and in treated CSV, also in lists and under one name twice", async () => {
    const { columns, file } = await makeTable(
      "sums",
      "SELECT sum(n) AS n, sum(9223372036854775807) AS big, sum(n) AS big, [sum(n)] AS many, count(*) AS rows, 0::UHUGEINT AS u FROM input -- exact",
      [],
    );
    expect(columns.map(({ type }) => type)).toEqual([
      "DECIMAL(38,0)",
      "DECIMAL(38,0)",
      "DECIMAL(38,0)",
      "DECIMAL(38,0)[]",
      "BIGINT",
      "DECIMAL(38,0)",
    ]);
    expect(await rows(file)).toEqual([["6", "27670116110564327421", "6", ["6"], "3", "0"]]);
    const csv = await readFile(
      (await engine.write({ ...asCsv, table: "sums", file: join(folder, "sums.csv") })).file,
      "utf8",
    );
    expect(csv.split("\r\n")[1]).toBe("6,27670116110564327421,6,[6],3,0");
    await expect(makeTable("t", "SELECT 170141183460469231731687303715884105727::HUGEINT AS n", [])).rejects.toThrow(
      /Conversion Error/,
    );
    const ordered = await makeTable("ordered", "SELECT n::HUGEINT AS n FROM input ORDER BY n DESC", []);
    expect(await rows(ordered.file)).toEqual([["3"], ["2"], ["1"]]);
  });

  it.each([
    ["SELECT * FROM read_text('/etc/passwd')", "It calls read_text() as a table"],
    ["SELECT * FROM '/etc/passwd'", 'It reads "/etc/passwd", but it sees input,'],
    ["SELECT (SELECT max(content) FROM read_blob('/etc/passwd'))", "It calls read_blob() as a table"],
    ["SELECT * FROM read_csv('../../ledger.sqlite')", "It calls read_csv() as a table"],
    ["SELECT * FROM glob('/**')", "It calls glob() as a table"],
    ["SELECT * FROM query('SELECT 1')", "It calls query() as a table"],
    ["SELECT * FROM enable_logging('QueryLog', storage = 'file')", "It calls enable_logging() as a table"],
    ["SELECT * FROM duckdb_settings()", "It calls duckdb_settings() as a table"],
    ["WITH x AS (SELECT * FROM secrets) SELECT * FROM x", 'It reads "secrets"'],
    [
      "SELECT a.* FROM (WITH duckdb_views AS (SELECT 1 q) SELECT * FROM duckdb_views) b, duckdb_views a",
      'It calls a query "duckdb_views" (WITH)',
    ],
    ["WITH PG_class AS (SELECT 1) SELECT 1", 'It calls a query "PG_class"'],
    ["SELECT * FROM (WITH \"/etc/x.csv\" AS (SELECT 1) SELECT 1), '/etc/x.csv'", 'It calls a query "/etc/x.csv"'],
    ["SELECT current_setting('temp_directory')", "It calls current_setting(), which is about the engine"],
    ["SELECT [GetVariable('a')] FROM input", "It calls getvariable()"],
    ["SELECT word.current_setting() FROM input", "It calls current_setting()"],
    ["SELECT json_serialize_plan('SELECT 1')", "It calls json_serialize_plan()"],
    ["SELECT pg_get_viewdef(1)", "It calls pg_get_viewdef()"],
    ["SELECT * FROM main.input", 'It reads "input"'],
    ["SELECT * FROM information_schema.tables", 'It reads "tables"'],
    ["COPY (SELECT 1) TO 'out.csv'", "It must be one SELECT statement."],
    ["ATTACH '/tmp/other.db'", "It must be one SELECT statement."],
    ["INSTALL httpfs", "It must be one SELECT statement."],
    ["LOAD json", "It must be one SELECT statement."],
    ["PRAGMA database_list", "It must be one SELECT statement."],
    ["SET memory_limit = '100GB'", "It must be one SELECT statement."],
    ["CREATE TABLE t AS SELECT 1", "It must be one SELECT statement."],
    ["EXPLAIN SELECT 1", "It must be one SELECT statement."],
    ["DESCRIBE input", "not SHOW, DESCRIBE or SUMMARIZE"],
    ["SELECT 1; SELECT 2", "It must be one SELECT statement, but it has 2."],
    ["SELECT 1) TO '/tmp/x'; --", "It must be one SELECT statement."],
    ["SELECT 1; -- done", "with nothing after it"],
    ["", "but it has 0"],
    ["SELEC 1", "syntax error"],
  ])("is refused: %s", async (sql, message) => {
    await expect(makeTable("t", sql, [])).rejects.toThrow(
      expect.objectContaining({ fault: "refused", message: expect.stringContaining(message) }),
    );
    await expect(makeTable("t", sql, [])).rejects.toThrow(/^The SQL of table "t" is refused: /);
  });

  it("fails with what the engine says, and the engine goes on", async () => {
    await expect(makeTable("t", "SELECT nothing FROM input", [])).rejects.toThrow(
      expect.objectContaining({ fault: "engine", message: expect.stringContaining('The SQL of table "t" failed: ') }),
    );
    await expect(makeTable("t", "SELECT word::INTEGER FROM input", [])).rejects.toThrow(/Conversion Error/);
    expect(await makeTable("t", "SELECT 1 AS one", [])).toMatchObject({ rows: 1 });
  });
});

describe("an engine", () => {
  const product =
    "SELECT count(*) FROM range(100000) a, range(100000) b, range(100000) c WHERE (a.range + b.range + c.range) % 7 = 3";
  afterEach(tearDown);

  it("is stopped when it takes too long", async () => {
    await setUp();
    await engine.stop();
    engine = await start({ seconds: 3 });
    await expect(makeTable("t", product, [])).rejects.toThrow("It took longer than 3 seconds and was stopped.");
  });

  it("is stopped while it starts, by its signal or because that takes too long", async () => {
    await setUp();
    const stopping = new AbortController();
    const { signal } = stopping;
    const session = { folder, limits: { memoryBytes: 2e8, tempBytes: 1e8, threads: 1 }, seconds: 60 };
    const starting = startEngine({ log }).open({ ...session, signal });
    stopping.abort();
    await expect(starting).rejects.toThrow("It was stopped with the processor.");
    await expect(startEngine({ log }).open({ ...session, signal })).rejects.toThrow("stopped with the processor.");
    await expect(startEngine({ openSeconds: 0.001, log }).open(session)).rejects.toThrow(
      "The SQL engine did not start within 0.001 seconds; is the machine overloaded?",
    );
  });

  it("stops a query that wants more memory than there is", async () => {
    await setUp();
    await engine.stop();
    engine = await start({ memoryBytes: 50e6 });
    const sort = "SELECT list(range ORDER BY range % 1000) FROM range(30000000)";
    await expect(makeTable("t", sort, [])).rejects.toThrow(/Out of Memory/i);
  });

  it("tells when it is stopped in the middle of its work", async () => {
    await setUp();
    const asked = makeTable("t", product, []);
    await Promise.all([expect(asked).rejects.toThrow("It was stopped with the processor."), engine.stop()]);
    await expect(makeTable("t", "SELECT 1", [])).rejects.toThrow("It was stopped with the processor.");
  });
});
