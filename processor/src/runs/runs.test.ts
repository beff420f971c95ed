import { appendFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Run, TableRows, Upload } from "@cais/spec/api.ts";
import type { ProcessorConfig } from "@cais/spec/bindings.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { pino } from "pino";
import { z } from "zod";
import { startProcessor } from "../main.ts";
import { configOf, ended, engines, salesStack, send, testFolder } from "../processor-for-tests.ts";
import { deltaTable } from "./delta-for-tests.ts";

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>> | undefined;
beforeEach(async () => {
  folder = await testFolder("runs");
});
afterEach(async () => {
  await processor?.stop();
  await rm(folder, { recursive: true });
});

async function start(config: ProcessorConfig, runSeconds?: number): Promise<string> {
  await processor?.stop();
  const retry = { attempts: 2, firstMs: 1 };
  processor = await startProcessor(config, {
    engines,
    dataFolder: folder,
    retry,
    ...(runSeconds !== undefined && { runSeconds }),
  });
  return processor.url;
}
async function ingest(url: string, content: string, query = "") {
  const { id } = Upload.parse(await (await send(url, "sales", content, "file.csv", query)).json());
  return ended(url, id);
}
const tableRows = async (url: string, table: string) =>
  TableRows.parse(await (await fetch(`${url}/v1/tables/sales/${table}`)).json()).data;
