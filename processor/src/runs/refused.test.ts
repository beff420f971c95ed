import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Deliveries } from "@cais/spec/deliveries.ts";
import { Upload } from "@cais/spec/api.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openLedger } from "../ledger/index.ts";
import { startProcessor } from "../main.ts";
import { configOf, ended, salesStack, send, testFolder } from "../processor-for-tests.ts";

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>>;
beforeEach(async () => {
  folder = await testFolder("refused");
  const file = join(folder, "ledger.sqlite");
  await (await openLedger({ driver: "sqlite", file })).close();
  const database = new DatabaseSync(file);
  // As the publisher does while a run delivers.
  database.exec(`CREATE TRIGGER refuse AFTER INSERT ON runs
    BEGIN UPDATE runs SET refusal = 'Another program rewrote it.' WHERE id = NEW.id; END`);
  database.close();
  const { stack, sql } = salesStack();
  const sinks = [{ webhook: { url: { secret: "hook-url" }, secret: { secret: "hook-key" }, on: ["failed" as const] } }];
  processor = await startProcessor(configOf({ stack: { ...stack, sinks }, sql }), { dataFolder: folder });
});
afterEach(async () => {
  await processor.stop();
  await rm(folder, { recursive: true });
});

it("tells a webhook that a run failed whose table's log refused what it brought", async () => {
  const sent = await send(processor.url, "sales", "day,amount,note\n2024-01-01,1,x\n");
  const { id } = Upload.parse(await sent.json());
  expect(await ended(processor.url, id)).toMatchObject({ state: "failed", error: "Another program rewrote it." });
  const listed = async () => Deliveries.parse(await (await fetch(`${processor.url}/v1/deliveries`)).json()).deliveries;
  await expect
    .poll(async () => (await listed()).map(({ run, kind }) => ({ run, kind })))
    .toEqual([{ run: id, kind: "webhook" }]);
});
