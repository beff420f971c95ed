import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { type Engine, startEngine } from "../engine/index.ts";
import type { TableFile } from "../ledger/index.ts";
import { testFolder } from "../processor-for-tests.ts";
import { listLog, readVersion } from "./delta/log.ts";
import { snapshotAt } from "./delta/snapshot.ts";
import { openTableReader } from "./index.ts";
import { type InEngine, type Maintenance, startMaintenance } from "./maintenance.ts";
import { foreign, openShop, type Shop } from "./publishing-for-tests.ts";

const columns = [
  { name: "day", type: "VARCHAR" },
  { name: "n", type: "BIGINT" },
];
const DAY = 86_400_000;

let folder: string;
let engine: Engine;
let shop: Shop;
let maintenance: Maintenance;
let now = () => new Date();
let sessions = 0;
const inEngine: InEngine = (work) => work(engine, folder);
const kept = () => ({ lake: shop.lake, config: { stack: { name: "shop", tables: [{ name: "sold" }] } } });

beforeAll(async () => {
  folder = await testFolder("maintenance");
  engine = startEngine({ log: () => undefined });
  await engine.open({ folder, limits: { memoryBytes: 1e9, tempBytes: 1e9, threads: 2 }, seconds: 60 });
});
afterAll(async () => {
  await engine.stop();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  shop = await openShop();
  now = () => new Date();
  const { ledger, publisher } = shop;
  maintenance = startMaintenance({ ledger, publisher, log: pino({ level: "silent" }), now: () => now() });
});
afterEach(() => shop.remove());

/** Puts rows into the lake as a file of the table. */
async function made(name: string, day: string | null, from: number, to: number): Promise<TableFile> {
  const own = join(folder, `${++sessions}`);
  await mkdir(own);
  await engine.begin();
  const value = day === null ? "NULL" : `'${day}'`;
  const sql = `SELECT ${value}::VARCHAR AS day, range AS n FROM range(${from}, ${to})`;
  const { files } = await engine.makeTable({ folder: own, name: "sold", sql, before: [] });
  const { file = "", rows = 0, stats = null } = files[0] ?? {};
  const key = `sold/${name}.parquet`;
  const { bytes } = await shop.lake.putFile(key, file);
  return { key, rows, bytes, partition: { day }, stats, parts: [{ run: null, firstRow: 0, rows }] };
}

/** Loads a file of each of these days with ten rows, numbered on. */
async function load(...days: (string | null)[]): Promise<string[]> {
  const runs: string[] = [];
  for (const [index, day] of days.entries()) {
    const file = await made(`file-${index}`, day, 10 * index, 10 * (index + 1));
    const adds = (run: string) => [{ ...file, parts: [{ run, firstRow: 0, rows: file.rows }] }];
    runs.push(await shop.load("sold", { columns, partitionBy: ["day"] }, adds));
  }
  await shop.publisher.flush();
  return runs;
}

async function rowsOf(): Promise<unknown[]> {
  const reader = openTableReader(join(folder, `reader-${++sessions}`));
  const state = await shop.ledger.tables.read("shop", "sold");
  const files = { lake: shop.lake, files: async () => state?.files ?? [] };
  const rows = (await Array.fromAsync(reader.allRows(files, columns))).flat();
  await reader.stop();
  return rows.map((row) => row["n"]);
}

it("puts small files of a partition together, and still knows which rows came in by which run", async () => {
  const [a, b, c, d] = await load("x", "y", "x", null);
  const partial = await shop.ledger.tables.read("shop", "sold");
  const done = await maintenance.optimize(kept(), "sold", inEngine);
  expect(done).toMatchObject({ removed: 2, added: 1, bytes: expect.any(Number) });
  const state = await shop.ledger.tables.read("shop", "sold");
  expect(state?.files.map(({ parts, rows, partition }) => ({ parts, rows, partition }))).toMatchObject([
    { parts: [{ run: b }], partition: { day: "y" } },
    { parts: [{ run: d }], partition: { day: null } },
    {
      partition: { day: "x" },
      rows: 20,
      parts: [
        { run: a, root: a, firstRow: 0, rows: 10 },
        { run: c, root: c, firstRow: 10, rows: 10 },
      ],
    },
  ]);
  const large = state?.files[2];
  expect(large?.key).toMatch(/^sold\/part-00000-\d{8}t\d{6}-[0-9a-f]{12}\.parquet$/);
  expect(await rowsOf()).toEqual([10, 30, 0, 20].flatMap((from) => Array.from({ length: 10 }, (_, n) => from + n)));
  await shop.publisher.flush();
  expect(await shop.inLog("sold")).toEqual(await shop.inLedger("sold"));
  const version = await readVersion(shop.lake, "sold", (partial?.version ?? 0) + 1);
  expect(version?.others[0]?.commitInfo?.operation).toBe("OPTIMIZE");
  expect(version?.adds).toMatchObject([{ dataChange: false, partitionValues: { day: "x" } }]);
  expect(JSON.parse(version?.adds[0]?.stats ?? "")).toMatchObject({
    numRecords: 20,
    minValues: { n: 0 },
    maxValues: { n: 29 },
  });
  // There is nothing more to put together.
  expect(await maintenance.optimize(kept(), "sold", inEngine)).toEqual({ removed: 0, added: 0, bytes: 0 });
  expect(await readdir(folder)).not.toContain("optimize");
});

