import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { TableRows, Upload } from "@cais/spec/api.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startProcessor } from "../main.ts";
import { configOf, ended, engines, salesStack, send, testFolder } from "../processor-for-tests.ts";

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>> | undefined;
beforeEach(async () => {
  folder = await testFolder("dropped");
});
afterEach(async () => {
  await processor?.stop();
  processor = undefined;
  await rm(folder, { recursive: true });
});

// No table is replaced, so what SQL of the session sees last is what the last run of the batch left.
it.each([
  ["before its tables", "2024-01-01,-1,refused"],
  ["between its tables", "2024-01-01,1,bad"],
])("delivers the other runs of a batch whose last one drops out %s, and nothing of that one", async (_when, row) => {
  const { stack, sql } = salesStack({
    tables: [
      { name: "sold", layer: "silver", sql: "sold.sql", disposition: "append" },
      { name: "notes", layer: "silver", sql: "notes.sql", disposition: "append" },
    ],
  });
  const notes = { "notes.sql": "SELECT day, CASE note WHEN 'bad' THEN error('no') ELSE note END AS note FROM input" };
  processor = await startProcessor(configOf({ stack, sql: { ...sql, ...notes } }), { engines, dataFolder: folder });
  const { url } = processor;
  const upload = async (line: string) =>
    Upload.parse(await (await send(url, "sales", `day,amount,note\n${line}\n`)).json()).id;
  // The first keeps the stack busy, so that the others wait together.
  const first = await upload("2024-01-01,1,first");
  const good = await upload("2024-01-01,1,good");
  const bad = await upload(row);
  expect((await ended(url, bad)).state).not.toBe("done");
  for (const id of [first, good]) expect(await ended(url, id)).toMatchObject({ state: "done", error: null });
  const { data } = TableRows.parse(await (await fetch(`${url}/v1/tables/sales/sold`)).json());
  expect(data.map(({ note }) => note)).toEqual(["first", "good"]);
  const csv = await readFile(join(folder, "sales/output/out/sold.csv"), "utf8");
  expect(csv.trimEnd().split("\r\n").slice(1)).toEqual(["2024-01-01,1.0,first", "2024-01-01,1.0,good"]);
});
