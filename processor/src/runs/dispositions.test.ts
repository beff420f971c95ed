import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Run, TableRows, Upload } from "@cais/spec/api.ts";
import type { z } from "zod";
import type { Stack } from "@cais/spec/stack.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openLedger } from "../ledger/index.ts";
import { startProcessor } from "../main.ts";
import { configOf, ended, engines, salesStack, send, testFolder } from "../processor-for-tests.ts";
import { deltaTable } from "./delta-for-tests.ts";

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>> | undefined;
beforeEach(async () => {
  folder = await testFolder("dispositions");
});
afterEach(async () => {
  await processor?.stop();
  processor = undefined;
  await rm(folder, { recursive: true });
});

type Tables = z.input<typeof Stack>["tables"];
const replaced = { layer: "gold", disposition: "replace" } as const;
const byPartition = { ...replaced, partitionBy: ["day"], replace: "partitions" as const };
const tables: Tables = [
  { name: "received", layer: "bronze" },
  { name: "sold", layer: "silver", sql: "sold.sql", disposition: "append" },
  { name: "words", layer: "silver", sql: "words.sql", disposition: "append", partitionBy: ["day"] },
  { name: "latest", layer: "silver", sql: "latest.sql", disposition: "merge", key: ["day"] },
  { name: "large", sql: "large.sql", ...replaced },
  { name: "by_day", sql: "by_day.sql", ...byPartition },
];
const sql = {
  "sold.sql": "SELECT * FROM input",
  "words.sql": "SELECT day, upper(note) AS word FROM received",
  "latest.sql": "SELECT day, amount, note FROM input",
  "large.sql": "SELECT day, amount FROM sold WHERE amount > 1",
  "by_day.sql": "SELECT day, sum(amount) AS amount, count(*) AS sales FROM sold GROUP BY day",
};

async function start(more: Tables = [], texts: Record<string, string> = {}): Promise<string> {
  await processor?.stop();
  const { stack } = salesStack({ tables: [...tables, ...more] });
  processor = await startProcessor(configOf({ stack, sql: { ...sql, ...texts } }), { engines, dataFolder: folder });
  return processor.url;
}
async function load(url: string, ...rows: string[]): Promise<Run> {
  const csv = `day,amount,note\n${rows.map((row) => `2024-01-${row}\n`).join("")}`;
  const run = await ended(url, Upload.parse(await (await send(url, "sales", csv)).json()).id);
  expect(run).toMatchObject({ state: "done", error: null });
  return run;
}
async function again(url: string, { id }: Run, kind: "reruns" | "replays", correction?: string): Promise<Run> {
  const form = new FormData();
  if (correction !== undefined) form.append("file", new Blob([correction]), "corrected.csv");
  const response = await fetch(`${url}/v1/runs/${id}/${kind}`, {
    method: "POST",
    ...(correction !== undefined && { body: form }),
  });
  const run = await ended(url, Run.parse(await response.json()).id);
  expect(run).toMatchObject({ state: "done", error: null });
  return run;
}
/** A table's rows as texts, sorted; days without their year and month. */
async function rows(url: string, table: string): Promise<string[]> {
  const response = await fetch(`${url}/v1/tables/sales/${table}`);
  const { columns, data } = TableRows.parse(await response.json());
  return data.map((row) => columns.map(({ name }) => String(row[name]).replace("2024-01-", "")).join(" ")).toSorted();
}
const all = async (url: string, ...names: string[]) =>
  Object.fromEntries(await Promise.all(names.map(async (name) => [name, await rows(url, name)] as const)));
const how = (run: Run) =>
  Object.fromEntries(run.outputs.flatMap(({ kind, name, how }) => (kind === "table" ? [[name, how]] : [])));
const incremental = { mode: "incremental" };

/** After a stop: each table's files and rows are the same by its log and by the ledger. */
async function expectPublished(names: string[]): Promise<void> {
  await processor?.stop();
  processor = undefined;
  const ledger = await openLedger({ driver: "sqlite", file: join(folder, "ledger.sqlite") });
  try {
    expect(await ledger.publications.pending()).toEqual([]);
    for (const name of names) {
      const state = await ledger.tables.read("sales", name);
      const log = await deltaTable(folder, "sales", name);
      expect(log.keys).toEqual(state?.files.map(({ key }) => key).toSorted());
      expect({ name, rows: log.rows.length }).toEqual({
        name,
        rows: state?.files.reduce((sum, file) => sum + file.rows, 0),
      });
      expect(log.version).toBe(state?.version);
    }
  } finally {
    await ledger.close();
  }
}
const names = tables.map(({ name }) => name);

