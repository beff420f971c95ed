import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startProcessor, type StartOptions } from "../main.ts";
import { configOf, salesStack, send, testFolder } from "../processor-for-tests.ts";

let folder: string;
let stop: (() => Promise<void>) | undefined;
beforeEach(async () => {
  folder = await testFolder("health");
});
afterEach(async () => {
  await stop?.();
  stop = undefined;
  await rm(folder, { recursive: true });
});

async function start(options: Partial<StartOptions> = {}, config = configOf(salesStack())): Promise<string> {
  const processor = await startProcessor(config, { dataFolder: folder, ...options });
  ({ stop } = processor);
  return processor.url;
}

async function readiness(url: string): Promise<{ status: number; notReady: unknown }> {
  const response = await fetch(`${url}/readyz`);
  const { notReady }: { notReady?: unknown } = Object(await response.json());
  return { status: response.status, notReady };
}

it("is ready when all of it is", async () => {
  expect(await readiness(await start())).toEqual({ status: 200, notReady: [] });
});

it("names each store that cannot be written, and is ready again with it", async () => {
  const url = await start();
  const store = join(folder, "sales", "lake");
  await rename(store, `${store}-away`);
  expect(await readiness(url)).toEqual({ status: 503, notReady: ['the lake store of stack "sales"'] });
  await rename(`${store}-away`, store);
  expect(await readiness(url)).toEqual({ status: 200, notReady: [] });
});

it("says that the disk is almost full", async () => {
  const url = await start({ minFreeBytes: Number.MAX_SAFE_INTEGER });
  expect(await readiness(url)).toEqual({ status: 503, notReady: ["disk space"] });
});

it("says that the SQL engine does not start", async () => {
  const config = configOf(salesStack());
  // No limit that an engine takes, so that none opens.
  const url = await start(
    { retry: { firstMs: 60_000 } },
    { ...config, engine: { ...config.engine, memoryBytes: Number.NaN } },
  );
  expect(await readiness(url)).toEqual({ status: 200, notReady: [] });
  await send(url, "sales", "day,amount,note\n2024-01-01,1,x\n");
  const notReady = ["the SQL engine, which did not start the last time"];
  await expect.poll(() => readiness(url), { timeout: 20_000 }).toEqual({ status: 503, notReady });
});
