import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Contract } from "@cais/spec/contract.ts";
import { Upload } from "@cais/spec/upload.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Engine, startEngine } from "./index.ts";
import type { Made, SeenFile } from "./messages.ts";
import { parquetRows } from "./parquet-for-tests.ts";

let folder: string;
let engine: Engine;
let runs = 0;
/** A folder for one making of a table, as each run has one. */
const run = () => join(folder, `run-${runs++}`);

beforeAll(async () => {
  await mkdir(resolve(".cais/tests"), { recursive: true });
  folder = await realpath(await mkdtemp(resolve(".cais/tests/tables-")));
  engine = startEngine({ log: () => undefined });
  await engine.open({ folder, limits: { memoryBytes: 300e6, tempBytes: 300e6, threads: 2 }, seconds: 60 });
});
afterAll(async () => {
  await engine.stop();
  await rm(folder, { recursive: true });
});

const make = (sql: string, more: { name?: string; partitionBy?: string[]; before?: SeenFile[] } = {}): Promise<Made> =>
  engine.makeTable({ folder: run(), name: "t", sql, before: [], ...more });

/** What SQL gives over a relation of files, each cell as text. */
async function rows({ columns, files }: { columns: Made["columns"]; files: SeenFile[] }, sql = "FROM t ORDER BY ALL") {
  await engine.attachTable("t", files, columns);
  const { files: made } = await engine.makeTable({ folder: run(), name: "shown", sql, before: [] });
  return parquetRows(made.map(({ file }) => file));
}

/** Many rows by a partition. */
const many = (p: string) => make(`SELECT range AS n, ${p} AS p FROM range(500001)`, { partitionBy: ["p"] });

/** Values that are hard to name in SQL, in folders or in JSON. */
const hostile = [
  "'it''s'",
  "'a/b\\c'",
  "'..'",
  "'x=y&z%2F'",
  "'a' || chr(0) || 'b'",
  "NULL",
  "repeat('ü', 1000)",
  "'line' || chr(10) || 'break'",
  "'\"quoted\"'",
  "'NULL'",
  "'__HIVE_DEFAULT_PARTITION__'",
  "' '",
];

describe("partitions", () => {
  it("gives each value of its columns files of their own, whatever the value", async () => {
    const values = hostile.map((value, n) => `(${n}, ${value})`).join(", ");
    const made = await make(`SELECT * FROM (VALUES ${values}, (100, NULL)) AS v(n, p)`, { partitionBy: ["p"] });
    expect(made.files).toHaveLength(hostile.length);
    for (const { file, rows, partition, stats } of made.files) {
      const found = await parquetRows([file], "SELECT p, n FROM read_parquet($1)");
      expect(found).toHaveLength(rows);
      for (const [value] of found) expect(partition).toEqual({ p: value });
      // What stands in the partition's value stands nowhere else in the log.
      expect(Object.keys(JSON.parse(stats ?? "{}").minValues)).toEqual(["n"]);
    }
    const whole = await make(`SELECT * FROM (VALUES ${values}, (100, NULL)) AS v(n, p)`);
    expect(await rows(made)).toEqual(await rows(whole));
  });

  it("writes values as Delta does", async () => {
    const made = await make(
      `SELECT 1 AS n, DATE '0044-03-15' AS d, TIMESTAMP '2024-01-02 03:04:05' AS t, true AS b, 'nan'::DOUBLE AS x,
         '-inf'::FLOAT AS y, 1.50::DECIMAL(9,2) AS m, NULL::BIGINT AS i, '' AS s`,
      { partitionBy: ["d", "t", "b", "x", "y", "m", "i", "s"] },
    );
    expect(made.files.map(({ partition }) => partition)).toEqual([
      {
        d: "0044-03-15",
        t: "2024-01-02T03:04:05.000000Z",
        b: "true",
        x: "NaN",
        y: "-Infinity",
        m: "1.50",
        i: null,
        s: null,
      },
    ]);
    // Delta has no empty text here, so the rows have none either.
    expect(await rows(made, "SELECT s, t FROM t")).toEqual([[null, "2024-01-02 03:04:05+00"]]);
  });

  it("reads values from the log where files of others lack the columns", async () => {
    const own = await make("SELECT 1 AS n, 'own' AS p, DATE '2024-01-01' AS d", { partitionBy: ["p", "d"] });
    const others = await make("SELECT unnest([2, 3]) AS n");
    const foreign = [
      { file: others.files[0]?.file ?? "", partition: { p: "it's a\0b", d: "2024-02-29" } },
      { file: (await make("SELECT 4 AS n")).files[0]?.file ?? "", partition: { p: null, d: null } },
    ];
    const expected = [
      ["1", "own", "2024-01-01"],
      ["2", "it's a\0b", "2024-02-29"],
      ["3", "it's a\0b", "2024-02-29"],
      ["4", null, null],
    ];
    expect(await rows({ columns: own.columns, files: [...own.files, ...foreign] })).toEqual(expected);
    expect(await rows({ columns: own.columns, files: [...foreign, ...own.files] })).toEqual(expected);
  });

  it("refuses more than 10,000 values, and a column that is not there", async () => {
    await expect(make("SELECT range AS n, 1 AS m FROM range(10001)", { partitionBy: ["n"] })).rejects.toThrow(
      'The SQL of table "t" is refused: Its rows have more than 10000 different values of n; partition it by something coarser, such as a month.',
    );
    await expect(make("SELECT 1 AS n, 'infinity'::DATE AS day", { partitionBy: ["day"] })).rejects.toThrow(
      'The SQL of table "t" is refused: A partition cannot be named by the time infinity',
    );
    await expect(make("SELECT 1 AS n", { partitionBy: ["day"] })).rejects.toThrow(
      'It gives no column "day", by which it is partitioned.',
    );
  });

  it("has few files for many rows, and keeps the order of rows of one partition", async () => {
    expect((await many("range % 3")).files.map(({ rows }) => rows)).toEqual([166667, 166667, 166667]);
    const { columns, files } = await many("1");
    const anew = await engine.rewrite({ folder: run(), name: "t", columns, files, partitionBy: ["p"] });
    expect(anew.files.map(({ rows, partition }) => [rows, partition])).toEqual([[500001, { p: "1" }]]);
    const moved = "SELECT count(*) FROM read_parquet($1) WHERE n <> file_row_number";
    expect(await parquetRows([anew.files[0]?.file ?? ""], moved)).toEqual([["0"]]);
  });

  it("has no file for no row, and then is an empty table", async () => {
    const made = await make("SELECT 1 AS n, 'x' AS p WHERE false", { partitionBy: ["p"] });
    expect(made).toEqual({
      columns: [
        { name: "n", type: "INTEGER" },
        { name: "p", type: "VARCHAR" },
      ],
      files: [],
    });
    expect(await rows(made, "SELECT count(*) AS rows, max(p) AS p FROM t")).toEqual([["0", null]]);
  });
});

