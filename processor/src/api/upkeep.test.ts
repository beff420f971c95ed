import { rm } from "node:fs/promises";
import { TableRows, Upload } from "@cais/spec/api.ts";
import { TableVersions } from "@cais/spec/table-versions.ts";
import { Optimized, Vacuumed } from "@cais/spec/upkeep.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startProcessor } from "../main.ts";
import { configOf, ended, engines, salesStack, send, testFolder } from "../processor-for-tests.ts";

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>>;
beforeAll(async () => {
  folder = await testFolder("api-upkeep");
  processor = await startProcessor(configOf(salesStack()), { engines, dataFolder: folder });
});
afterAll(async () => {
  await processor.stop();
  await rm(folder, { recursive: true });
});

const ask = async (path: string) => (await fetch(`${processor.url}/v1/tables/${path}`, { method: "POST" })).json();

it("puts a table's files together as a version, and vacuums what no kept version needs", async () => {
  for (const n of [1, 2]) {
    const sent = await send(processor.url, "sales", `day,amount,note\n2024-01-01,${n},x\n`);
    await ended(processor.url, Upload.parse(await sent.json()).id);
  }
  const optimized = Optimized.strict().parse(await ask("sales/sold/optimize"));
  expect(optimized).toMatchObject({ stack: "sales", name: "sold", removed: 2, added: 1 });
  const { data } = TableRows.parse(await (await fetch(`${processor.url}/v1/tables/sales/sold`)).json());
  expect(data.map(({ amount }) => amount)).toEqual([1, 2]);
  const newest = async () =>
    TableVersions.parse(await (await fetch(`${processor.url}/v1/tables/sales/sold/versions`)).json()).versions[0];
  await expect.poll(async () => (await newest())?.files, { timeout: 10_000 }).toBe(1);
  // What it took the place of is there for a week.
  expect(Vacuumed.strict().parse(await ask("sales/sold/vacuum?dryRun=true"))).toEqual({
    stack: "sales",
    name: "sold",
    dryRun: true,
    files: [],
  });
  expect(await ask("sales/sold/vacuum")).toMatchObject({ dryRun: false, files: [] });
  for (const path of ["sales/none/optimize", "other/sold/vacuum"])
    expect(await ask(path)).toMatchObject({ type: "urn:cais:problem:no-such-table", status: 404 });
});
