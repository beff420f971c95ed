import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parquetWriteBuffer } from "hyparquet-writer";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openLedger } from "../ledger/index.ts";
import type { ObjectStore } from "../object-store/index.ts";
import { UnsupportedTable } from "./delta/actions.ts";
import { listLog, readVersion, versionKey } from "./delta/log.ts";
import { testFolder } from "../processor-for-tests.ts";
import { evolve, newMetadata } from "./delta/schema.ts";
import { snapshotAt } from "./delta/snapshot.ts";
import { startPublisher } from "./publisher.ts";
import { columns, fileOf, foreign, openShop, type Shop } from "./publishing-for-tests.ts";

let shop: Shop;
beforeEach(async () => {
  shop = await openShop();
});
afterEach(() => shop.remove());

const pending = async () => (await shop.ledger.publications.pending()).length;
const versions = async (table: string) => [...(await listLog(shop.lake, table)).versions.keys()];
const same = async (table: string) => expect(await shop.inLog(table)).toEqual(await shop.inLedger(table));

describe("a commit of the ledger", () => {
  it("becomes one of the log, with its batch number, runs, columns, files and statistics", async () => {
    const a = await shop.load("sold");
    await shop.publisher.flush();
    const b = await shop.load("sold", { columns: [...columns, { name: "note", type: "VARCHAR" }] });
    await shop.publisher.flush();
    const snapshot = await snapshotAt(shop.lake, "sold");
    expect(snapshot).toMatchObject({ version: 1, protocol: { minReaderVersion: 1, minWriterVersion: 2 } });
    expect(JSON.parse(snapshot?.metadata.schemaString ?? "")).toMatchObject({
      fields: [
        { name: "day", type: "date" },
        { name: "note", type: "string" },
      ],
    });
    expect([...(snapshot?.files.values() ?? [])]).toMatchObject([
      { path: `${a}.parquet`, size: 10, stats: '{"numRecords":2}', partitionValues: {}, dataChange: true },
      { path: `${b}.parquet` },
    ]);
    expect(snapshot?.transactions.get("shop/sold")?.version).toBe(2);
    expect((await readVersion(shop.lake, "sold", 1))?.others[0]?.commitInfo).toMatchObject({
      operation: "WRITE",
      isBlindAppend: true,
      userMetadata: JSON.stringify({ runs: [b] }),
    });
    expect((await shop.ledger.run(b))?.outputs).toMatchObject([{ name: "sold", version: 1 }]);
    expect((await shop.ledger.run(a))?.outputs).toMatchObject([{ version: 0 }]);
    expect(await pending()).toBe(0);
    expect(await shop.ledger.tables.head("shop", "sold")).toMatchObject({ version: 1, change: 2 });
    await same("sold");
  });

  it("waits a moment for others: they become one, without the files that came and went", async () => {
    await shop.load("by_day");
    await shop.publisher.flush();
    const [first] = (await shop.inLedger("by_day")) ?? [];
    const between = await shop.load("by_day", { whole: true });
    const last = await shop.load("by_day", { whole: true });
    await shop.publisher.flush();
    expect(await versions("by_day")).toEqual([0, 1]);
    const version = await readVersion(shop.lake, "by_day", 1);
    expect(version?.adds.map(({ path }) => path)).toEqual([`${last}.parquet`]);
    expect(version?.removes).toMatchObject([{ path: first, size: 10, partitionValues: {}, dataChange: true }]);
    // No version names it, so it goes with the next sweep; the other one goes with a vacuum.
    expect(await shop.ledger.loose.all()).toEqual([{ stack: "shop", role: "lake", key: `by_day/${between}.parquet` }]);
    expect(await shop.ledger.tables.removed("shop", "by_day")).toMatchObject([{ key: `by_day/${first}` }]);
    expect((await shop.ledger.run(between))?.outputs).toMatchObject([{ version: 1 }]);
    await same("by_day");
  });

  it("that only moves rows is one of its own, which says so", async () => {
    const [a, b] = [await shop.load("sold"), await shop.load("sold")];
    const state = await shop.ledger.tables.read("shop", "sold");
    const large = fileOf("sold", "large", null, 4);
    await shop.ledger.tables.change("shop", {
      name: "sold",
      columns,
      partitionBy: [],
      location: "x",
      adds: [{ ...large, parts: [a, b].map((run, index) => ({ run, firstRow: 2 * index, rows: 2 })) }],
      removes: [`sold/${a}.parquet`, `sold/${b}.parquet`],
      base: state?.change ?? 0,
      operation: "OPTIMIZE",
      how: { mode: "full" },
    });
    await shop.load("sold");
    await shop.publisher.flush();
    // The first version of a log holds all at once; from then on they are apart.
    expect(await versions("sold")).toEqual([0]);
    await same("sold");
    const c = await shop.load("sold");
    const next = await shop.ledger.tables.read("shop", "sold");
    await shop.ledger.tables.change("shop", {
      name: "sold",
      columns,
      partitionBy: [],
      location: "x",
      adds: [fileOf("sold", "larger", c)],
      removes: [`sold/${c}.parquet`],
      base: next?.change ?? 0,
      operation: "OPTIMIZE",
      how: { mode: "full" },
    });
    await shop.publisher.flush();
    expect(await versions("sold")).toEqual([0, 1, 2]);
    const moved = await readVersion(shop.lake, "sold", 2);
    expect(moved?.others[0]?.commitInfo?.operation).toBe("OPTIMIZE");
    expect([...(moved?.adds ?? []), ...(moved?.removes ?? [])].map(({ dataChange }) => dataChange)).toEqual([
      false,
      false,
    ]);
    await same("sold");
  });

  it("is published soon after it is told of, and by a stop at the latest", async () => {
    await shop.load("sold");
    shop.publisher.wake("shop");
    await expect.poll(pending).toBe(0);
    await shop.load("sold");
    await shop.publisher.stop();
    expect(await pending()).toBe(0);
    await same("sold");
  });

  it("gets a checkpoint every ten versions", async () => {
    await shop.load("sold");
    await shop.publisher.flush();
    for (let n = 0; n < 10; n++) await shop.others("sold", { adds: [foreign(`${n}.parquet`)] });
    for (let n = 0; n < 2; n++) {
      await shop.load("sold");
      await shop.publisher.flush();
    }
    // The tenth was another program's, which wrote none.
    expect((await listLog(shop.lake, "sold")).checkpoints).toMatchObject([{ version: 11 }]);
    const again = shop.restart();
    await again.follow("shop", ["sold"]);
    await shop.load("sold");
    await again.flush();
    await same("sold");
  });

  it("of a ledger that the version before wrote: its tables get their logs at the start", async () => {
    const folder = await testFolder("upgrade");
    const file = join(folder, "ledger.sqlite");
    const old = new DatabaseSync(file);
    old.exec(await readFile(join(import.meta.dirname, "../ledger/sqlite/version-3-for-tests.sql"), "utf8"));
    old.close();
    const ledger = await openLedger({ driver: "sqlite", file });
    const { lake } = shop;
    const publisher = startPublisher({
      stacks: new Map([["inmet", { lake }]]),
      ledger,
      log: pino({ level: "silent" }),
    });
    await publisher.start();
    for (const name of ["rain", "by_day"]) {
      const state = await ledger.tables.read("inmet", name);
      expect(state).toMatchObject({ version: 0, change: 1 });
      expect(await shop.inLog(name)).toEqual(state?.files.map(({ key }) => key.slice(name.length + 1)).toSorted());
    }
    expect((await shop.inLog("rain"))?.length).toBe(2);
    await publisher.stop();
    await ledger.close();
    await rm(folder, { recursive: true });
  });
});

