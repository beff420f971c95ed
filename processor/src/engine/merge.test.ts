import { mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { TableColumn } from "@cais/spec/api.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Engine, startEngine } from "./index.ts";
import type { MadeFile, SeenFile } from "./messages.ts";
import { parquetRows } from "./parquet-for-tests.ts";

let folder: string;
let engine: Engine;
let runs = 0;
const run = () => join(folder, `run-${runs++}`);

beforeAll(async () => {
  await mkdir(resolve(".cais/tests"), { recursive: true });
  folder = await realpath(await mkdtemp(resolve(".cais/tests/merge-")));
  engine = startEngine({ log: () => undefined });
  await engine.open({ folder, limits: { memoryBytes: 300e6, tempBytes: 300e6, threads: 2 }, seconds: 120 });
});
afterAll(async () => {
  await engine.stop();
  await rm(folder, { recursive: true });
});

/** What SQL gives, as one file, such as a run's contribution. */
async function contribution(sql: string): Promise<string> {
  const { files } = await engine.makeTable({ folder: run(), name: "c", sql, before: [] });
  return files[0]?.file ?? "";
}

/** All rows of files as the table's SQL sees them, in order, each as one text. */
async function rows(columns: TableColumn[], files: SeenFile[]): Promise<string[]> {
  await engine.attachTable("whole", files, columns);
  const cells = columns.map(({ name }) => `'${name}': ${name}`).join(", ");
  const file = await contribution(`SELECT ({${cells}})::VARCHAR AS row FROM whole ORDER BY ALL`);
  return (await parquetRows([file])).flatMap(([row]) => row ?? []);
}

interface Merging {
  key: string[];
  columns: TableColumn[];
  partitionBy?: string[];
}

/** A table of which each of some contributions was merged after the other. */
async function merged({ key, columns, partitionBy }: Merging, batches: string[][]) {
  let present: MadeFile[] = [];
  for (const added of batches) {
    const asked = { folder: run(), name: "t", key, columns, ...(partitionBy && { partitionBy }) };
    const { files, replaced } = await engine.mergeTable({ ...asked, present, added });
    present = [...present.filter(({ file }) => !replaced.includes(file)), ...files];
  }
  return present;
}

const columns = [
  { name: "k", type: "VARCHAR" },
  { name: "day", type: "DATE" },
  { name: "n", type: "BIGINT" },
];

/** Numbers that look random and are the same each time (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

it.each([1, 2, 3, 4])("gives of any runs what a fold of them in their order gives, seed %i", async (seed) => {
  const next = numbers(seed);
  const pick = (below: number) => Math.floor(next() * below);
  const model = new Map<string, string>();
  const batches: string[][] = [];
  let n = 0;
  for (let batch = 0; batch < 4; batch++) {
    const added: string[] = [];
    for (let one = 0; one <= pick(3); one++) {
      const values: string[] = [];
      for (let row = 0; row < 1 + pick(40); row++) {
        const [k, day] = [`k${pick(30)}`, `2024-01-0${1 + pick(3)}`];
        values.push(`('${k}', DATE '${day}', ${n})`);
        // A key may move to another partition.
        model.set(k, `{'k': ${k}, 'day': ${day}, 'n': ${n}}`);
        n++;
      }
      added.push(await contribution(`SELECT * FROM (VALUES ${values.join(", ")}) AS v(k, day, n)`));
    }
    batches.push(added);
  }
  const expected = [...model.values()].toSorted();
  const asked = { key: ["k"], columns };
  expect(await rows(columns, await merged(asked, batches))).toEqual(expected);
  const parts = await merged({ ...asked, partitionBy: ["day"] }, batches);
  expect(await rows(columns, parts)).toEqual(expected);
  for (const { partition, file } of parts)
    for (const row of await rows(columns, [{ file }])) expect(row).toContain(`'day': ${partition["day"]}`);
  const folded = await engine.foldTable({ folder: run(), name: "t", ...asked, contributions: batches.flat() });
  expect(await rows(columns, folded.files)).toEqual(expected);
});

it("tells keys apart and finds them again, whatever they hold", async () => {
  const keys = [
    "''",
    "'it''s'",
    "'a/b'",
    "'a' || chr(0)",
    "'a'",
    "repeat('ü', 1000)",
    "repeat('ü', 999) || 'u'",
    "'A'",
    "'á'",
    "'a' || chr(769)",
  ];
  const of = (n: number) =>
    `SELECT * FROM (VALUES ${keys.map((key) => `(${key}, DATE '2024-01-01', ${n})`).join(", ")}) AS v(k, day, n)`;
  const files = await merged({ key: ["k"], columns }, [[await contribution(of(1))], [await contribution(of(2))]]);
  const all = await rows(columns, files);
  expect(all).toHaveLength(keys.length);
  expect(all.filter((row) => row.endsWith("'n': 2}"))).toHaveLength(keys.length);
});

it.each([
  [
    "DOUBLE",
    ["'nan'::DOUBLE", "'inf'::DOUBLE", "0.0::DOUBLE", "1e300"],
    ["'nan'::DOUBLE", "'inf'::DOUBLE", "-0.0::DOUBLE", "1e300"],
  ],
  ["DATE", ["DATE '0001-01-01'", "DATE '2024-02-29'"], ["DATE '0001-01-01'", "DATE '2024-02-29'"]],
  ["TIMESTAMP", ["TIMESTAMP '2024-02-29 01:02:03.000001'"], ["TIMESTAMP '2024-02-29 01:02:03.000001'"]],
  ["DECIMAL(38,0)", ["99999999999999999999999999999999999999"], ["99999999999999999999999999999999999999"]],
  ["BOOLEAN", ["true", "false"], ["false", "true"]],
])("merges by a key of type %s", async (type, first, second) => {
  const typed = [
    { name: "k", type },
    { name: "n", type: "INTEGER" },
  ];
  const of = (keys: string[], n: number) =>
    contribution(keys.map((key) => `SELECT ${key}::${type} AS k, ${n} AS n`).join(" UNION ALL "));
  const files = await merged({ key: ["k"], columns: typed }, [[await of(first, 1)], [await of(second, 2)]]);
  const all = await rows(typed, files);
  expect(all.map((row) => row.slice(row.indexOf("'n'")))).toEqual(first.map(() => "'n': 2}"));
});

/** A hundred rows with keys from a number on. */
const hundred = (from: number, n: number) =>
  contribution(`SELECT 'k' || range AS k, DATE '2024-01-01' AS day, ${n} AS n FROM range(${from}, ${from + 100})`);

it("leaves alone files that hold no key of the new rows", async () => {
  const present: MadeFile[] = [];
  for (const from of [0, 100, 200])
    present.push(...(await merged({ key: ["k"], columns }, [[await hundred(from, 1)]])));
  const asked = { folder: run(), name: "t", key: ["k"], columns, present };
  const { files, replaced } = await engine.mergeTable({ ...asked, added: [await hundred(150, 2)] });
  expect(replaced).toEqual(present.slice(1).map(({ file }) => file));
  expect(files.map((file) => file.rows)).toEqual([200]);
  expect(JSON.parse(files[0]?.stats ?? "{}")).toMatchObject({ numRecords: 200, minValues: { k: "k100" } });
});

it("folds what files gave before a column got another type: what does not fit it is null", async () => {
  const contributions = [
    await contribution("SELECT 'a' AS k, DATE '2024-01-01' AS day, 'seven' AS n"),
    await contribution("SELECT 'b' AS k, DATE '2024-01-02' AS day, '7' AS n"),
    await contribution("SELECT 'c' AS k, DATE '2024-01-03' AS day, 8::BIGINT AS n"),
  ];
  const ids = [
    await contribution("SELECT 1e16::DOUBLE AS id, 'a' AS note"),
    await contribution("SELECT * FROM (VALUES (9007199254740992, 'b'), (9007199254740993, 'c')) t(id, note)"),
  ];
  const { files } = await engine.foldTable({ folder: run(), name: "t", key: ["k"], columns, contributions });
  expect(await rows(columns, files)).toEqual([
    "{'k': a, 'day': 2024-01-01, 'n': NULL}",
    "{'k': b, 'day': 2024-01-02, 'n': 7}",
    "{'k': c, 'day': 2024-01-03, 'n': 8}",
  ]);
  // Read as DOUBLE with the others, two keys would be one.
  const byId = [
    { name: "id", type: "BIGINT" },
    { name: "note", type: "VARCHAR" },
  ];
  const asked = { folder: run(), name: "t", key: ["id"], columns: byId };
  const folded = await engine.foldTable({ ...asked, contributions: ids });
  expect(await rows(byId, folded.files)).toEqual([
    "{'id': 10000000000000000, 'note': a}",
    "{'id': 9007199254740992, 'note': b}",
    "{'id': 9007199254740993, 'note': c}",
  ]);
});

it("refuses rows without a key", async () => {
  const added = [await contribution("SELECT unnest(['a', NULL, NULL]) AS k, DATE '2024-01-01' AS day, 1 AS n")];
  const asked = { folder: run(), name: "t", columns };
  await expect(engine.mergeTable({ ...asked, key: ["day", "k"], present: [], added })).rejects.toThrow(
    'The SQL of table "t" is refused: it gives 2 rows without a value in "k", which is in its key; leave them out with WHERE k IS NOT NULL, or make the column required in the contract.',
  );
  await expect(engine.foldTable({ ...asked, key: ["tree"], contributions: added })).rejects.toThrow(
    'it gives no column "tree", which is in its key.',
  );
});

it("gives null in rows of before the column came, and keeps rows of others that have no key", async () => {
  const wider = [...columns, { name: "note", type: "VARCHAR" }];
  const before = await contribution("SELECT unnest(['a', 'b', NULL]) AS k, DATE '2024-01-01' AS day, 1 AS n");
  const after = await contribution("SELECT 'b' AS k, DATE '2024-01-02' AS day, 2 AS n, 'new' AS note");
  const asked = { folder: run(), name: "t", key: ["k"], columns: wider };
  const { files } = await engine.mergeTable({ ...asked, present: [{ file: before }], added: [after] });
  expect(await rows(wider, files)).toEqual([
    "{'k': NULL, 'day': 2024-01-01, 'n': 1, 'note': NULL}",
    "{'k': a, 'day': 2024-01-01, 'n': 1, 'note': NULL}",
    "{'k': b, 'day': 2024-01-02, 'n': 2, 'note': new}",
  ]);
});
