import { rm } from "node:fs/promises";
import { Runs } from "@cais/spec/api.ts";
import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startProcessor } from "../../../processor/src/main.ts";
import { configOf, salesStack, testFolder } from "../../../processor/src/processor-for-tests.ts";
import { newContainer, swiftCall } from "./containers.ts";
import { openLab, type OpenStack } from "./lab.ts";

const csv = (amount: number) => `day,amount,note\n2024-01-01,${amount},x\n`;

let lab: OpenStack;
let folder: string;
let container: string;
let lines: string[];
let processor: Awaited<ReturnType<typeof startProcessor>>;

beforeAll(async () => {
  lab = await openLab();
  folder = await testFolder("swift-monitor");
  // As the components make it.
  const input = await newContainer(lab, folder, { "X-Versions-Enabled": "true" });
  ({ container } = input);
  const config = configOf(salesStack());
  for (const stack of Object.values(config.stacks)) {
    stack.stores.input = input;
    stack.events = { driver: "monitor", intervalSeconds: 1, fullScanSeconds: 2 };
  }
  lines = [];
  processor = await startProcessor(config, {
    dataFolder: folder,
    log: pino({}, { write: (line: string) => lines.push(line) }),
  });
});
afterAll(async () => {
  await processor.stop();
  await rm(folder, { recursive: true });
});

const put = (key: string, amount: number) => swiftCall(lab, "PUT", `${container}/${key}`, { body: csv(amount) });
const copy = (from: string, to: string) =>
  swiftCall(lab, "PUT", `${container}/${to}`, { headers: { "X-Copy-From": `${container}/${from}` } });
const runs = async () => Runs.parse(await (await fetch(`${processor.url}/v1/runs?limit=100`)).json()).runs;
const loaded = async () => (await runs()).map(({ file, state }) => `${file.key} ${state}`).toSorted();
const again = () => lines.filter((line) => line.includes('"created":false')).length;
const rows = async () => {
  const { data } = (await (await fetch(`${processor.url}/v1/tables/sales/sold?limit=100`)).json()) as {
    data: { amount: number }[];
  };
  return data
    .map(({ amount }) => amount)
    .filter((amount) => amount !== 9)
    .toSorted((a, b) => a - b);
};
const poll = { timeout: 90_000 };

it("finds what is new, overwritten, late, of the same second and renamed, each once", async () => {
  const today = new Date().toISOString().slice(0, 10);
  // Five that Swift gets in the same second, most likely; their names sort before and behind what is there.
  await Promise.all([5, 1, 4, 2, 3].map((n) => put(`${today}/${n}.csv`, n)));
  await put("2001/02/03/late.csv", 6);
  await put("plain.csv", 7);
  const first = [...[1, 2, 3, 4, 5].map((n) => `${today}/${n}.csv`), "2001/02/03/late.csv", "plain.csv"];
  await expect.poll(loaded, poll).toEqual(first.map((key) => `${key} done`).toSorted());

  await put("plain.csv", 8);
  await expect.poll(async () => (await loaded()).length, poll).toBe(8);
  // The first of two writes in a second may go unseen, and the last may not.
  await put(`${today}/1.csv`, 9);
  await put(`${today}/1.csv`, 10);
  await expect.poll(rows, poll).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 10]);

  await copy(`${today}/2.csv`, `${today}/renamed.csv`);
  await swiftCall(lab, "DELETE", `${container}/${today}/2.csv`);
  await expect.poll(again, poll).toBe(1);
  await put(`${today}/last.csv`, 11);
  await expect.poll(rows, poll).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 10, 11]);
  expect(again()).toBe(1);
});
