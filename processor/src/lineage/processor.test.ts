import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Run, Upload } from "@cais/spec/api.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startProcessor } from "../main.ts";
import { configOf, ended, engines, salesStack, send, testFolder } from "../processor-for-tests.ts";
import { uuidOf } from "./event.ts";

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>>;
beforeEach(async () => {
  folder = await testFolder("lineage");
  const config = configOf(salesStack());
  config.lineage = { driver: "file", path: "lineage.ndjson" };
  processor = await startProcessor(config, { engines, dataFolder: folder });
});
afterEach(() => rm(folder, { recursive: true }));

async function ingest(csv: string): Promise<Run> {
  const { id } = Upload.parse(await (await send(processor.url, "sales", csv)).json());
  return ended(processor.url, id);
}

it("tells of each run, with the tables that it made", async () => {
  const { id: done } = await ingest("day,amount,note\n2024-01-02,1.5,a\n");
  const { id: quarantined, state } = await ingest("nothing\n1\n");
  expect(state).toBe("quarantined");
  await processor.stop();
  const lines = (await readFile(join(folder, "lineage.ndjson"), "utf8")).trimEnd().split("\n");
  const events = lines.map((line): Record<string, never> => JSON.parse(line));
  const of = (id: string) => events.filter((event) => JSON.stringify(event).includes(uuidOf(id)));
  expect(of(quarantined)).toMatchObject([{ eventType: "START" }, { eventType: "FAIL", outputs: [] }]);
  const lake = join(folder, "sales/lake");
  expect(of(done)).toMatchObject([
    { eventType: "START", job: { namespace: "cais-dev", name: "sales" }, inputs: [{ namespace: "file" }] },
    {
      eventType: "COMPLETE",
      inputs: [{ inputFacets: { inputStatistics: { rowCount: 1 } } }],
      outputs: [
        {
          namespace: "file",
          name: join(lake, "sold"),
          facets: { schema: { fields: [{ name: "day", type: "DATE" }, { name: "amount" }, { name: "note" }] } },
          outputFacets: { outputStatistics: { rowCount: 1 } },
        },
        { name: join(lake, "by_day") },
        { name: join(folder, "sales/output/out/sold.csv") },
      ],
    },
  ]);
});