const rejected = async (url: string, id: string) => (await fetch(`${url}/v1/runs/${id}/rejected`)).text();
const files = async (path: string) =>
  (await readdir(join(folder, path), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
    .length;

/** The steps that have not finished. */
const stoppedIn = (run: Run) => run.steps.filter(({ finishedAt }) => finishedAt === null).map(({ name }) => name);

const { stack, sql } = salesStack();
const mixed = "day,amount,note\n2024-01-01,1,a\n2024-01-01,-1,b\n";

it("appends to one table and replaces another, and has both in their Delta logs", async () => {
  const url = await start(configOf({ stack, sql }));
  for (const day of ["2024-01-01", "2024-01-02", "2024-01-01"])
    expect((await ingest(url, `day,amount,note\n${day},1,x\n`, "?again=true")).state).toBe("done");
  expect(await tableRows(url, "by_day")).toEqual([
    { day: "2024-01-01", amount: 2, sales: 2 },
    { day: "2024-01-02", amount: 1, sales: 1 },
  ]);
  expect((await readFile(join(folder, "sales/output/out/sold.csv"), "utf8")).split("\r\n")).toHaveLength(5);
  expect(await readdir(join(folder, "work/runs"))).toEqual([]);
  await processor?.stop();
  processor = undefined;
  expect((await deltaTable(folder, "sales", "sold")).files).toBe(3);
  const byDay = await deltaTable(folder, "sales", "by_day");
  expect(byDay.files).toBe(1);
  expect(byDay.rows).toEqual([
    { day: "2024-01-01", amount: 2, sales: "2" },
    { day: "2024-01-02", amount: 1, sales: "1" },
  ]);
});

it("lists what a run made in the order of the stack's tables, then the sinks", async () => {
  const third = { name: "notes", layer: "silver" as const, sql: "notes.sql", disposition: "append" as const };
  const tables = [...stack.tables, third];
  const url = await start(
    configOf({ stack: { ...stack, tables }, sql: { ...sql, "notes.sql": "SELECT note FROM input" } }),
  );
  const { outputs } = await ingest(url, mixed);
  expect(outputs.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
    "table sold",
    "table by_day",
    "table notes",
    "csv sold",
  ]);
});

it("is done with its tables where a sink fails, and delivers later", async () => {
  const url = await start(configOf({ stack, sql }));
  // A file where the sink wants a folder.
  await writeFile(join(folder, "sales/output/out"), "");
  const first = await ingest(url, mixed);
  expect(first).toMatchObject({ state: "done", error: null });
  expect(stoppedIn(first)).toEqual([]);
  expect(await tableRows(url, "sold")).toHaveLength(1);
  const delivery = async () => Run.parse(await (await fetch(`${url}/v1/runs/${first.id}`)).json()).deliveries[0];
  await expect.poll(async () => (await delivery())?.state).toBe("retrying");
  await rm(join(folder, "sales/output/out"));
  const again = await fetch(`${url}/v1/deliveries/${(await delivery())?.id}/retry`, { method: "POST" });
  expect(again.status).toBe(202);
  await expect.poll(async () => (await delivery())?.state).toBe("delivered");
  expect((await readFile(join(folder, "sales/output/out/sold.csv"), "utf8")).split("\r\n")).toHaveLength(3);
});

it("loads the same content again where that is asked for", async () => {
  const url = await start(configOf({ stack, sql }));
  const first = await ingest(url, mixed);
  expect((await ingest(url, mixed)).id).toBe(first.id);
  expect((await ingest(url, mixed, "?again=true")).id).not.toBe(first.id);
  expect(await tableRows(url, "sold")).toHaveLength(2);
});

const policy = (onViolation: "quarantine" | "fail" | "discard") =>
  start(configOf({ stack: { ...stack, contract: { ...stack.contract, onViolation } }, sql }));

it("quarantine keeps the refused rows, fail stops at them, discard only counts them", async () => {
  let url = await policy("fail");
  const failed = await ingest(url, mixed);
  expect(failed).toMatchObject({
    state: "failed",
    rows: { read: 2, clean: 1, rejected: 1 },
    error: "1 of 2 rows break the contract, and the stack asks for none; see the rejected rows.",
  });
  expect(stoppedIn(failed)).toEqual(["contract"]);
  expect(await rejected(url, failed.id)).toContain("is below 0");
  expect(await tableRows(url, "sold")).toEqual([]);

  url = await policy("discard");
  const discarded = await ingest(url, mixed);
  expect(discarded).toMatchObject({ state: "done", rows: { read: 2, clean: 1, rejected: 1 } });
  expect(await rejected(url, discarded.id)).toBe("");
  expect(await tableRows(url, "sold")).toHaveLength(1);

  url = await policy("quarantine");
  const kept = await ingest(url, mixed, "?again=true");
  expect(kept).toMatchObject({ state: "done", rows: { read: 2, clean: 1, rejected: 1 } });
  expect(await rejected(url, kept.id)).toBe(
    '{"row":3,"member":null,"column":"amount","reason":"is below 0","value":"-1","text":"2024-01-01,-1,b"}\n',
  );
  const none = await ingest(url, "day,amount,note\n,1,a\n");
  expect(none).toMatchObject({ state: "quarantined", error: "All 1 rows break the contract; see the rejected rows." });
  expect(await rejected(url, none.id)).toContain("is required, but empty");
});

it("quarantines a file that cannot be read, and takes it again", async () => {
  const url = await start(configOf({ stack, sql }));
  const first = await ingest(url, "");
  expect(first).toMatchObject({
    state: "quarantined",
    error: expect.stringContaining("The file is empty"),
    outputs: [],
  });
  expect((await ingest(url, "")).id).not.toBe(first.id);
  expect((await ingest(url, "day,note\n2024-01-01,x\n")).error).toBe(
    'The header row lacks "amount"; it has "day", "note".',
  );
});

it("fails for the stack's mistakes with what to mend, and the server goes on", async () => {
  const wrong = async (select: string, runSeconds?: number) =>
    ingest(await start(configOf({ stack, sql: { ...sql, "by_day.sql": select } }), runSeconds), mixed);
  expect((await wrong("SELECT * FROM read_text('/etc/passwd')")).error).toMatch(
    /^The SQL of table "by_day" is refused: /,
  );
  expect((await wrong("SELECT nothing FROM sold")).error).toMatch(/^The SQL of table "by_day" failed: Binder Error/);
  const endless = await wrong(
    "SELECT count(*) AS n FROM range(100000) a, range(100000) b, range(100000) c WHERE (a.range + b.range + c.range) % 7 = 3",
    4,
  );
  expect(stoppedIn(endless)).toEqual(["tables/by_day"]);
  expect(endless).toMatchObject({
    state: "quarantined",
    error:
      "It broke off 2 times; the last time: It took longer than 4 seconds and was stopped. Replay it when that is mended.",
    outputs: [],
  });
  // Nothing of these runs is in any table or left in the lake, though their first table was made.
  expect(await readdir(join(folder, "sales/lake"))).not.toContain("sold");
  const url = await start(configOf({ stack, sql }));
  expect(await tableRows(url, "sold")).toEqual([]);
  expect((await ingest(url, mixed)).state).toBe("done");
  expect(await tableRows(url, "sold")).toHaveLength(1);
  expect(await files("sales/lake/sold")).toBe(1);
});

it("shows every digit of a sum of whole numbers, and no others", async () => {
  const select = "SELECT day, sum(1) AS sales FROM sold GROUP BY day";
  const url = await start(configOf({ stack, sql: { ...sql, "by_day.sql": select } }));
  await ingest(url, mixed);
  expect(await tableRows(url, "by_day")).toEqual([{ day: "2024-01-01", sales: 1 }]);
  const csv = await (await fetch(`${url}/v1/tables/sales/by_day.csv`)).text();
  expect(csv).toBe("day,sales\r\n2024-01-01,1\r\n");
});

it("keeps the cells of a file out of its log", async () => {
  await processor?.stop();
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => lines.push(line) });
  const config = configOf({ stack, sql: { ...sql, "by_day.sql": "SELECT note::INTEGER AS note FROM sold" } });
  processor = await startProcessor(config, { engines, dataFolder: folder, log });
  const run = await ingest(processor.url, "day,amount,note\n2024-01-01,1,a private note\n");
  expect(run.error).toContain("a private note");
  await expect.poll(() => lines.some((line) => line.includes("run ended"))).toBe(true);
  const said = lines.map((line) => z.looseObject({ msg: z.string() }).parse(JSON.parse(line)));
  expect(said.find(({ msg }) => msg === "run ended")).toMatchObject({ state: "failed", fault: "engine" });
  expect(lines.join("")).not.toContain("a private note");
});

