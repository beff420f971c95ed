import { readdir, rm, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Garbage, Upload } from "@cais/spec/api.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startProcessor } from "../main.ts";
import { configOf, ended, engines, salesStack, send, testFolder } from "../processor-for-tests.ts";

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>>;
beforeAll(async () => {
  folder = await testFolder("gc");
  processor = await startProcessor(configOf(salesStack()), { engines, dataFolder: folder });
});
afterAll(async () => {
  await processor.stop();
  await rm(folder, { recursive: true });
});

it("lists what a crash may have left, then removes it and nothing else", async () => {
  const sent = await send(processor.url, "sales", "day,amount,note\n2024-01-01,1,x\n");
  const { file } = await ended(processor.url, Upload.parse(await sent.json()).id);
  const input = join(folder, "sales/input");
  const day = dirname(file.key);
  const left = `${day}/20240101t000000-0123456789ab.csv`;
  for (const key of [left, `${day}/mine.csv`]) {
    await writeFile(join(input, key), "x");
    await utimes(join(input, key), 0, 0);
  }
  const before = await readdir(join(input, day));
  const ask = async (query: string) => {
    const response = await fetch(`${processor.url}/v1/gc${query}`, { method: "POST" });
    expect(response.status).toBe(200);
    return Garbage.strict().parse(await response.json());
  };
  const objects = [{ store: expect.any(String), key: left, bytes: 1 }];
  expect(await ask("?dryRun=true")).toEqual({ dryRun: true, objects });
  expect(await readdir(join(input, day))).toEqual(before);
  expect(await ask("")).toEqual({ dryRun: false, objects });
  expect(await readdir(join(input, day))).toEqual(before.filter((name) => !left.endsWith(name)));
  expect(await ask("")).toEqual({ dryRun: false, objects: [] });
});
