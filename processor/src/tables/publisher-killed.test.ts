import { afterEach, beforeEach, expect, it } from "vitest";
import type { Ledger } from "../ledger/index.ts";
import type { ObjectStore } from "../object-store/index.ts";
import { listLog, readVersion } from "./delta/log.ts";
import { foreign, openShop, type Shop } from "./publishing-for-tests.ts";

let shop: Shop;
beforeEach(async () => {
  shop = await openShop();
});
afterEach(() => shop.remove());

it("killed at any moment, a publisher has no commit twice and none lost, and a log that is the ledger's table", async () => {
  const undisturbed = dying(Number.POSITIVE_INFINITY);
  await story(undisturbed.through);
  const total = undisturbed.calls();
  expect(total).toBeGreaterThan(9);
  for (let at = 0; at < total; at++) {
    await shop.remove();
    shop = await openShop();
    const last = await story(dying(at).through);
    const next = shop.restart();
    await next.start();
    await next.follow("shop", ["sold", "by_day"]);
    expect({ at, waiting: await shop.ledger.publications.pending() }).toEqual({ at, waiting: [] });
    for (const table of ["sold", "by_day"]) {
      expect(await shop.inLog(table)).toEqual(await shop.inLedger(table));
      const batches: number[] = [];
      const added: string[] = [];
      for (const version of (await listLog(shop.lake, table)).versions.keys()) {
        const { adds, others } = (await readVersion(shop.lake, table, version)) ?? { adds: [], others: [] };
        added.push(...adds.map(({ path }) => path));
        batches.push(...others.flatMap(({ txn }) => txn?.version ?? []));
      }
      expect(batches).toEqual([...new Set(batches)].toSorted((one, other) => one - other));
      expect(new Set(added).size).toBe(added.length);
    }
    expect(await shop.inLog("by_day")).toEqual([`${last.day}.parquet`]);
    const isRefused = (await shop.ledger.run(last.rerun))?.state === "failed";
    const sold = isRefused
      ? [`${last.sold}.parquet`, "theirs.parquet"]
      : [`${last.again}.parquet`, `${last.sold}.parquet`];
    expect(await shop.inLog("sold")).toEqual(sold.toSorted());
    const states = [last.rerun, last.again, last.sold].map(async (run) => (await shop.ledger.run(run))?.state);
    expect(await Promise.all(states)).toEqual(isRefused ? ["failed", "failed", "done"] : ["done", "done", "done"]);
  }
});

/** Cuts off before the `at`th write, which is after the one before. */
function dying(at: number) {
  let calls = 0;
  const call = async <T>(work: () => Promise<T>): Promise<T> => {
    if (calls++ >= at) throw new Error("killed");
    return work();
  };
  const { lake, ledger } = shop;
  const dyingLake: ObjectStore = { ...lake, put: (...args) => call(() => lake.put(...args)) };
  const { publications, tables } = ledger;
  const dyingLedger: Ledger = {
    ...ledger,
    tables: { ...tables, follow: (...args) => call(() => tables.follow(...args)) },
    publications: {
      ...publications,
      published: (...args) => call(() => publications.published(...args)),
      refused: (...args) => call(() => publications.refused(...args)),
    },
  };
  return { through: { lake: dyingLake, ledger: dyingLedger }, calls: () => calls };
}

/** Commits of the ledger and of another program, with a publisher that may end at any of its writes. */
async function story(through: { lake: ObjectStore; ledger: Ledger }) {
  const publish = async () => {
    try {
      await shop.restart(through).flush();
    } catch (error) {
      if (!(error instanceof Error && error.message === "killed")) throw error;
    }
  };
  const a = await shop.load("sold");
  await shop.load("by_day", { whole: true });
  await publish();
  await shop.load("by_day", { whole: true });
  const day = await shop.load("by_day", { whole: true });
  const rerun = await shop.load("sold", { removes: [`sold/${a}.parquet`] });
  const again = await shop.load("sold", { removes: [`sold/${rerun}.parquet`] });
  const sold = await shop.load("sold");
  if ((await shop.inLog("sold"))?.includes(`${a}.parquet`) === true)
    await shop.others("sold", { adds: [foreign("theirs.parquet")], remove: [`${a}.parquet`] });
  await publish();
  return { day, rerun, again, sold };
}