it("makes every kind of table of loads, a replay and reruns, each row once, and says how", async () => {
  const url = await start();
  const first = await load(url, "01,1,a", "02,2,b", "03,-1,c");
  expect(how(first)).toEqual({
    received: incremental,
    sold: incremental,
    words: incremental,
    latest: incremental,
    large: { mode: "full", why: "it is new" },
    by_day: { mode: "full", why: "GROUP BY" },
  });
  const second = await load(url, "02,5,d");
  expect(how(second)).toMatchObject({ large: incremental, by_day: { mode: "full" }, latest: incremental });
  expect(await all(url, "sold", "words", "latest", "large", "by_day")).toEqual({
    sold: ["01 1 a", "02 2 b", "02 5 d"],
    words: ["01 A", "02 B", "02 D"],
    latest: ["01 1 a", "02 5 d"],
    large: ["02 2", "02 5"],
    by_day: ["01 1 1", "02 7 2"],
  });
  // The first file's row of the 2nd is older than the second file's, whenever it comes.
  const editable = await (await fetch(`${url}/v1/runs/${first.id}/rejected?format=editable`)).text();
  const replay = await again(url, first, "replays", editable.replace("03,-1,c", "02,3,c"));
  expect(how(replay)).toMatchObject({
    large: incremental,
    latest: { mode: "full", why: "rows of a newer file are in it" },
  });
  expect(await all(url, "sold", "words", "latest", "large")).toEqual({
    sold: ["01 1 a", "02 2 b", "02 3 c", "02 5 d"],
    words: ["01 A", "02 B", "02 C", "02 D"],
    latest: ["01 1 a", "02 5 d"],
    large: ["02 2", "02 3", "02 5"],
  });
  for (const run of [second, first]) {
    const rerun = await again(url, run, "reruns");
    expect(how(rerun)).toMatchObject({
      large: { mode: "full", why: "rows of sold were replaced" },
      latest: { mode: "full", why: "a file is run again" },
    });
  }
  expect(await all(url, "sold", "words", "latest", "large", "by_day")).toEqual({
    sold: ["01 1 a", "02 2 b", "02 3 c", "02 5 d"],
    words: ["01 A", "02 B", "02 C", "02 D"],
    latest: ["01 1 a", "02 5 d"],
    large: ["02 2", "02 3", "02 5"],
    by_day: ["01 1 1", "02 10 3"],
  });
  expect((await rows(url, "received")).map((row) => row.split(" ").slice(0, 6).join(" "))).toEqual([
    "01 1 a file.csv null 2",
    "02 2 b file.csv null 3",
    "02 3 c file.csv null 4",
    "02 5 d file.csv null 2",
  ]);
  await expectPublished(names);
  expect((await deltaTable(folder, "sales", "by_day")).partitions).toEqual(["day"]);
});

it("does the same for files that wait together, and leaves out one that its key refuses", async () => {
  const url = await start([], {
    "latest.sql": "SELECT nullif(day, DATE '2024-01-09') AS day, amount, note FROM input",
  });
  // The first keeps the stack busy, so that the others wait together.
  const ids: string[] = [];
  for (const row of ["01,1,a", "02,2,b", "09,1,x", "01,3,c"]) {
    const csv = `day,amount,note\n2024-01-${row}\n`;
    ids.push(Upload.parse(await (await send(url, "sales", csv)).json()).id);
  }
  const runs = await Promise.all(ids.map((id) => ended(url, id)));
  expect(runs.map(({ state }) => state)).toEqual(["done", "done", "failed", "done"]);
  expect(runs[2]?.error).toContain('"day"');
  expect(await all(url, "sold", "words", "latest", "large", "by_day")).toEqual({
    sold: ["01 1 a", "01 3 c", "02 2 b"],
    words: ["01 A", "01 C", "02 B"],
    latest: ["01 3 c", "02 2 b"],
    large: ["01 3", "02 2"],
    by_day: ["01 4 2", "02 2 1"],
  });
  await expectPublished(names);
});

it("replaces partitions by what each file gives, but not those of a newer file", async () => {
  const more: Tables = [{ name: "newest", sql: "newest.sql", ...byPartition }];
  const url = await start(more, { "newest.sql": "SELECT day, note FROM input" });
  const first = await load(url, "01,1,a", "02,2,b", "03,3,c");
  const second = await load(url, "02,5,d");
  expect(how(second)).toMatchObject({ newest: incremental });
  expect(await rows(url, "newest")).toEqual(["01 a", "02 d", "03 c"]);
  await again(url, first, "reruns");
  expect(await all(url, "newest", "latest", "large")).toEqual({
    newest: ["01 a", "02 d", "03 c"],
    latest: ["01 1 a", "02 5 d", "03 3 c"],
    large: ["02 2", "02 5", "03 3"],
  });
  // What a file does not give any more leaves with it.
  const stricter = await start(more, {
    "newest.sql": "SELECT day, note FROM input WHERE amount < 3 OR amount = 5",
    "latest.sql": "SELECT day, amount, note FROM input WHERE amount < 5",
  });
  await again(stricter, first, "reruns");
  expect(await rows(stricter, "newest")).toEqual(["01 a", "02 d"]);
  expect(await rows(stricter, "latest")).toEqual(["01 1 a", "02 5 d", "03 3 c"]);
  // Of the key that it does not give any more, the file before has a row.
  await again(stricter, second, "reruns");
  expect(await rows(stricter, "latest")).toEqual(["01 1 a", "02 2 b", "03 3 c"]);
  await expectPublished([...names, "newest"]);
});

it("merges without the files that hold no key of the batch, by their statistics", async () => {
  const url = await start();
  const first = await load(url, "01,1,a");
  await load(url, "02,2,b");
  // Was it brought, the run would fail.
  await rm(join(folder, `sales/lake/latest/part-00001-${first.id}.parquet`));
  expect((await load(url, "02,3,c")).outputs).toContainEqual(
    expect.objectContaining({ name: "latest", rows: 1, how: { mode: "incremental" } }),
  );
});
