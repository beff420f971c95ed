import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { startProcessor } from "@cais/processor/src/main.ts";
import { configOf, ended, send, testFolder } from "@cais/processor/src/processor-for-tests.ts";
import { TableRows, Upload } from "@cais/spec/api.ts";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { Referee } from "./referee.ts";
import { csvOf, expectedOf, inOrder, type Plain, salesOf, shopStack, types } from "./shop.ts";

/** More than ten, so that the logs have a checkpoint. */
const FILES = 12;
const tables = ["sold", "by_shop", "by_values", "stock", "nested", "days", "newest"] as const;

/**
 * Tables that runs of a real processor made, as a referee finds them, and what becomes of those that it writes on in. Of a
 * slow one not every version is asked for, but each `every`th.
 */
export function holdTablesAgainst(startReferee: () => Referee, { every = 1 } = {}): void {
  let referee: Referee;
  let folder: string;
  let processor: Awaited<ReturnType<typeof startProcessor>>;
  const files = Array.from({ length: FILES }, (_, n) => salesOf(n));
  /** The version of each table after each file. */
  const versions: Record<string, number>[] = [];

  const location = (table: string) => join(folder, "shop", "lake", table);
  const versionFile = (table: string, version: number) =>
    join(location(table), "_delta_log", `${String(version).padStart(20, "0")}.json`);

  async function newestVersion(table: string): Promise<number> {
    const names = await readdir(join(location(table), "_delta_log")).catch((error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
      throw error;
    });
    return Math.max(-1, ...names.flatMap((name) => (/^\d{20}\.json$/.test(name) ? [Number(name.slice(0, 20))] : [])));
  }

  /** Sends a file, and waits until the logs have what it brought. */
  async function ingest(content: string, name: string): Promise<void> {
    const before = await newestVersions();
    const { id } = Upload.parse(await (await send(processor.url, "shop", content, name)).json());
    const { state, error } = await ended(processor.url, id);
    expect({ state, error }).toEqual({ state: "done", error: null });
    await vi.waitFor(
      async () => {
        const now = await newestVersions();
        for (const table of tables) expect(now[table]).toBeGreaterThan(before[table] ?? -1);
      },
      { timeout: 20_000 },
    );
  }
  const newestVersions = async (): Promise<Record<string, number>> =>
    Object.fromEntries(await Promise.all(tables.map(async (table) => [table, await newestVersion(table)] as const)));

  async function ownRows(table: string): Promise<Plain[]> {
    const answer = await fetch(`${processor.url}/v1/tables/shop/${table}?limit=10000`);
    const { columns, data } = TableRows.parse(await answer.json());
    return data.map((row) => Object.fromEntries(columns.map(({ name, type }) => [name, plain(row[name], type)])));
  }

  const start = async (evolved = false) => startProcessor(configOf(shopStack({ evolved })), { dataFolder: folder });

  beforeAll(async () => {
    folder = await testFolder("tables");
    referee = startReferee();
    processor = await start();
    for (const [n, sales] of files.entries()) {
      await ingest(csvOf(sales), `${n}.csv`);
      versions.push(await newestVersions());
    }
  }, 300_000);
  afterAll(async () => {
    await processor.stop();
    await referee.stop();
    await rm(folder, { recursive: true });
  });

  it.each(tables)("finds the rows of %s", async (table) => {
    const expected = inOrder(expectedOf(files)[table] ?? []);
    const found = await referee.read(location(table));
    expect(inOrder(found.rows)).toEqual(expected);
  });

  // The API shows what is nested as text.
  it.each(tables.filter((table) => table !== "nested"))("finds the rows of %s that the API tells", async (table) => {
    expect(inOrder((await referee.read(location(table))).rows)).toEqual(inOrder(await ownRows(table)));
  });

  it.each(Object.keys(types))("finds the columns of %s with their types", async (table) => {
    const { fields, partitionBy } = await referee.read(location(table));
    expect(Object.fromEntries(fields.map(({ name, type }) => [name, type]))).toEqual(types[table]);
    expect(partitionBy).toEqual(shopStack().stack.tables.find(({ name }) => name === table)?.partitionBy ?? []);
  });

  it("finds bronze with the file, the row and the run of every row", async () => {
    const { rows } = await referee.read(location("received"));
    const expected = files.flatMap((sales, n) =>
      sales.map(({ id }, row) => ({ id: String(id), _file: `${n}.csv`, row })),
    );
    const found = rows.map(({ id, _file, _row, _run }) => {
      expect(_run).toMatch(/^\S+$/);
      return { id, _file, first: Number(_row) };
    });
    expect(found.map(({ id, _file }) => `${String(_file)} ${String(id)}`).toSorted()).toEqual(
      expected.map(({ id, _file }) => `${_file} ${id}`).toSorted(),
    );
  });

  it.each(["sold", "by_shop", "stock", "days", "newest"])(
    "finds the versions of %s as they were then",
    async (table) => {
      for (const [n, after] of versions.entries()) {
        if (n % every !== 0) continue;
        const expected = inOrder(expectedOf(files.slice(0, n + 1))[table] ?? []);
        expect(inOrder((await referee.read(location(table), { version: after[table] ?? -1 })).rows)).toEqual(expected);
      }
    },
  );

  it("finds the version of a time", async () => {
    const version = versions[5]?.["sold"] ?? -1;
    const from = (await stat(versionFile("sold", version))).mtimeMs;
    const until = (await stat(versionFile("sold", version + 1))).mtimeMs;
    const found = await referee.read(location("sold"), { time: new Date((from + until) / 2).toISOString() });
    expect(inOrder(found.rows)).toEqual(inOrder(expectedOf(files.slice(0, 6))["sold"] ?? []));
  });

  it("finds the history of every table", async () => {
    for (const table of tables) {
      const history = await referee.history(location(table));
      expect(history.map(({ version }) => version)).toEqual(
        Array.from({ length: (await newestVersion(table)) + 1 }, (_, version) => version),
      );
    }
    const operations = (await referee.history(location("stock"))).map(({ operation }) => operation);
    expect(operations.slice(1)).toEqual(operations.slice(1).map(() => "MERGE"));
  });

  it("reads a checkpoint of ours", async () => {
    const log = await readdir(join(location("sold"), "_delta_log"));
    expect(log).toContain("_last_checkpoint");
    expect(log.filter((name) => name.endsWith(".checkpoint.parquet"))).not.toEqual([]);
    // Without what the checkpoint stands for, nothing but it can tell the rows.
    const [checkpoint = ""] = log
      .filter((name) => name.endsWith(".checkpoint.parquet"))
      .toSorted()
      .toReversed();
    for (const name of log)
      if (name.endsWith(".json") && name < checkpoint) await rm(join(location("sold"), "_delta_log", name));
    const { rows } = await referee.read(location("sold"));
    expect(inOrder(rows)).toEqual(inOrder(expectedOf(files)["sold"] ?? []));
  });

  it.each([
    ["sold", "id > 1000", ({ id }: Plain) => Number(id) > 1000],
    ["sold", "note = '=1+1'", ({ note }: Plain) => note === "=1+1"],
    ["sold", "amount < 0", ({ amount }: Plain) => amount !== null && Number(amount) < 0],
    ["sold", "price IS NULL", ({ price }: Plain) => price === null],
    ["by_shop", "shop = 'São Paulo/SP'", ({ shop }: Plain) => shop === "São Paulo/SP"],
    ["by_shop", "shop IS NULL", ({ shop }: Plain) => shop === null],
    ["by_values", "sold_at < TIMESTAMP '1970-01-01 00:00:00'", ({ sold_at }: Plain) => String(sold_at) < "1970"],
    ["by_values", "price > 2", ({ price }: Plain) => price !== null && Number(price) > 2],
    ["by_values", "amount > 1e299", ({ amount }: Plain) => amount !== null && Number(amount) > 1e299],
    ["by_values", "open", ({ open }: Plain) => open === true],
    ["by_shop", "day = DATE '1969-12-31'", ({ day }: Plain) => day === "1969-12-31"],
  ])("is not misled by the statistics of %s where %s", async (table, where, holds) => {
    const expected = inOrder((expectedOf(files)[table] ?? []).filter(holds));
    expect(expected).not.toEqual([]);
    expect(inOrder((await referee.read(location(table), { where })).rows)).toEqual(expected);
  });

  it("writes on in our tables, and we in its", async () => {
    const given: Plain = {
      id: "70",
      day: "2026-03-01",
      shop: "São Paulo/SP",
      amount: 0.5,
      price: "1.25",
      sold_at: "2026-03-01 10:00:00.000001",
      open: true,
      note: null,
    };
    const row = Object.entries(given).map(([name, value]) =>
      value === null ? null : name === "sold_at" ? `${String(value)}Z` : String(value),
    );
    for (const table of ["sold", "stock"]) {
      await referee.change("append", location(table), { columns: Object.keys(given), rows: [row] });
      await referee.change("delete", location(table), { where: "id = 21" });
      await referee.change("optimize", location(table));
      await referee.change("checkpoint", location(table));
    }
    expect((expectedOf(files)["sold"] ?? []).filter(gone)).not.toEqual([]);
    const next = salesOf(FILES).map((sale) => (sale.id === 21 ? { ...sale, id: 90 } : sale));
    await ingest(csvOf(next), "next.csv");
    const sold = inOrder([
      ...(expectedOf(files)["sold"] ?? []).filter((one) => !gone(one)),
      given,
      ...(expectedOf([next])["sold"] ?? []),
    ]);
    expect(inOrder((await referee.read(location("sold"))).rows)).toEqual(sold);
    expect(inOrder(await ownRows("sold"))).toEqual(sold);

    const merged = new Map<unknown, Plain>();
    for (const one of (expectedOf(files)["stock"] ?? []).filter((one) => !gone(one))) merged.set(one["id"], one);
    for (const one of [given, ...(expectedOf([next])["sold"] ?? [])]) merged.set(one["id"], one);
    expect(inOrder((await referee.read(location("stock"))).rows)).toEqual(inOrder([...merged.values()]));
    expect(inOrder(await ownRows("stock"))).toEqual(inOrder([...merged.values()]));
  });

  it("finds a column that was added, empty in the rows of before", async () => {
    await processor.stop();
    const before = (await referee.read(location("sold"))).rows;
    processor = await start(true);
    const later = salesOf(FILES + 1);
    await ingest(csvOf(later, "new"), "later.csv");
    const added = (expectedOf([later])["sold"] ?? []).map((row) => ({ ...row, extra: "new" }));
    const found = await referee.read(location("sold"));
    expect(found.fields.at(-1)).toMatchObject({ name: "extra", type: "string", nullable: true });
    expect(inOrder(found.rows)).toEqual(inOrder([...before.map((row) => ({ ...row, extra: null })), ...added]));
  });

  it("finds the same rows in files that we put together, and when the others are gone", async () => {
    const before = inOrder((await referee.read(location("by_shop"))).rows);
    const version = await newestVersion("by_shop");
    await post("by_shop/optimize");
    await vi.waitFor(async () => expect(await newestVersion("by_shop")).toBe(version + 1), { timeout: 20_000 });
    const { rows, files: kept } = await referee.read(location("by_shop"));
    expect(inOrder(rows)).toEqual(before);
    expect(inOrder((await referee.read(location("by_shop"), { version })).rows)).toEqual(before);

    await referee.change("forget", location("by_shop"));
    await post("by_shop/vacuum");
    const left = (await readdir(location("by_shop"))).filter((name) => name.endsWith(".parquet"));
    expect(left).toHaveLength(kept);
    expect(inOrder((await referee.read(location("by_shop"))).rows)).toEqual(before);
  });

  async function post(path: string): Promise<void> {
    const answer = await fetch(`${processor.url}/v1/tables/shop/${path}`, { method: "POST" });
    expect({ status: answer.status, text: await answer.text() }).toMatchObject({ status: 200 });
  }
}

/** The row that referees delete. */
const gone = ({ id }: Plain) => id === "21";

/** A value of the API in the form of the referees. */
function plain(value: unknown, type: string): unknown {
  if (value === null || value === undefined) return null;
  if (type === "BIGINT") return String(value);
  if (type.startsWith("DECIMAL")) return typeof value === "number" ? value.toFixed(2) : value;
  if (type.startsWith("TIMESTAMP"))
    return String(value)
      .replace("T", " ")
      .replace(/Z$|\+00(:00)?$/, "");
  return value;
}
