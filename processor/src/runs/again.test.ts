import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Reruns, Run, Runs, TableRows, Upload } from "@cais/spec/api.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startProcessor } from "../main.ts";
import { configOf, ended, engines, salesStack, send, testFolder } from "../processor-for-tests.ts";

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>> | undefined;
beforeEach(async () => {
  folder = await testFolder("again");
});
afterEach(async () => {
  await processor?.stop();
  await rm(folder, { recursive: true });
});

const { stack, sql } = salesStack();
async function start(change: Partial<typeof stack> = {}, texts: Record<string, string> = {}): Promise<string> {
  await processor?.stop();
  const config = configOf({ stack: { ...stack, ...change }, sql: { ...sql, ...texts } });
  processor = await startProcessor(config, { engines, dataFolder: folder });
  return processor.url;
}
async function ingest(url: string, content: string): Promise<Run> {
  return ended(url, Upload.parse(await (await send(url, "sales", content)).json()).id);
}
async function post(url: string, path: string, correction?: string): Promise<Run> {
  const form = new FormData();
  if (correction !== undefined) form.append("file", new Blob([correction]), "corrected.csv");
  const response = await fetch(`${url}${path}`, { method: "POST", ...(correction !== undefined && { body: form }) });
  return ended(url, Run.parse(await response.json()).id);
}
const table = async (url: string, name: string) =>
  TableRows.parse(await (await fetch(`${url}/v1/tables/sales/${name}`)).json());
const rows = async (url: string, name: string) => (await table(url, name)).data;
const inputFiles = async () =>
  (await readdir(join(folder, "sales/input"), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("corrections"))
    .map(({ parentPath }) => (parentPath.includes("/archive/") ? "archived" : "as received"));

const mixed = "day,amount,note\n2024-01-01,1,a\n2024-01-02,-1,b\n2024-01-03,x,c\n";

it("replays corrected rows, keeps what was not sent open, and delivers again", async () => {
  const url = await start();
  const { id } = await ingest(url, mixed);
  const editable = await (await fetch(`${url}/v1/runs/${id}/rejected?format=editable`)).text();
  const replay = await post(
    url,
    `/v1/runs/${id}/replays`,
    editable.replace("2024-01-02,-1,b", "2024-01-02,7,b").split("\r\n3,")[0],
  );
  expect(replay.state).toBe("quarantined");
  const fixed = editable.replace("2024-01-02,-1,b", "2024-01-02,7,b").replace(/\r\n4,[^]*/, "\r\n");
  expect(await post(url, `/v1/runs/${id}/replays`, fixed)).toMatchObject({
    kind: "replay",
    root: id,
    state: "done",
    rows: { read: 2, clean: 1, rejected: 1 },
    open: { scope: "rows", rows: 1 },
    steps: ["contract", "tables/sold", "tables/by_day", "commit", "sinks/csv/sold"].map((name) => ({
      name,
      finishedAt: expect.any(String),
    })),
  });
  expect(await rows(url, "by_day")).toEqual([
    { day: "2024-01-01", amount: 1, sales: 1 },
    { day: "2024-01-02", amount: 7, sales: 1 },
  ]);
  const csv = await readFile(join(folder, "sales/output/out/sold.csv"), "utf8");
  expect(csv).toBe("day,amount,note\r\n2024-01-01,1.0,a\r\n2024-01-02,7.0,b\r\n");
  // The file again, whole: the corrected row is part of it.
  expect(await post(url, `/v1/runs/${id}/reruns`)).toMatchObject({
    state: "done",
    rows: { read: 3, clean: 2, rejected: 1 },
  });
  expect((await rows(url, "sold")).map(({ amount }) => amount)).toEqual([1, 7]);
});

it("runs a file again in place of what it gave, and leaves the tables alone where that fails", async () => {
  const url = await start();
  const { id } = await ingest(url, mixed);
  await ingest(url, "day,amount,note\n2024-01-09,9,z\n");
  const stricter = await start({
    contract: { columns: [...stack.contract.columns], rules: [{ check: "amount > 5", reason: "few" }] },
  });
  expect(await post(stricter, `/v1/runs/${id}/reruns`)).toMatchObject({ state: "quarantined" });
  expect(await rows(stricter, "sold")).toHaveLength(2);
  const looser = await start(
    { contract: { columns: stack.contract.columns.map(({ name }) => ({ name, type: "string" })) } },
    {
      "sold.sql": "SELECT day::DATE AS day, TRY_CAST(amount AS DOUBLE) AS amount, note FROM input",
    },
  );
  expect(await post(looser, `/v1/runs/${id}/reruns`)).toMatchObject({
    state: "done",
    rows: { read: 3, rejected: 0 },
    open: null,
  });
  expect((await rows(looser, "sold")).map(({ note }) => note).toSorted()).toEqual(["a", "b", "c", "z"]);
});

it("gives a table new columns when all of its files are run again, and not before", async () => {
  let url = await start();
  await ingest(url, mixed);
  await ingest(url, "day,amount,note\n2024-01-09,9,z\n");
  url = await start({}, { "sold.sql": "SELECT day, amount::DECIMAL(9, 2) AS amount, upper(note) AS word FROM input" });
  expect(await ingest(url, "day,amount,note\n2024-01-10,1,y\n")).toMatchObject({
    state: "failed",
    error: expect.stringContaining("run all files of the stack again (npx cais rerun STACK --all)"),
  });
  const response = await fetch(`${url}/v1/stacks/sales/reruns?all=true`, { method: "POST" });
  const { runs } = Reruns.parse(await response.json());
  for (const { id } of runs) expect(await ended(url, id)).toMatchObject({ state: "done", kind: "rerun", error: null });
  const { columns, data } = await table(url, "sold");
  expect(columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
    "day DATE",
    "amount DECIMAL(9,2)",
    "word VARCHAR",
  ]);
  expect(data.map(({ word }) => word).toSorted()).toEqual(["A", "Y", "Z"]);
});