it("leaves files alone that a run replaced meanwhile", async () => {
  await load("x", "x");
  const state = await shop.ledger.tables.read("shop", "sold");
  const [first] = state?.files ?? [];
  let isChanged = false;
  const work: InEngine = (inside) =>
    inside(
      {
        ...engine,
        rewrite: async (asked) => {
          const result = await engine.rewrite(asked);
          if (!isChanged)
            await shop.load("sold", { columns, partitionBy: ["day"], adds: [], removes: [first?.key ?? ""] });
          isChanged = true;
          return result;
        },
      },
      folder,
    );
  await expect(maintenance.optimize(kept(), "sold", work)).rejects.toThrow(/has changed since it was read/);
  expect((await shop.ledger.tables.read("shop", "sold"))?.files).toHaveLength(1);
  // What it had made is swept.
  expect((await shop.ledger.loose.all()).map(({ key }) => key)).toMatchObject(
    [/^sold\/part-00000-/].map(() => expect.any(String)),
  );
});

it("is done by itself where a table has more than 100 small files, and then only", async () => {
  const { key, ...file } = await made("one", "x", 0, 5);
  const adds = async (count: number, from = 0) => {
    const files: TableFile[] = [];
    for (let n = from; n < from + count; n++) {
      const local = join(folder, `copy-${++sessions}`);
      await shop.lake.fetch(key, local);
      await shop.lake.putFile(`sold/${n}.parquet`, local);
      files.push({ ...file, key: `sold/${n}.parquet` });
    }
    return files;
  };
  const { signal } = new AbortController();
  await shop.load("sold", { columns, partitionBy: ["day"], adds: await adds(101) });
  await maintenance.afterRuns(kept(), inEngine, signal);
  expect((await shop.ledger.tables.read("shop", "sold"))?.files).toHaveLength(101);
  await shop.load("sold", { columns, partitionBy: ["day"], adds: await adds(1, 101) });
  await maintenance.afterRuns(kept(), inEngine, signal);
  expect((await shop.ledger.tables.read("shop", "sold"))?.files).toMatchObject([{ rows: 510 }]);
});

it("deletes what no kept version needs, a week later, and versions after a month", async () => {
  await load("x", "x", "y");
  await maintenance.optimize(kept(), "sold", inEngine);
  await shop.publisher.flush();
  const present = (await shop.inLedger("sold")) ?? [];
  const stored = async () => {
    const keys: string[] = [];
    for await (const object of shop.lake.list("sold")) if (!object.key.includes("_delta_log")) keys.push(object.key);
    return keys.map((key) => key.slice("sold/".length)).toSorted();
  };
  // Of another program, which is about to commit it.
  await made("theirs", "x", 0, 1);
  expect(await maintenance.vacuum(kept(), "sold", { dryRun: true })).toEqual([]);
  now = () => new Date(Date.now() + 8 * DAY);
  const unused = await maintenance.vacuum(kept(), "sold", { dryRun: true });
  expect(unused.map(({ key }) => key).toSorted()).toEqual(["sold/file-0.parquet", "sold/file-1.parquet"]);
  expect(unused.every(({ bytes }) => bytes > 0)).toBe(true);
  expect(await stored()).toEqual([...present, "file-0.parquet", "file-1.parquet", "theirs.parquet"].toSorted());
  const { signal } = new AbortController();
  await maintenance.afterRuns(kept(), inEngine, signal);
  expect(await stored()).toEqual([...present, "theirs.parquet"].toSorted());
  expect(await shop.ledger.tables.removed("shop", "sold")).toEqual([]);
  expect(await shop.ledger.loose.all()).toEqual([]);
  expect(await rowsOf()).toHaveLength(30);
  for (let n = 0; n < 9; n++) {
    await shop.others("sold", { adds: [foreign(`${n}.parquet`, { partitionValues: { day: "x" } })] });
    await shop.publisher.follow("shop", ["sold"]);
  }
  await shop.load("sold", { columns, partitionBy: ["day"], adds: [] });
  for (let n = 9; n < 12; n++) {
    await shop.load("sold", {
      columns,
      partitionBy: ["day"],
      adds: [{ ...(await made(`late-${n}`, "y", 0, 1)), key: `sold/late-${n}.parquet` }],
    });
    await shop.publisher.flush();
  }
  const before = (await listLog(shop.lake, "sold")).versions.size;
  expect(before).toBeGreaterThan(10);
  now = () => new Date(Date.now() + 40 * DAY);
  await maintenance.afterRuns(kept(), inEngine, signal);
  expect((await listLog(shop.lake, "sold")).versions.size).toBeLessThan(before);
  expect(await shop.inLog("sold")).toEqual(await shop.inLedger("sold"));
  // The publisher goes on after that.
  await shop.load("sold", { columns, partitionBy: ["day"], adds: [await made("after", "y", 0, 1)] });
  await shop.restart().flush();
  expect((await snapshotAt(shop.lake, "sold"))?.files.has("after.parquet")).toBe(true);
});

it("keeps files for a week from when the log lost them, however long before the ledger did", async () => {
  await load("x", "y");
  const removed = { path: "file-0.parquet", dataChange: true, size: 10, partitionValues: { day: "x" } };
  // As if it was written eight days after the ledger had it.
  await shop.others("sold", { removes: [{ ...removed, deletionTimestamp: Date.now() + 8 * DAY }] });
  await shop.publisher.follow("shop", ["sold"]);
  expect(await shop.ledger.tables.removed("shop", "sold")).toMatchObject([{ key: "sold/file-0.parquet" }]);
  const unused = async (days: number) => {
    now = () => new Date(Date.now() + days * DAY);
    return (await maintenance.vacuum(kept(), "sold", { dryRun: true })).map(({ key }) => key);
  };
  expect(await unused(9)).toEqual([]);
  expect(await unused(16)).toEqual(["sold/file-0.parquet"]);
});