it("does not mix rows of other columns into a table", async () => {
  await ingest(await start(configOf({ stack, sql })), mixed);
  const url = await start(configOf({ stack, sql: { ...sql, "sold.sql": "SELECT day, amount FROM input" } }));
  expect((await ingest(url, mixed, "?again=true")).error).toBe(
    'Table "sold" has the columns day DATE, amount DOUBLE, note VARCHAR, but its SQL now gives day DATE, amount DOUBLE, and columns may only be added; run all files of the stack again (npx cais rerun STACK --all), or give the new table a new name.',
  );
});

it("fails a run whose file is gone, and one whose lake is broken, without telling paths of the machine's own", async () => {
  const url = await start(configOf({ stack, sql }));
  const run = await ingest(url, mixed);
  const { columns } = TableRows.parse(await (await fetch(`${url}/v1/tables/sales/sold`)).json());
  expect(columns).toHaveLength(3);
  const [part] = await readdir(join(folder, "sales/lake/sold"));
  await rm(join(folder, "sales/lake/sold", part ?? ""));
  expect(await (await fetch(`${url}/v1/tables/sales/sold`)).json()).toEqual({
    type: "urn:cais:problem:internal",
    title: "Internal Server Error",
    status: 500,
    detail: "The processor failed; its log says why.",
  });
  const next = await ingest(url, mixed, "?again=true");
  expect(next).toMatchObject({
    state: "quarantined",
    error:
      "It broke off 2 times; the last time: The processor failed, not the file; see its log. Replay it when that is mended.",
  });
  expect(stoppedIn(next)).toEqual(["tables/by_day"]);
  expect((await fetch(`${url}/v1/runs/${run.id}`)).status).toBe(200);
});

it("keeps what is queued over a stop, and runs it at the next start", async () => {
  let url = await start(configOf({ stack, sql }));
  const ids: string[] = [];
  for (const day of [1, 2, 3, 4]) {
    const response = await send(url, "sales", `day,amount,note\n2024-01-0${day},1,x\n`);
    ids.push(Upload.parse(await response.json()).id);
  }
  url = await start(configOf({ stack, sql }));
  for (const id of ids) expect((await ended(url, id)).state).toBe("done");
  expect(await tableRows(url, "sold")).toHaveLength(4);
});

it("refuses a store that cannot be opened, and a data folder in use", async () => {
  const config = configOf({ stack, sql });
  const swift = structuredClone(config);
  const { sales } = swift.stacks;
  if (sales === undefined) throw new Error("unreachable");
  sales.stores.lake = {
    driver: "swift",
    authUrl: "https://k/v3",
    container: "c",
    credential: { driver: "file", path: "x" },
  };
  await expect(start(swift)).rejects.toThrow(
    `The secret file ${join(folder, "x")} cannot be read; put the secret there.`,
  );
  await start(config);
  await expect(startProcessor(config, { engines, dataFolder: folder })).rejects.toThrow(
    /is another processor using this data folder/,
  );
  await appendFile(join(folder, "sales/lake/stray"), "left alone");
  await start(config);
  expect(await readFile(join(folder, "sales/lake/stray"), "utf8")).toBe("left alone");
});
