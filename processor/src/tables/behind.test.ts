import type { StackConfig } from "@cais/spec/bindings.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ObjectStore } from "../object-store/index.ts";
import { sweepLake } from "../runs/sweep.ts";
import { foreign, openShop, type Shop } from "./publishing-for-tests.ts";
import { NotRewound, rewind } from "./rewind.ts";

let shop: Shop;
beforeEach(async () => {
  shop = await openShop();
});
afterEach(() => shop.remove());

/** Writes to a table's log what only a later ledger can have written. */
const byLaterLedger = (table: string) =>
  shop.others(table, {
    adds: [foreign("later.parquet")],
    transaction: { appId: `shop/${table}`, version: 99, lastUpdated: 1 },
  });

async function* content(): AsyncIterable<Uint8Array> {
  yield Buffer.from("0123456789");
}

it("does not rewind a table while a file is not there that the ledger is still to write to its log", async () => {
  const { lake, ledger, publisher } = shop;
  const written = await shop.load("sold");
  await publisher.flush();
  const waiting = await shop.load("sold");
  await byLaterLedger("sold");
  await lake.put(`sold/${written}.parquet`, content());
  const again = () => rewind({ lake, ledger, stack: "shop", table: "sold" });
  await expect(again()).rejects.toThrow(NotRewound);
  await expect(again()).rejects.toThrow(`its file sold/${waiting}.parquet was deleted since`);
  expect(await shop.inLog("sold")).toEqual([`${written}.parquet`, "later.parquet"].toSorted());
  await lake.put(`sold/${waiting}.parquet`, content());
  expect(await again()).toEqual({ version: 0, versions: 1 });
  await publisher.flush();
  expect(await shop.inLog("sold")).toEqual([`${written}.parquet`, `${waiting}.parquet`].toSorted());
});

it("looks at the logs of all of a stack's tables at the same time, and says which one is ahead", async () => {
  for (const table of ["first", "second"]) await shop.load(table);
  await shop.publisher.flush();
  await byLaterLedger("second");
  const { promise: isAsked, resolve: asked } = Promise.withResolvers<void>();
  const lake: ObjectStore = {
    ...shop.lake,
    async *list(prefix, onOther) {
      if (prefix.startsWith("second/")) asked();
      // As a store that does not answer.
      else await isAsked;
      yield* shop.lake.list(prefix, onOther);
    },
  };
  await expect(shop.restart({ lake }).check("shop")).rejects.toThrow("npx cais tables rewind shop/second");
});

it("sees a log that is ahead although other tables have had larger numbers since", async () => {
  await shop.load("sold");
  await shop.publisher.flush();
  await shop.others("sold", {
    adds: [foreign("later.parquet")],
    transaction: { appId: "shop/sold", version: 2, lastUpdated: 1 },
  });
  for (let batch = 2; batch <= 4; batch++) await shop.load("other");
  const publisher = shop.restart();
  await publisher.follow("shop", ["other"]);
  await expect(publisher.follow("shop", ["sold"])).rejects.toThrow('"sold" has batch 2 of a ledger that was later');
  await shop.lake.put(`sold/${(await shop.inLedger("sold"))?.[0]}`, content());
  expect(await rewind({ ...shop, stack: "shop", table: "sold" })).toEqual({ version: 0, versions: 1 });
  await publisher.follow("shop", ["sold"]);
});

it("leaves what is loose in a lake while a log is ahead", async () => {
  const { ledger, lake } = shop;
  const config = { stack: { name: "shop" } } as StackConfig;
  await shop.load("sold");
  await shop.publisher.flush();
  await ledger.loose.note({ stack: "shop", role: "lake", key: "sold/later.parquet" });
  await lake.put("sold/later.parquet", content());
  await byLaterLedger("sold");
  const publisher = shop.restart();
  await expect(sweepLake(ledger, publisher, { config, lake })).rejects.toThrow("npx cais tables rewind shop/sold");
  expect(await lake.head("sold/later.parquet")).toBeDefined();
  await lake.put(`sold/${(await shop.inLedger("sold"))?.[0]}`, content());
  await rewind({ ...shop, stack: "shop", table: "sold" });
  await sweepLake(ledger, publisher, { config, lake });
  expect([await lake.head("sold/later.parquet"), await ledger.loose.all()]).toEqual([undefined, []]);
});
