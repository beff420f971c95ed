import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Tables } from "@cais/spec/api.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openLedger } from "../ledger/index.ts";
import { startProcessor } from "../main.ts";
import { configOf, ended, engines, salesStack, testFolder } from "../processor-for-tests.ts";
import { openStack } from "./stack.ts";

let folder: string;
beforeEach(async () => {
  folder = await testFolder("overwritten");
});
afterEach(() => rm(folder, { recursive: true }));

it("loads no content but the one that was claimed", async () => {
  const config = configOf(salesStack());
  const { sales } = config.stacks;
  if (sales === undefined) throw new Error("unreachable");
  const { input } = await openStack(sales, folder);
  const ledger = await openLedger({ driver: "sqlite", file: join(folder, "ledger.sqlite") });
  const put = async (key: string, amount: number) => {
    const object = await input.put(key, new Blob([`day,amount,note\n2024-01-01,${amount},x\n`]).stream());
    const { run } = await ledger.claim({ ...object, stack: "sales", store: input.id, key, name: key });
    return run.id;
  };
  const [first, other, second] = [await put("a.csv", 1), await put("b.csv", 2), await put("a.csv", 3)];
  await ledger.close();
  const { url, stop } = await startProcessor(config, { engines, dataFolder: folder });
  try {
    expect(await ended(url, first)).toMatchObject({
      state: "failed",
      error: `The file ${input.location("a.csv")} was overwritten before it was loaded; what lies there now is a file of its own.`,
    });
    for (const id of [other, second]) expect(await ended(url, id)).toMatchObject({ state: "done", rows: { clean: 1 } });
    const { tables } = Tables.parse(await (await fetch(`${url}/v1/tables`)).json());
    expect(tables.find(({ name }) => name === "sold")?.rows).toBe(2);
  } finally {
    await stop();
  }
});

it("loads a content that was put again before it was loaded, once", async () => {
  const config = configOf(salesStack());
  const { sales } = config.stacks;
  if (sales === undefined) throw new Error("unreachable");
  const { input } = await openStack(sales, folder);
  const ledger = await openLedger({ driver: "sqlite", file: join(folder, "ledger.sqlite") });
  const put = async () => {
    const object = await input.put("a.csv", new Blob(["day,amount,note\n2024-01-01,1,x\n"]).stream());
    return ledger.claim({ ...object, stack: "sales", store: input.id, key: "a.csv", name: "a.csv" }, { kept: true });
  };
  const first = await put();
  // The second version has the first one's run, since it has its content.
  expect(await put()).toMatchObject({ created: false, run: { id: first.run.id } });
  await ledger.close();
  const { url, stop } = await startProcessor(config, { engines, dataFolder: folder });
  try {
    expect(await ended(url, first.run.id)).toMatchObject({ state: "done", rows: { clean: 1 } });
    const { tables } = Tables.parse(await (await fetch(`${url}/v1/tables`)).json());
    expect(tables.find(({ name }) => name === "sold")?.rows).toBe(1);
  } finally {
    await stop();
  }
});
