import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { testFolder } from "../../processor-for-tests.ts";
import { DeliveryDelayed } from "../faults.ts";
import { type Limiter, openLimiter } from "./limiter.ts";

let folder: string;
let file: string;
let clock: number;
let limiter: Limiter;
let files = 0;
beforeAll(async () => {
  folder = await testFolder("limiter");
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(async () => {
  clock = Date.parse("2024-01-02T03:00:00Z");
  files += 1;
  file = join(folder, "sinks", `${files}.json`);
  limiter = await openLimiter(file, () => clock);
});

/** Seconds that a POST has to wait, or 0 when it was made; it took `ms`. */
async function post(rows: number, { table = "t", ms = 0, status = 200 } = {}): Promise<number> {
  try {
    await limiter.post(table, rows, async () => {
      clock += ms;
      return { status };
    });
    return 0;
  } catch (error) {
    if (!(error instanceof DeliveryDelayed) || error.counts) throw error;
    return error.afterSeconds;
  }
}

async function posts(times: number, rows: number, options = {}): Promise<void> {
  for (let i = 0; i < times; i += 1) expect(await post(rows, options)).toBe(0);
}

it("takes 120 POSTs in any minute, counted from when each was over", async () => {
  await posts(119, 1);
  await posts(1, 1, { ms: 20_000 });
  expect(await post(1)).toBe(40);
  clock += 39_999;
  expect(await post(1)).toBe(1);
  clock += 1;
  await posts(119, 1);
  expect(await post(1)).toBe(20);
});

it("takes 1,000,000 rows in any hour", async () => {
  await posts(1, 400_000);
  clock += 600_000;
  await limiter.emptied("t");
  await posts(1, 600_000);
  await limiter.emptied("t");
  expect(await post(1)).toBe(3000);
  clock += 3_000_000;
  await posts(1, 400_000);
  expect(await post(1)).toBe(600);
});

it("takes 120 POSTs in any hour once a table holds 250,000 rows, until it is emptied", async () => {
  await posts(1, 249_999);
  await posts(100, 0);
  clock += 60_000;
  await posts(1, 1);
  await posts(18, 1);
  expect(await post(1)).toBe(3540);
  expect(await post(1, { table: "other" })).toBe(3540);
  await limiter.emptied("t");
  await posts(101, 1);
  expect(await post(1)).toBe(60);
});

it("lets no more than five be on their way, and counts their rows", async () => {
  const { promise, resolve } = Promise.withResolvers<{ status: number }>();
  const five = Array.from({ length: 5 }, () => limiter.post("t", 200_000, () => promise));
  expect(await post(1)).toBe(1);
  resolve({ status: 200 });
  await Promise.all(five);
  expect(await post(1)).toBe(3600);
});

it("waits as long as Power BI asks", async () => {
  await limiter.pause(90);
  expect(await post(1)).toBe(90);
  clock += 90_000;
  expect(await post(1)).toBe(0);
});

it("counts rows as stored unless they were refused, and every POST as one", async () => {
  await posts(1, 10, { status: 400 });
  expect(limiter.rowsIn("t")).toBe(0);
  await posts(1, 10, { status: 500 });
  await expect(limiter.post("t", 10, () => Promise.reject(new Error("cut")))).rejects.toThrow("cut");
  expect(limiter.rowsIn("t")).toBe(20);
  await posts(117, 0);
  expect(await post(1)).toBe(60);
});

it("holds over a restart", async () => {
  await posts(120, 10);
  await limiter.refreshed(clock);
  limiter = await openLimiter(file, () => clock);
  expect(await post(1)).toBe(60);
  expect(limiter.rowsIn("t")).toBe(1200);
  expect(limiter.refreshedAt()).toBe(clock);
});
