import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Run, Upload } from "@cais/spec/api.ts";
import { ProcessorConfig } from "@cais/spec/bindings.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startProcessor } from "../../main.ts";
import { configOf, ended, engines, salesStack, send, testFolder } from "../../processor-for-tests.ts";
import { type PowerBi, refreshed, startPowerBi } from "./power-bi-for-tests.ts";

let folder: string;
let bi: PowerBi;
let processor: Awaited<ReturnType<typeof startProcessor>>;
beforeEach(async () => {
  folder = await testFolder("bi");
  bi = await startPowerBi(Date.now);
  const token = { secret: "app" };
  const asked = configOf(
    salesStack({ sinks: [{ bi: { table: "by_day", url: { secret: "rest" }, token, refresh: refreshed } }] }),
  );
  const secrets = { rest: { driver: "file", path: "rest" }, app: { driver: "file", path: "app" } };
  const stacks = { sales: { ...asked.stacks["sales"], secrets } };
  const config = ProcessorConfig.parse({ ...asked, stacks, allowPrivate: ["127.0.0.0/8"] });
  await writeFile(join(folder, "rest"), bi.restUrl, { mode: 0o600 });
  await writeFile(join(folder, "app"), bi.credential, { mode: 0o600 });
  processor = await startProcessor(config, { engines, dataFolder: folder });
});
afterEach(async () => {
  await processor.stop();
  await bi.close();
  await rm(folder, { recursive: true });
});

async function ingest(csv: string): Promise<void> {
  const { id } = Upload.parse(await (await send(processor.url, "sales", csv)).json());
  expect(await ended(processor.url, id)).toMatchObject({ state: "done" });
  const stateOf = async () => {
    const run = Run.parse(await (await fetch(`${processor.url}/v1/runs/${id}`)).json());
    return run.deliveries.map(({ kind, state, error }) => ({ kind, state, error }));
  };
  await expect.poll(stateOf, { timeout: 20_000 }).toEqual([{ kind: "bi", state: "delivered", error: null }]);
}

it("has in Power BI the gold table as the last run left it", async () => {
  await ingest("day,amount,note\n2024-01-02,1.5,a\n2024-01-03,2,b\n");
  await ingest("day,amount,note\n2024-01-02,0.5,c\n");
  expect(bi.rows).toEqual([
    { day: "2024-01-02", amount: 2, sales: 2 },
    { day: "2024-01-03", amount: 2, sales: 1 },
  ]);
  const each = ["token 200", "DELETE 200", "POST 200", "refresh 202"];
  expect(bi.answers).toEqual([...each, ...each]);
});
