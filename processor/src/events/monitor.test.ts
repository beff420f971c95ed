import { copyFile, mkdir, rename, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Run, Runs, Stacks, TableRows } from "@cais/spec/api.ts";
import type { ProcessorConfig } from "@cais/spec/bindings.ts";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startProcessor } from "../main.ts";
import { configOf, ended, engines, salesStack, send, testFolder } from "../processor-for-tests.ts";

let folder: string;
let input: string;
let lines: string[];
let url: string;
let processor: Awaited<ReturnType<typeof startProcessor>> | undefined;

async function start(): Promise<void> {
  await processor?.stop();
  lines = [];
  const config: ProcessorConfig = configOf(salesStack());
  for (const stack of Object.values(config.stacks)) stack.events = { driver: "monitor", intervalSeconds: 1 };
  const log = pino({}, { write: (line: string) => lines.push(line) });
  processor = await startProcessor(config, { engines, dataFolder: folder, log });
  ({ url } = processor);
}
beforeEach(async () => {
  folder = await testFolder("monitor");
  input = join(folder, "sales/input");
  await start();
});
afterEach(async () => {
  await processor?.stop();
  await rm(folder, { recursive: true });
});

const csv = (...amounts: number[]) =>
  `day,amount,note\n${amounts.map((amount) => `2024-01-01,${amount},x\n`).join("")}`;
const listed = async () => Runs.parse(await (await fetch(`${url}/v1/runs`)).json()).runs;
const rows = async () =>
  TableRows.parse(await (await fetch(`${url}/v1/tables/sales/sold`)).json()).data.map(({ amount }) => amount);
const said = (text: string) => lines.filter((line) => line.includes(text)).length;
/** Puts a whole file there at once: one that grows is seen in several versions. */
async function put(name: string, content: string): Promise<void> {
  await writeFile(join(folder, name), content);
  await rename(join(folder, name), join(input, name));
}
/** Waits until so many runs were made, and have ended. */
async function runs(count: number): Promise<Run[]> {
  await expect.poll(async () => (await listed()).length, { timeout: 15_000 }).toBe(count);
  return Promise.all((await listed()).map(({ id }) => ended(url, id)));
}

it("loads a file that is put into the folder once, and again when it is overwritten", async () => {
  await mkdir(join(input, "São Paulo"));
  await writeFile(join(input, "São Paulo/vendas 1.csv"), csv(1, 2));
  expect(await runs(1)).toMatchObject([
    {
      state: "done",
      kind: "load",
      file: { name: "vendas 1.csv", key: "São Paulo/vendas 1.csv" },
      rows: { read: 2, clean: 2 },
    },
  ]);
  await writeFile(join(input, "São Paulo/vendas 1.csv"), csv(3));
  expect(await runs(2)).toMatchObject([{ state: "done", rows: { read: 1 } }, { state: "done" }]);
  await start();
  // A marker that is loaded shows that everything before it was looked at.
  await writeFile(join(input, "marker.csv"), csv(4));
  await runs(3);
  expect(await rows()).toEqual([1, 2, 3, 4]);
});

it("answers a file with known content by the first run, over a restart too", async () => {
  const first = await (await send(url, "sales", csv(5), "sent.csv")).json();
  expect(first).toMatchObject({ id: expect.any(String) });
  await runs(1);
  await writeFile(join(input, "same.csv"), csv(5));
  await expect.poll(() => said('"created":false'), { timeout: 15_000 }).toBe(1);
  await start();
  await writeFile(join(input, "marker.csv"), csv(6));
  await runs(2);
  expect(said('"created":false')).toBe(0);
  expect(await rows()).toEqual([5, 6]);
});

it("leaves alone what the stack does not take, and what Cais keeps there", async () => {
  await put("notes.pdf", "x");
  await put("large.csv", "x".repeat(1_000_001));
  await writeFile(join(input, ".hidden.csv"), csv(1));
  await writeFile(join(input, "back\\slash.csv"), csv(1));
  for (const own of ["archive", "corrections"]) {
    await mkdir(join(input, own));
    await writeFile(join(input, own, "own.csv"), csv(1));
  }
  const past = new Date(Date.now() - 60_000);
  await writeFile(join(folder, "old.csv"), csv(2));
  await utimes(join(folder, "old.csv"), past, past);
  await rename(join(folder, "old.csv"), join(input, "old.csv"));
  expect(await runs(1)).toMatchObject([{ file: { key: "old.csv" } }]);
  await copyFile(join(input, "old.csv"), join(input, "two.csv"));
  await expect.poll(() => said('"created":false'), { timeout: 15_000 }).toBe(1);
  expect(said("its name has none of the endings")).toBe(1);
  expect(said("it is larger than the stack's maxBytes")).toBe(1);
  expect(said("its name is no key, or it is a link")).toBe(1);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toContain('cais_ignored_objects_total{stack="sales"} 3');
  const { stacks } = Stacks.parse(await (await fetch(`${url}/v1/stacks`)).json());
  // Three that it does not take, two files, and what was sent to it before.
  expect(stacks[0]?.fullScan).toMatchObject({ ignored: 3, seconds: expect.any(Number) });
  expect(await listed()).toHaveLength(1);
});
