import type { Run } from "@cais/spec/api.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openShop, type Shop } from "./publishing-for-tests.ts";

let shop: Shop;
beforeEach(async () => {
  shop = await openShop();
});
afterEach(() => shop.remove());

it("tells of a run that had ended when its commit was refused, as often as it takes", async () => {
  const before = await shop.load("sold");
  await shop.publisher.flush();
  const refused = await shop.load("sold", { removes: [`sold/${before}.parquet`] });
  await shop.others("sold", { remove: [`${before}.parquet`] });
  const told: Pick<Run, "id" | "state">[] = [];
  const tellFailed = async ({ id, state }: Run) => {
    told.push({ id, state });
    if (told.length === 1) throw new Error("The disk is full.");
  };
  await expect(shop.restart({ tellFailed }).flush()).rejects.toThrow("The disk is full.");
  await shop.restart({ tellFailed }).start();
  await shop.restart({ tellFailed }).start();
  expect(told).toEqual([
    { id: refused, state: "failed" },
    { id: refused, state: "failed" },
  ]);
});
