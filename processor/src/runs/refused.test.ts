import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Deliveries } from "@cais/spec/deliveries.ts";
import { Upload } from "@cais/spec/api.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openLedger } from "../ledger/index.ts";
import { startProcessor } from "../main.ts";
import { configOf, ended, engines, salesStack, send, testFolder } from "../processor-for-tests.ts";

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>> | undefined;
beforeEach(async () => {
  folder = await testFolder("refused");
  await (await openLedger({ driver: "sqlite", file: ledgerFile() })).close();
});
afterEach(async () => {
  await processor?.stop();
  await rm(folder, { recursive: true });
});

const ledgerFile = () => join(folder, "ledger.sqlite");

/** Starts a processor of a stack that deletes what it loaded and tells a webhook of all ends. */
async function start(): Promise<string> {
  const { stack, sql } = salesStack({
    source: { upload: { formats: ["csv"], maxBytes: 1_000_000, after: "delete" } },
    sinks: [{ webhook: { url: { secret: "hook-url" }, secret: { secret: "hook-key" } } }],
  });
  processor = await startProcessor(configOf({ stack, sql }), { engines, dataFolder: folder });
  return processor.url;
}

async function load(url: string) {
  const sent = await send(url, "sales", "day,amount,note\n2024-01-01,1,x\n");
  return ended(url, Upload.parse(await sent.json()).id);
}

/** Has the ledger refuse what a run committed as soon as `when`, as the publisher does. */
function refuse(when: string): void {
  const database = new DatabaseSync(ledgerFile());
  database.exec(`CREATE TRIGGER refuse ${when}
    BEGIN UPDATE runs SET refusal = 'Another program rewrote it.' WHERE id = NEW.id; END`);
  database.close();
}

const received = async () =>
  (await readdir(join(folder, "sales/input"), { recursive: true })).filter((key) => key.endsWith(".csv"));

it("tells a webhook that a run failed whose table's log refused what it brought, and keeps the file", async () => {
  refuse("AFTER UPDATE OF committed_at ON runs");
  const url = await start();
  const run = await load(url);
  expect(run).toMatchObject({
    state: "failed",
    error: "Another program rewrote it.",
    open: { scope: "file", rows: 1 },
  });
  const listed = async () => Deliveries.parse(await (await fetch(`${url}/v1/deliveries`)).json()).deliveries;
  // Of the end that it was to have, nobody is told any more.
  await expect
    .poll(async () => (await listed()).map(({ kind, state }) => ({ kind, state })))
    .toEqual([
      { kind: "webhook", state: "retrying" },
      { kind: "webhook", state: "superseded" },
    ]);
  expect(await received()).toHaveLength(1);
});

it("deletes a file when its rows are published", async () => {
  const run = await load(await start());
  expect(run).toMatchObject({ state: "done", outputs: [{ version: 0 }, { version: 0 }] });
  expect(await received()).toEqual([]);
});