describe("types", () => {
  it.each([
    ["true", "BOOLEAN", "true"],
    ["1::TINYINT", "TINYINT", "1"],
    ["1::SMALLINT", "SMALLINT", "1"],
    ["-1", "INTEGER", "-1"],
    ["9223372036854775807", "BIGINT", "9223372036854775807"],
    ["18446744073709551615::UBIGINT", "DECIMAL(20,0)", "18446744073709551615"],
    ["255::UTINYINT", "SMALLINT", "255"],
    ["4294967295::UINTEGER", "BIGINT", "4294967295"],
    ["sum(1)", "DECIMAL(38,0)", "1"],
    ["1.5::FLOAT", "FLOAT", "1.5"],
    ["'nan'::DOUBLE", "DOUBLE", "nan"],
    ["12.345::DECIMAL(18,3)", "DECIMAL(18,3)", "12.345"],
    ["'a' || chr(0)", "VARCHAR", "a\0"],
    ["'\\xAA'::BLOB", "BLOB", "\\xAA"],
    ["DATE '2024-02-29'", "DATE", "2024-02-29"],
    ["TIMESTAMP '2024-02-29 01:02:03.456789'", "TIMESTAMP", "2024-02-29 01:02:03.456789"],
    ["TIMESTAMPTZ '2024-02-29 01:02:03+01:00'", "TIMESTAMP WITH TIME ZONE", "2024-02-29 00:02:03+00"],
    ["TIME '01:02:03'", "VARCHAR", "01:02:03"],
    ["'6ba7b810-9dad-11d1-80b4-00c04fd430c8'::UUID", "VARCHAR", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"],
    ["'a'::ENUM('a', 'it''s')", "VARCHAR", "a"],
    ["[TIMESTAMP '2024-01-01']", "TIMESTAMP[]", "['2024-01-01 00:00:00']"],
    [
      "{'a b': 1, 't': TIMESTAMP '2024-01-01'}",
      'STRUCT("a b" INTEGER, t TIMESTAMP)',
      "{'a b': 1, 't': '2024-01-01 00:00:00'}",
    ],
    ["MAP {'k': 1::UTINYINT}", "MAP(VARCHAR, SMALLINT)", "{k=1}"],
    ["[1, 2]::INTEGER[2]", "INTEGER[]", "[1, 2]"],
  ])("keeps %s as %s", async (value, type, text) => {
    const made = await make(`SELECT ${value} AS x`);
    expect(made.columns.map((column) => column.type.replaceAll('"t"', "t"))).toEqual([type]);
    expect(await rows(made, "SELECT x::VARCHAR AS x, typeof(x) AS type FROM t")).toEqual([
      [text, made.columns[0]?.type.replaceAll(/"(t)"/g, "$1")],
    ]);
  });

  it("writes times in UTC, as every reader of Delta takes them", async () => {
    const { files } = await make("SELECT TIMESTAMP '2024-02-29 01:02:03' AS t");
    const schema = "SELECT logical_type FROM parquet_schema($1) WHERE name = 't'";
    expect(String(await parquetRows([files[0]?.file ?? ""], schema))).toContain("isAdjustedToUTC=1");
  });

  it("refuses what Delta has not, and says what to write", async () => {
    await expect(make("SELECT 1 AS n, INTERVAL 1 DAY AS wait")).rejects.toThrow(
      'The SQL of table "t" is refused: Column "wait" is INTERVAL, which Delta tables do not have; write a number of days or seconds, such as epoch(x) in the SQL.',
    );
  });

  it("numbers names that are there twice, since a Delta table has each once", async () => {
    const made = await make("SELECT 1 AS n, 2 AS n, 3 AS N");
    expect(made.columns.map(({ name }) => name)).toEqual(["n", "n_1", "N_2"]);
    expect(await rows(made)).toEqual([["1", "2", "3"]]);
  });
});

describe("files that differ", () => {
  it("gives null for columns that came later, whichever file is first", async () => {
    const old = await make("SELECT 1 AS a");
    const { columns, files } = await make("SELECT 2 AS a, 'new' AS b");
    expect(await rows({ columns, files: [...old.files, ...files] })).toEqual([
      ["1", null],
      ["2", "new"],
    ]);
    const wide = await make("SELECT 3 AS a, 'wide' AS b");
    // The first file has all columns, the second has not: DuckDB says so only when it reads it.
    const both = { columns: wide.columns, files: [...wide.files, ...old.files] };
    expect(await rows(both)).toEqual([
      ["1", null],
      ["3", "wide"],
    ]);
    await engine.attachTable("t", both.files, both.columns);
    const csv = await engine.write({
      table: "t",
      file: join(folder, "differ.csv"),
      writes: { as: "csv", delimiter: ",", decimal: "." },
    });
    const [title, ...lines] = (await readFile(csv.file, "utf8")).split("\r\n");
    expect(title).toBe("a,b");
    // With several threads the engine keeps no order between files whose columns differ.
    expect(lines.toSorted()).toEqual(["", "1,", "3,wide"]);
  });

  it("gives a table's types, in the order of the files", async () => {
    const files = [];
    for (const cell of ["TIMESTAMP '2024-01-01'", "TIMESTAMPTZ '2024-01-02'"])
      files.push(...(await make(`SELECT ${cell} AS t, 1::TINYINT AS n`)).files);
    const columns = [
      { name: "n", type: "BIGINT" },
      { name: "t", type: "TIMESTAMP" },
      { name: "later", type: "VARCHAR" },
    ];
    expect(await rows({ columns, files }, "SELECT n, t::VARCHAR AS t, later, typeof(t) AS type FROM t")).toEqual([
      ["1", "2024-01-01 00:00:00", null, "TIMESTAMP"],
      ["1", "2024-01-02 00:00:00", null, "TIMESTAMP"],
    ]);
  });

  it("leaves out ranges of rows, and writes the others anew in their order", async () => {
    const one = (await make("SELECT range AS n FROM range(0, 10)")).files[0]?.file ?? "";
    const two = (await make("SELECT range AS n FROM range(10, 20)")).files[0]?.file ?? "";
    const columns = [{ name: "n", type: "BIGINT" }];
    const files = [
      { file: two },
      {
        file: one,
        without: [
          { firstRow: 0, rows: 3 },
          { firstRow: 5, rows: 5 },
        ],
      },
      { file: two, without: [{ firstRow: 1, rows: 100 }] },
    ];
    const expected = [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 3, 4, 10].map((n) => [String(n)]);
    expect(await rows({ columns, files }, "FROM t")).toEqual(expected);
    const anew = await engine.rewrite({ folder: run(), name: "t", columns, files });
    expect(anew.files.map(({ rows }) => rows)).toEqual([13]);
    expect(await parquetRows(anew.files.map(({ file }) => file))).toEqual(expected);
  });

  it("keeps the order of many rows when it writes them anew", async () => {
    const parts = [];
    for (let n = 0; n < 3; n++)
      parts.push(...(await make(`SELECT range AS n FROM range(${n * 200_000}, ${(n + 1) * 200_000})`)).files);
    const { files } = await engine.rewrite({
      folder: run(),
      name: "t",
      columns: [{ name: "n", type: "BIGINT" }],
      files: parts,
    });
    const sorted = "SELECT count(*) AS rows, count(*) FILTER (n <> file_row_number) AS moved FROM read_parquet($1)";
    expect(
      await parquetRows(
        files.map(({ file }) => file),
        sorted,
      ),
    ).toEqual([["600000", "0"]]);
  });
});

const float = (nan: number) => `CASE WHEN range = ${nan} THEN 'nan'::DOUBLE ELSE range END`;

describe("statistics of a large file", () => {
  it.each([[], ["p"]])(
    "bound no column with a NaN in any of its row groups (partitioned by %s)",
    async (...partitionBy) => {
      const made = await make(
        `SELECT ${float(5)} AS first, ${float(250_000)} AS middle, ${float(399_999)} AS last, range::FLOAT AS none,
         {'a, "b': ${float(7)}, c: range::DOUBLE} AS st, 1 AS p FROM range(400000)`,
        { partitionBy },
      );
      const stats = JSON.parse(made.files[0]?.stats ?? "{}");
      delete stats.maxValues.p;
      expect(stats).toMatchObject({ numRecords: 400_000, nullCount: { first: 0 } });
      expect(stats.maxValues).toEqual({ none: 399_999, st: { c: 399_999 } });
      expect(Object.keys(stats.minValues)).not.toContain("first");
    },
  );
});

describe("rows as received", () => {
  it("says of each clean row where it came from", async () => {
    const file = join(folder, "file.csv");
    await writeFile(file, "n,word\n1,a\nx,b\n\n3,c\n");
    const contract = Contract.parse({
      columns: [
        { name: "n", type: "integer" },
        { name: "word", type: "string" },
      ],
    });
    const received = { file: "it's.csv", run: "run-1", receivedAt: "2024-02-29T01:02:03.456Z" };
    const reading = run();
    await mkdir(reading);
    const asked = { folder: reading, file, name: "file.csv", upload: Upload.parse({}), contract, replay: null };
    await engine.begin();
    expect(await engine.checkContract({ ...asked, received })).toMatchObject({ read: 3, clean: 2 });
    const made = await engine.makeTable({ folder: run(), name: "bronze", sql: null, before: [] });
    const at = "2024-02-29 01:02:03.456+00";
    expect(await parquetRows(made.files.map((one) => one.file))).toEqual([
      ["1", "a", "it's.csv", null, "2", "run-1", at],
      ["3", "c", "it's.csv", null, "5", "run-1", at],
    ]);
    expect(made.columns.map(({ name, type }) => `${name} ${type}`).slice(2)).toEqual([
      "_file VARCHAR",
      "_member VARCHAR",
      "_row BIGINT",
      "_run VARCHAR",
      "_received_at TIMESTAMP",
    ]);
    await expect(make('SELECT * FROM "rows as received"')).rejects.toThrow("but it sees input, bronze only");
  });

  it("numbers the rows of a large file too, which nothing may refuse", async () => {
    const file = join(folder, "large.csv");
    const lines = Array.from({ length: 50_000 }, (_, n) => `${n === 30_000 ? "x" : n},${"word ".repeat(20)}`);
    await writeFile(file, ["n,word", ...lines].join("\n"));
    const contract = Contract.parse({ columns: [{ name: "n", type: "integer" }] });
    const received = { file: "large.csv", run: "run-2", receivedAt: "2024-02-29T00:00:00Z" };
    const reading = run();
    await mkdir(reading);
    const asked = { folder: reading, file, name: "large.csv", upload: Upload.parse({}), contract, replay: null };
    await engine.begin();
    expect(await engine.checkContract({ ...asked, received })).toMatchObject({ read: 50_000, clean: 49_999 });
    const { files } = await engine.makeTable({ folder: run(), name: "bronze", sql: null, before: [] });
    const wrong = "SELECT count(*), count(*) FILTER (_row <> n + 2) FROM read_parquet($1)";
    expect(await parquetRows([files[0]?.file ?? ""], wrong)).toEqual([["49999", "0"]]);
  });
});
