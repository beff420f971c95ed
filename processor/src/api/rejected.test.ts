import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DuckDBInstance } from "@duckdb/node-api";
import { Problem, RejectedRow, Run, Upload } from "@cais/spec/api.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startProcessor } from "../main.ts";
import { configOf, ended, engines, salesStack, send, testFolder } from "../processor-for-tests.ts";

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>>;
const start = async () => (processor = await startProcessor(configOf(salesStack()), { engines, dataFolder: folder }));
beforeEach(async () => {
  folder = await testFolder("rejected-api");
  await start();
});
afterEach(async () => {
  await processor.stop();
  await rm(folder, { recursive: true });
});

/** Makes a run's refused rows those that the first version of Cais kept: mistakes alone, and no header. */
async function makeOld(id: string): Promise<void> {
  await processor.stop();
  const ledger = new DatabaseSync(join(folder, "ledger.sqlite"));
  ledger.prepare("UPDATE runs SET header = NULL WHERE id = ?").run(id);
  ledger.close();
  const [name = ""] = await readdir(join(folder, "sales/lake/rejected-rows"));
  const file = join(folder, "sales/lake/rejected-rows", name);
  await rm(file);
  const connection = await (await DuckDBInstance.create()).connect();
  await connection.run(
    `COPY (SELECT 3::BIGINT AS "row", 'amount' AS "column", 'is less than 0' AS reason, '-2' AS value) TO '${file}' (FORMAT parquet)`,
  );
  connection.closeSync();
  await start();
}

it("gives the refused rows that the first version of Cais kept, and replays their file whole", async () => {
  const content = "day,amount,note\n2024-01-01,1,a\n2024-01-02,-2,b\n";
  const { id } = Upload.parse(await (await send(processor.url, "sales", content)).json());
  await ended(processor.url, id);
  await makeOld(id);
  const url = `${processor.url}/v1/runs/${id}`;
  const text = async (format: string) => (await fetch(`${url}/rejected?format=${format}`)).text();
  expect(RejectedRow.parse(JSON.parse(await text("ndjson")))).toEqual({
    row: 3,
    member: null,
    column: "amount",
    reason: "is less than 0",
    value: "-2",
    text: null,
  });
  expect(await text("csv")).toBe("row,member,column,reason,value,text\r\n3,,amount,is less than 0,-2,\r\n");
  expect(Problem.parse(JSON.parse(await text("editable")))).toMatchObject({
    status: 409,
    detail: 'No rows of "file.csv" are kept apart; download the file itself, correct it and send it.',
  });
  const replay = Run.parse(await (await fetch(`${url}/replays`, { method: "POST" })).json());
  expect(await ended(processor.url, replay.id)).toMatchObject({
    state: "done",
    rows: { read: 2, clean: 1, rejected: 1 },
  });
  const csv = await (await fetch(`${processor.url}/v1/tables/sales/sold.csv`)).text();
  expect(csv).toBe("day,amount,note\r\n2024-01-01,1.0,a\r\n");
});
