import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startProcessor } from "../main.ts";
import { configOf, salesStack, testFolder } from "../processor-for-tests.ts";
import { openSync } from "./index.ts";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await testFolder("sync");
  file = join(folder, "sync.json");
});
afterEach(() => rm(folder, { recursive: true }));

it("knows how long ago the machine looked, and what it could not do", async () => {
  const told: string[] = [];
  const log = pino({ level: "error" }, { write: (line) => void told.push(line) });
  let seconds = 0;
  const look = openSync(file, log, () => new Date(Date.UTC(2026, 0, 1, 12, 0, seconds)));
  seconds = 40;
  expect(await look()).toEqual({ ageSeconds: 40, problems: null });
  await writeFile(file, '{"at": "2026-01-01T12:00:30Z", "problems": 2}');
  expect(await look()).toEqual({ ageSeconds: 10, problems: 2 });
  seconds = 20;
  expect(await look()).toEqual({ ageSeconds: 0, problems: 2 });
  expect(told).toEqual([]);
  await writeFile(file, '{"at": "yesterday"}');
  expect(await look()).toEqual({ ageSeconds: 20, problems: null });
  expect(told).toEqual([expect.stringContaining("does not tell of the machine's last sync")]);
});

/** What a processor tells of its machine, before and after `meanwhile`. */
async function told(options: { syncFile?: string }, meanwhile: () => Promise<void> = async () => undefined) {
  const processor = await startProcessor(configOf(salesStack()), { dataFolder: folder, ...options });
  const ask = async (path: string) => fetch(`${processor.url}${path}`);
  try {
    const [ready, metrics] = [await ask("/readyz"), await ask("/metrics")];
    await meanwhile();
    const after = await (await ask("/metrics")).text();
    return { status: ready.status, ready: await ready.json(), metrics: await metrics.text(), after };
  } finally {
    await processor.stop();
  }
}

it("is told as metrics and beside what is ready, on a machine that syncs alone", async () => {
  await writeFile(file, '{"at": "2026-01-01T12:00:30Z", "problems": 2}');
  const here = await told({ syncFile: file }, () => rm(file));
  expect(here.metrics).toMatch(/^cais_sync_age_seconds \d{7,}/m);
  expect(here.metrics).toMatch(/^cais_sync_problems 2$/m);
  expect(here.after).not.toMatch(/^cais_sync_problems /m);
  // It takes files all the same, and a balancer must go on passing them.
  expect(here.status).toBe(200);
  expect(here.ready).toEqual({ ready: true, notReady: [], sync: { ageSeconds: expect.any(Number), problems: 2 } });
  const elsewhere = await told({});
  expect(elsewhere.metrics).not.toContain("cais_sync");
  expect(elsewhere.ready).toEqual({ ready: true, notReady: [] });
});