describe("what another program commits", () => {
  it("is followed: its rows, what it took out, and the columns that it added", async () => {
    const [a, b] = [await shop.load("sold"), await shop.load("sold")];
    await shop.publisher.flush();
    const version = await shop.others("sold", { adds: [foreign("theirs.parquet")], remove: [`${a}.parquet`] });
    const head = (await snapshotAt(shop.lake, "sold"))?.metadata;
    const more = [...columns, { name: "note", type: "VARCHAR" }];
    if (head !== undefined) await shop.others("sold", { metadata: evolve(head, more, "sold") });
    await shop.publisher.follow("shop", ["sold", "unknown"]);
    const state = await shop.ledger.tables.read("shop", "sold");
    expect(state).toMatchObject({ version: version + 1, change: 3, columns: more });
    expect(state?.files).toMatchObject([
      { key: `sold/${b}.parquet`, parts: [{ run: b }] },
      { key: "sold/theirs.parquet", rows: 3, bytes: 10, parts: [{ run: null, root: null, firstRow: 0, rows: 3 }] },
    ]);
    await shop.publisher.follow("shop", ["sold"]);
    expect((await shop.ledger.tables.head("shop", "sold"))?.change).toBe(3);
    // A replaced table has no more what others put there.
    await shop.load("sold", { whole: true });
    await shop.publisher.flush();
    await same("sold");
    expect(await shop.inLog("sold")).toHaveLength(1);
  });

  it("may be a table that the ledger does not know, and files that do not say how many rows they have", async () => {
    const { bytes } = await shop.lake.put("sold/x.parquet", parquetOf(7));
    const metadata = newMetadata([{ name: "n", type: "INTEGER" }], []);
    const add = foreign("x.parquet", { size: bytes, stats: null });
    await shop.others("sold", { operation: "CREATE TABLE", metadata, adds: [add] });
    await shop.publisher.follow("shop", ["sold"]);
    expect(await shop.ledger.tables.read("shop", "sold")).toMatchObject({
      version: 0,
      columns: [{ name: "n", type: "INTEGER" }],
      location: shop.lake.location("sold"),
      files: [{ key: "sold/x.parquet", rows: 7, bytes }],
    });
  });

  it("while a commit of the ledger waits: both are there", async () => {
    const a = await shop.load("sold");
    await shop.publisher.flush();
    const b = await shop.load("sold", { removes: [`sold/${a}.parquet`] });
    await shop.others("sold", { adds: [foreign("theirs.parquet")] });
    await shop.publisher.flush();
    expect(await shop.inLog("sold")).toEqual([`${b}.parquet`, "theirs.parquet"].toSorted());
    await same("sold");
    expect(await shop.ledger.run(b)).toMatchObject({ state: "done", outputs: [{ version: 2 }] });
  });

  it("while a run commits to the same table: the commit is put behind it or refused, and never lost", async () => {
    const [a, b] = [await shop.load("sold"), await shop.load("sold")];
    await shop.publisher.flush();
    const { bytes } = await shop.lake.put("sold/theirs.parquet", parquetOf(7));
    const add = foreign("theirs.parquet", { size: bytes, stats: null });
    await shop.others("sold", { adds: [add], remove: [`${a}.parquet`] });
    const late: string[] = [];
    // How many rows theirs has is asked of the file: meanwhile, a run that read the table before commits.
    const get: ObjectStore["get"] = async (key, ...range) => {
      if (key.endsWith("theirs.parquet") && late.length === 0) {
        const more = [...columns, { name: "note", type: "VARCHAR" }];
        late.push(await shop.load("sold", { removes: [`sold/${a}.parquet`] }));
        late.push(await shop.load("sold", { columns: more }));
      }
      return shop.lake.get(key, ...range);
    };
    const publisher = shop.restart({ lake: Object.assign(Object.create(shop.lake), { get }) });
    await publisher.follow("shop", ["sold"]);
    await publisher.flush();
    expect(late).toHaveLength(2);
    expect(await shop.ledger.run(late[0] ?? "")).toMatchObject({ state: "failed", error: gone(`${a}.parquet`) });
    expect(await shop.ledger.run(late[1] ?? "")).toMatchObject({ state: "done", error: null });
    expect(await shop.inLog("sold")).toEqual([`${b}.parquet`, `${late[1]}.parquet`, "theirs.parquet"].toSorted());
    expect((await shop.ledger.tables.head("shop", "sold"))?.columns).toHaveLength(2);
    await same("sold");
  });

  it("can be a restored version: whose rows those are is known", async () => {
    const a = await shop.load("sold");
    await shop.publisher.flush();
    await shop.load("sold", { whole: true });
    await shop.publisher.flush();
    const old = (await snapshotAt(shop.lake, "sold", { version: 0 }))?.files.get(`${a}.parquet`);
    const now = (await shop.inLog("sold")) ?? [];
    if (old !== undefined) await shop.others("sold", { adds: [old], remove: now });
    await shop.publisher.follow("shop", ["sold"]);
    expect((await shop.ledger.tables.read("shop", "sold"))?.files).toMatchObject([{ parts: [{ run: a, root: a }] }]);
    await same("sold");
  });

  it("is no way back: a log that was deleted or is older than what was written is an error", async () => {
    await shop.load("sold");
    await shop.publisher.flush();
    await shop.load("sold");
    await shop.publisher.flush();
    await shop.lake.delete("sold/_delta_log/00000000000000000001.json");
    const where = shop.lake.location("sold/_delta_log");
    await expect(shop.restart().follow("shop", ["sold"])).rejects.toThrow(
      `The Delta log of table "sold" ends with version 0, but had version 1; restore ${where}.`,
    );
    await shop.lake.delete("sold/_delta_log/00000000000000000000.json");
    await expect(shop.restart().follow("shop", ["sold"])).rejects.toThrow('The Delta log of table "sold" is gone');
    expect(await shop.inLedger("sold")).toHaveLength(2);
  });
});

