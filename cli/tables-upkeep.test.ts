import { join } from "node:path";
import { Vacuumed } from "@cais/spec/upkeep.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { cais, scratch, start, type Started, sweep } from "../tests/start.ts";

const sample = join(import.meta.dirname, "..", "stacks", "inmet", "sample.csv");
let data: string;
let processor: Started;
beforeAll(async () => {
  data = await scratch("tables-upkeep");
  processor = await start(data);
}, 60_000);
afterAll(async () => {
  await processor?.stop();
  await sweep(data);
});

const run = (...args: string[]) => cais(["tables", ...args, "--url", processor.url]);

it("optimizes and vacuums a table", { timeout: 60_000 }, async () => {
  const none = "There are no small files to put together.\n";
  expect(await run("optimize", "inmet/inmet")).toEqual({ code: 0, stdout: none, stderr: "" });
  for (const again of [[], ["--again"]])
    expect((await cais(["ingest", "inmet", sample, "--wait", ...again, "--url", processor.url])).code).toBe(0);
  expect(await run("optimize", "inmet/inmet")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^2 files became 1 file of \d+\.\d kB\.\n$/),
  });
  expect((await run("optimize", "inmet/inmet")).stdout).toBe(none);
  expect(await run("vacuum", "inmet/inmet", "--dry-run")).toMatchObject({
    code: 0,
    stdout: "There is nothing to delete.\n",
  });
  const { stdout } = await run("vacuum", "inmet/inmet", "--json");
  expect(Vacuumed.parse(JSON.parse(stdout))).toEqual({ stack: "inmet", name: "inmet", dryRun: false, files: [] });
  expect(await run("optimize", "inmet")).toMatchObject({ code: 2, stderr: expect.stringContaining("STACK/TABLE") });
  expect(await run("vacuum", "inmet/none")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("There is no table"),
  });
});