it("keeps the rows of a file that cannot be run again, in the columns that others gave their table", async () => {
  await ingest(await start(), mixed);
  await ingest(await start(), "day,amount,note\n2024-01-09,9,z\n");
  const contract = { columns: [...stack.contract.columns], rules: [{ check: "amount < 9", reason: "many" }] };
  const url = await start({ contract }, { "sold.sql": "SELECT *, upper(note) AS word FROM input" });
  const response = await fetch(`${url}/v1/stacks/sales/reruns?all=true`, { method: "POST" });
  const states: string[] = [];
  for (const { id } of Reruns.parse(await response.json()).runs) states.push((await ended(url, id)).state);
  expect(states).toEqual(["done", "quarantined"]);
  expect((await rows(url, "sold")).map(({ note, word }) => [note, word]).toSorted()).toEqual([
    ["a", "A"],
    ["z", null],
  ]);
});

it("keeps the newest file in a table that is replaced by what input holds, also when it replays", async () => {
  const latest = { name: "by_day", layer: "gold" as const, sql: "by_day.sql", disposition: "replace" as const };
  const url = await start(
    { tables: [...stack.tables.slice(0, 1), latest] },
    { "by_day.sql": "SELECT note FROM input ORDER BY note" },
  );
  const old = await ingest(url, mixed);
  const { id } = await ingest(url, "day,amount,note\n2024-01-09,9,y\n2024-01-09,-9,z\n");
  expect(await post(url, `/v1/runs/${old.id}/reruns`)).toMatchObject({ state: "done" });
  expect(await rows(url, "by_day")).toEqual([{ note: "y" }]);
  const editable = await (await fetch(`${url}/v1/runs/${id}/rejected?format=editable`)).text();
  // All of the file is read again: its good row must not leave the table.
  expect(await post(url, `/v1/runs/${id}/replays`, editable.replace(",-9,", ",9,"))).toMatchObject({
    rows: { read: 2, clean: 2 },
  });
  expect(await rows(url, "by_day")).toEqual([{ note: "y" }, { note: "z" }]);
  expect(await rows(url, "sold")).toHaveLength(3);
});

it("quarantines a file with more refused rows than the stack takes", async () => {
  const contract = { ...stack.contract, limit: { share: 0.5 } };
  const url = await start({ contract });
  expect(await ingest(url, mixed)).toMatchObject({
    state: "quarantined",
    rows: { read: 3, clean: 1, rejected: 2 },
    open: { scope: "file", rows: 3 },
    error: "2 of 3 rows break the contract, and the stack takes at most 50 %; see the rejected rows.",
  });
  expect(await rows(url, "sold")).toEqual([]);
});

it.each(["archive", "delete"] as const)(
  "does what is asked after the load, once nothing is open: %s",
  async (after) => {
    const url = await start({ source: { upload: { formats: ["csv"], after } } });
    const { id, steps } = await ingest(url, mixed);
    expect(steps.at(-1)?.name).toBe("sinks/csv/sold");
    expect(await inputFiles()).toEqual(["as received"]);
    const editable = await (await fetch(`${url}/v1/runs/${id}/rejected?format=editable`)).text();
    const fixed = editable.replace(",-1,b", ",2,b").replace(",x,c", ",3,c");
    const replay = await post(url, `/v1/runs/${id}/replays`, fixed);
    expect(replay).toMatchObject({ state: "done", open: null });
    expect(replay.steps.at(-1)).toMatchObject({ name: `after/${after}`, finishedAt: expect.any(String) });
    expect(await inputFiles()).toEqual(after === "archive" ? ["archived"] : []);
    expect((await fetch(`${url}/v1/runs/${id}/reruns`, { method: "POST" })).status).toBe(
      after === "archive" ? 202 : 409,
    );
    const runs = Runs.parse(await (await fetch(`${url}/v1/runs`)).json()).runs;
    for (const run of runs) expect((await ended(url, run.id)).state).toBe("done");
    expect((await rows(url, "sold")).map(({ amount }) => amount).toSorted()).toEqual([1, 2, 3]);
  },
);
