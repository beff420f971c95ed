import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Deliveries } from "@cais/spec/deliveries.ts";
import { startProcessor } from "@cais/processor/src/main.ts";
import { configOf, ended, engines, salesStack, send } from "@cais/processor/src/processor-for-tests.ts";
import { Upload } from "@cais/spec/api.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { cais, scratch, sweep } from "../tests/start.ts";

let data: string;
let processor: Awaited<ReturnType<typeof startProcessor>>;
beforeAll(async () => {
  data = await scratch("deliveries");
  processor = await startProcessor(configOf(salesStack()), { engines, dataFolder: data });
});
afterAll(async () => {
  await processor.stop();
  await sweep(data);
});

const run = (...args: string[]) => cais(["deliveries", ...args, "--url", processor.url]);

it("lists what waits and why, tries it again, and says what cannot be tried", { timeout: 60_000 }, async () => {
  expect(await run()).toEqual({ code: 0, stdout: "No deliveries yet.\n", stderr: "" });
  const inTheWay = join(data, "sales/output/out");
  await writeFile(inTheWay, "");
  const { id } = Upload.parse(await (await send(processor.url, "sales", "day,amount,note\n2024-01-01,1,x\n")).json());
  expect((await ended(processor.url, id)).state).toBe("done");
  const state = async () =>
    Deliveries.parse(await (await fetch(`${processor.url}/v1/deliveries`)).json()).deliveries[0]?.state;
  await expect.poll(state, { timeout: 20_000 }).toBe("retrying");
  expect((await run("--stack", "sales", "--state", "retrying")).stdout).toMatch(
    new RegExp(
      String.raw`^ {5}1  retrying    sales  0-csv-sold  ${id}  1 row, \d+ B, 1 attempt, again at 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\n {8}\S+/sold\.csv cannot be written \(\w+\); is its disk full, or something else in its place\?\n$`,
    ),
  );
  expect(await run("--state", "failed")).toEqual({ code: 0, stdout: "No delivery is like that.\n", stderr: "" });

  await rm(inTheWay);
  expect(await run("retry", "1")).toEqual({
    code: 0,
    stdout: expect.stringMatching(/^ {5}1  pending     sales  0-csv-sold /),
    stderr: "",
  });
  await expect.poll(state, { timeout: 20_000 }).toBe("delivered");
  expect(await run("retry", "1")).toEqual({
    code: 1,
    stdout: "",
    stderr: "cais: Conflict: The delivery 1 is delivered; only one that waits or failed is tried again.\n",
  });
  expect(await run("retry", "no-number")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("must be a whole number from 1 to"),
  });
  const json = await run("--run", id, "--json");
  expect(Deliveries.parse(JSON.parse(json.stdout))).toMatchObject({ deliveries: [{ id: 1, run: id }], next: null });
});