describe("a commit that does not fit what another program did", () => {
  it("is refused, with what builds on it, and the table is what its log says", async () => {
    const a = await shop.load("sold");
    await shop.publisher.flush();
    const b = await shop.load("sold", { removes: [`sold/${a}.parquet`] });
    const c = await shop.load("sold", { removes: [`sold/${b}.parquet`] });
    const d = await shop.load("sold");
    await shop.others("sold", { adds: [foreign("theirs.parquet")], remove: [`${a}.parquet`] });
    await shop.publisher.flush();
    expect(await shop.ledger.run(b)).toMatchObject({ state: "failed", error: gone(`${a}.parquet`) });
    expect(await shop.ledger.run(c)).toMatchObject({ state: "failed", error: gone(`${b}.parquet`) });
    expect(await shop.ledger.run(d)).toMatchObject({ state: "done", error: null });
    expect(await shop.inLog("sold")).toEqual([`${d}.parquet`, "theirs.parquet"].toSorted());
    await same("sold");
    expect((await shop.ledger.loose.all()).map(({ key }) => key).toSorted()).toEqual(
      [`sold/${b}.parquet`, `sold/${c}.parquet`].toSorted(),
    );
    // It is done again on what is there now.
    expect(await shop.ledger.requeue({ run: b, kind: "rerun" })).toMatchObject({ state: "queued" });
  });

  it("gives back what it replaced and is still there, with whose rows these are", async () => {
    const [a, b] = [await shop.load("sold"), await shop.load("sold")];
    await shop.publisher.flush();
    const both = await shop.load("sold", { removes: [`sold/${a}.parquet`, `sold/${b}.parquet`] });
    await shop.others("sold", { remove: [`${a}.parquet`] });
    await shop.publisher.flush();
    expect((await shop.ledger.run(both))?.state).toBe("failed");
    expect((await shop.ledger.tables.read("shop", "sold"))?.files).toMatchObject([
      { key: `sold/${b}.parquet`, rows: 2, parts: [{ run: b, root: b, rows: 2 }] },
    ]);
    await same("sold");
  });

  it("is a merge that did not see rows which were added", async () => {
    await shop.load("sold");
    await shop.publisher.flush();
    const merged = await shop.load("sold", { operation: "MERGE" });
    await shop.others("sold", { adds: [foreign("theirs.parquet")] });
    await shop.publisher.flush();
    expect((await shop.ledger.run(merged))?.error).toMatch(
      /added rows to the table "sold" while rows were merged into it/,
    );
    await same("sold");
    await shop.load("sold", { operation: "MERGE" });
    await shop.publisher.flush();
    expect(await shop.inLog("sold")).toHaveLength(3);
  });

  it("is a merge beside which rows were added in the moment in which it was written", async () => {
    await shop.load("sold");
    await shop.publisher.flush();
    const merged = await shop.load("sold", { operation: "MERGE" });
    let theirs: Promise<number> | undefined;
    const put: ObjectStore["put"] = async (...of) => {
      await (theirs ??= shop.others("sold", { adds: [foreign("theirs.parquet")] }));
      return shop.lake.put(...of);
    };
    await shop.restart({ lake: Object.assign(Object.create(shop.lake), { put }) }).flush();
    expect((await shop.ledger.run(merged))?.error).toMatch(/while rows were merged into it/);
    await same("sold");
  });

  it("is one that takes rows out of a table which is to be appended to alone by now", async () => {
    await shop.load("sold");
    await shop.publisher.flush();
    const head = (await snapshotAt(shop.lake, "sold"))?.metadata;
    const set = async (configuration: Record<string, string>) => {
      const key = versionKey("sold", (await versions("sold")).length);
      await shop.lake.put(key, new Blob([JSON.stringify({ metaData: { ...head, configuration } })]).stream());
    };
    await set({ "delta.appendOnly": "true" });
    await shop.publisher.follow("shop", ["sold"]);
    const replaced = await shop.load("sold", { whole: true });
    const added = await shop.load("sold");
    const merged = await shop.load("sold", { operation: "MERGE" });
    await shop.publisher.flush();
    const error = expect.stringMatching(/^Table "sold" sets delta.appendOnly, .* Run the file again/);
    expect(await shop.ledger.run(replaced)).toMatchObject({ state: "failed", error, outputs: [] });
    expect((await shop.ledger.run(merged))?.error).toMatch(/^A commit before it is not in .* Run the file again/);
    expect(await shop.ledger.run(added)).toMatchObject({ state: "done" });
    await same("sold");
    // One that cannot be written to at all is told before a run begins.
    const waits = await shop.load("sold");
    await set({ "delta.checkpoint.writeStatsAsJson": "false" });
    await expect(shop.publisher.follow("shop", ["sold"])).rejects.toThrow(UnsupportedTable);
    await expect(shop.publisher.flush()).rejects.toThrow(UnsupportedTable);
    expect(await shop.ledger.run(waits)).toMatchObject({ state: "done" });
    await set({});
    await shop.publisher.flush();
    expect(await shop.inLog("sold")).toHaveLength(3);
    await same("sold");
  });

  it("is one with a column of another type than the log has by now", async () => {
    await shop.load("sold");
    await shop.publisher.flush();
    const head = (await snapshotAt(shop.lake, "sold"))?.metadata;
    const late = await shop.load("sold", { columns: [...columns, { name: "note", type: "VARCHAR" }] });
    const theirs = [...columns, { name: "note", type: "DOUBLE" }];
    if (head !== undefined) await shop.others("sold", { metadata: evolve(head, theirs, "sold") });
    await shop.publisher.flush();
    expect(await shop.ledger.run(late)).toMatchObject({
      state: "failed",
      error: expect.stringMatching(
        /^Column "note" of table "sold" is DOUBLE and would become VARCHAR; .* Run the file again/,
      ),
    });
    expect((await shop.ledger.tables.head("shop", "sold"))?.columns).toEqual(theirs);
    await same("sold");
  });
});

/** What is said of a run whose commit takes out a file that is gone. */
const gone = (path: string) =>
  `Another program took sold/${path} out of the table "sold" while it was to be replaced: nothing of this commit is in that table. Run the file again: npx cais rerun RUN.`;

/** A Parquet file of that many rows. */
async function* parquetOf(rows: number): AsyncGenerator<Uint8Array> {
  const data = Array.from({ length: rows }, (_, n) => n);
  yield new Uint8Array(parquetWriteBuffer({ columnData: [{ name: "n", data, type: "INT32" }] }));
}
