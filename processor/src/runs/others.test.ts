import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { Reruns, Run, TableRows, Upload } from "@cais/spec/api.ts";
import type { Stack } from "@cais/spec/stack.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { z } from "zod";
import { openLedger } from "../ledger/index.ts";
import { startProcessor } from "../main.ts";
import { openObjectStore } from "../object-store/index.ts";
import { configOf, ended, engines, salesStack, send, testFolder } from "../processor-for-tests.ts";
import { commit } from "../tables/delta/commit.ts";
import { evolve } from "../tables/delta/schema.ts";
import { snapshotAt } from "../tables/delta/snapshot.ts";
import { deltaTable } from "./delta-for-tests.ts";

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>> | undefined;
beforeEach(async () => {
  folder = await testFolder("others");
});
afterEach(async () => {
  await processor?.stop();
  processor = undefined;
  await rm(folder, { recursive: true });
});

const tables: z.input<typeof Stack>["tables"] = [
  { name: "sold", layer: "silver", sql: "sold.sql", disposition: "append" },
  { name: "latest", layer: "silver", sql: "latest.sql", disposition: "merge", key: ["day"] },
  { name: "large", layer: "gold", sql: "large.sql", disposition: "replace" },
  { name: "by_day", layer: "gold", sql: "by_day.sql", disposition: "replace" },
];
const sql = {
  "sold.sql": "SELECT * FROM input",
  "latest.sql": "SELECT * FROM input",
  "large.sql": "SELECT day, amount FROM sold WHERE amount > 1",
  "by_day.sql": "SELECT day, sum(amount) AS amount FROM sold GROUP BY day",
};

async function start(texts: Record<string, string> = {}): Promise<string> {
  await processor?.stop();
  const { stack } = salesStack({ tables });
  processor = await startProcessor(configOf({ stack, sql: { ...sql, ...texts } }), { engines, dataFolder: folder });
  return processor.url;
}
async function ingest(url: string, ...rows: string[]): Promise<Run> {
  const csv = `day,amount,note\n${rows.map((row) => `2024-01-${row}\n`).join("")}`;
  return ended(url, Upload.parse(await (await send(url, "sales", csv)).json()).id);
}
async function rerun(url: string, { id }: Run): Promise<Run> {
  const response = await fetch(`${url}/v1/runs/${id}/reruns`, { method: "POST" });
  return ended(url, Run.parse(await response.json()).id);
}
async function rows(url: string, table: string): Promise<string[]> {
  const { columns, data } = TableRows.parse(await (await fetch(`${url}/v1/tables/sales/${table}`)).json());
  return data.map((row) => columns.map(({ name }) => String(row[name]).replace("2024-01-", "")).join(" ")).toSorted();
}
const how = (run: Run, table: string) => run.outputs.find(({ kind, name }) => kind === "table" && name === table)?.how;

/** Another program's commit to a table: of what the SQL gives, in place of `remove`. Waits until the table has its newest version. */
async function others(table: string, select: string, remove: (path: string) => boolean = () => false): Promise<void> {
  const lake = await openObjectStore({ driver: "fs", path: "sales/lake" }, folder);
  await processor?.stop();
  processor = undefined;
  const snapshot = await snapshotAt(lake, table);
  if (snapshot === undefined) throw new Error(`The table ${table} is not there.`);
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  const path = `theirs-${snapshot.version}.parquet`;
  const file = join(folder, "sales/lake", table, path);
  const files = [...snapshot.files.keys()].map((one) => `'${join(folder, "sales/lake", table, one)}'`);
  await connection.run(`CREATE VIEW t AS SELECT * FROM read_parquet([${files.join(", ")}], union_by_name = true)`);
  await connection.run(`COPY (${select}) TO '${file}' (FORMAT parquet)`);
  const described = (await connection.runAndReadAll(`DESCRIBE SELECT * FROM '${file}'`)).getRowObjectsJson();
  connection.closeSync();
  instance.closeSync();
  const columns = described.map((row) => ({ name: String(row["column_name"]), type: String(row["column_type"]) }));
  const metadata = evolve(snapshot.metadata, columns, table);
  const { size } = await stat(file);
  const gone = [...snapshot.files.values()].filter(({ path: own }) => remove(own));
  await commit(lake, table, {
    operation: "WRITE",
    readVersion: snapshot.version,
    ...(metadata !== snapshot.metadata && { metadata }),
    adds: [{ path, size, modificationTime: Date.now(), partitionValues: {}, stats: null, dataChange: true }],
    removes: gone.map((one) => ({
      path: one.path,
      deletionTimestamp: Date.now(),
      dataChange: true,
      partitionValues: {},
      size: one.size,
    })),
    blindAppend: gone.length === 0,
  });
}

/** After a stop: each table's files are the same by its log and by the ledger. */
async function expectPublished(): Promise<void> {
  await processor?.stop();
  processor = undefined;
  const ledger = await openLedger({ driver: "sqlite", file: join(folder, "ledger.sqlite") });
  try {
    for (const { name } of tables) {
      const state = await ledger.tables.read("sales", name);
      expect((await deltaTable(folder, "sales", name)).keys).toEqual(state?.files.map(({ key }) => key).toSorted());
    }
  } finally {
    await ledger.close();
  }
}

it("gives tables columns that their SQL gives more, and to each file its own when it is run again", async () => {
  let url = await start();
  const first = await ingest(url, "01,1,a", "02,2,b");
  const more = {
    "sold.sql": "SELECT *, upper(note) AS word FROM input",
    "latest.sql": "SELECT *, 1 AS one FROM input",
  };
  url = await start(more);
  const second = await ingest(url, "02,3,c");
  expect(second).toMatchObject({ state: "done", error: null });
  expect(how(second, "large")).toEqual({ mode: "full", why: "sold has other columns" });
  expect(await rows(url, "sold")).toEqual(["01 1 a null", "02 2 b null", "02 3 c C"]);
  expect(await rows(url, "latest")).toEqual(["01 1 a null", "02 3 c 1"]);
  expect(await rerun(url, first)).toMatchObject({ state: "done", error: null });
  expect(await rows(url, "sold")).toEqual(["01 1 a A", "02 2 b B", "02 3 c C"]);
  expect(await rows(url, "latest")).toEqual(["01 1 a 1", "02 3 c 1"]);
  await expectPublished();
});

it("refuses columns that are gone or of another type, with the way out", async () => {
  let url = await start();
  await ingest(url, "01,1,a");
  const wayOut = "run all files of the stack again (npx cais rerun STACK --all), or give the new table a new name.";
  url = await start({ "sold.sql": "SELECT day, amount FROM input" });
  const fewer = await ingest(url, "03,1,fewer");
  url = await start({ "latest.sql": "SELECT day, amount::VARCHAR AS amount, note FROM input" });
  const otherwise = await ingest(url, "03,1,otherwise");
  for (const run of [fewer, otherwise])
    expect(run).toMatchObject({ state: "failed", error: expect.stringContaining(wayOut) });
  await expectPublished();
});

it("gives tables other columns when all files are run again, of which one is lost", async () => {
  await ingest(await start(), "01,1,a", "02,2,b");
  await ingest(await start(), "02,5,c");
  const { file } = await ingest(await start(), "03,7,d");
  await rm(join(folder, "sales/input", file.key));
  const url = await start({
    "sold.sql": "SELECT day, amount FROM input",
    "latest.sql": "SELECT day, amount::DECIMAL(9, 2) AS amount FROM input",
  });
  const response = await fetch(`${url}/v1/stacks/sales/reruns?all=true`, { method: "POST" });
  const { runs } = Reruns.parse(await response.json());
  const gone = runs.pop();
  for (const { id } of runs) expect(await ended(url, id)).toMatchObject({ state: "done", error: null });
  expect(await ended(url, gone?.id ?? "")).toMatchObject({
    state: "failed",
    error: expect.stringContaining("send it again"),
  });
  expect(await rows(url, "latest")).toEqual(["01 1", "02 5", "03 7"]);
  expect(await rows(url, "sold")).toEqual(["01 1", "02 2", "02 5", "03 7"]);
  await expectPublished();
});

it("counts rows that another program added, and goes on with them", async () => {
  let url = await start();
  const first = await ingest(url, "01,1,a");
  await others("sold", "SELECT DATE '2024-01-01' AS day, 9.0::DOUBLE AS amount, 'theirs' AS note, true AS theirs");
  await others("latest", "SELECT DATE '2024-01-07' AS day, 7.0::DOUBLE AS amount, 'theirs' AS note");
  url = await start();
  const second = await ingest(url, "02,2,b");
  expect(second).toMatchObject({ state: "done", error: null });
  expect(how(second, "large")).toEqual({ mode: "full", why: "sold changed since it was made last" });
  expect(await rows(url, "sold")).toEqual(["01 1 a null", "01 9 theirs true", "02 2 b null"]);
  expect(await rows(url, "by_day")).toEqual(["01 10", "02 2"]);
  expect(await rows(url, "large")).toEqual(["01 9", "02 2"]);
  expect(await rows(url, "latest")).toEqual(["01 1 a", "02 2 b", "07 7 theirs"]);
  expect(await rerun(url, first)).toMatchObject({ state: "done", error: null });
  expect(await rows(url, "sold")).toEqual(["01 1 a null", "01 9 theirs true", "02 2 b null"]);
  // Folded anew of what all files gave, with theirs.
  expect(await rows(url, "latest")).toEqual(["01 1 a", "02 2 b", "07 7 theirs"]);
  const third = await ingest(url, "07,8,c");
  expect(how(third, "large")).toEqual({ mode: "incremental" });
  expect(await rows(url, "latest")).toEqual(["01 1 a", "02 2 b", "07 8 c"]);
  await expectPublished();
});

it("goes on with a table whose files another program put together, or made empty", async () => {
  let url = await start();
  await ingest(url, "01,1,a");
  await ingest(url, "02,2,b");
  await others("sold", "SELECT * FROM t", () => true);
  await others("latest", "SELECT * FROM t WHERE amount > 1", () => true);
  url = await start();
  expect(await ingest(url, "03,3,c")).toMatchObject({ state: "done", error: null });
  expect(await rows(url, "sold")).toEqual(["01 1 a", "02 2 b", "03 3 c"]);
  expect(await rows(url, "latest")).toEqual(["02 2 b", "03 3 c"]);
  expect(await rows(url, "by_day")).toEqual(["01 1", "02 2", "03 3"]);
  expect((await deltaTable(folder, "sales", "sold")).rows.length).toBeGreaterThan(1);
  await expectPublished();
});

it("makes a merged table that another program changed anew of what all files gave", async () => {
  const first = await ingest(await start(), "01,1,a", "02,2,b");
  const theirs =
    "SELECT * REPLACE (amount * 10 AS amount) FROM t WHERE amount > 1 UNION ALL SELECT DATE '2024-01-09', 9, 'x'";
  await others("latest", theirs, () => true);
  const url = await start();
  expect(await ingest(url, "03,3,c")).toMatchObject({ state: "done", error: null });
  expect(await rows(url, "latest")).toEqual(["02 20 b", "03 3 c", "09 9 x"]);
  const again = await rerun(url, first);
  expect(how(again, "latest")).toEqual({ mode: "full", why: "a file is run again" });
  expect(await rows(url, "latest")).toEqual(["01 1 a", "02 2 b", "03 3 c", "09 9 x"]);
  await expectPublished();
});

it("refuses to run a file again of which another program rewrote some rows, and others not", async () => {
  const url = await start();
  const { id } = await ingest(url, "01,1,a", "02,x,b");
  const form = new FormData();
  const editable = await (await fetch(`${url}/v1/runs/${id}/rejected?format=editable`)).text();
  form.append("file", new Blob([editable.replace("2024-01-02,x", "2024-01-02,2")]), "corrected.csv");
  const replay = Run.parse(await (await fetch(`${url}/v1/runs/${id}/replays`, { method: "POST", body: form })).json());
  expect(await ended(url, replay.id)).toMatchObject({ state: "done", rows: { clean: 1 } });
  await others("sold", "SELECT * FROM t WHERE amount = 2", (path) => path.includes(replay.id));
  const again = await start();
  expect(await rerun(again, { ...replay, id })).toMatchObject({
    state: "failed",
    error: expect.stringMatching(/^1 row that this file brought into the table "sold" may be in files which another/),
  });
  expect(await rows(again, "sold")).toEqual(["01 1 a", "02 2 b"]);
  await expectPublished();
});

it("gives a replaced table the columns of its SQL alone, in its log too", async () => {
  await ingest(await start(), "01,1,a");
  const url = await start({ "by_day.sql": "SELECT sum(amount) AS amount FROM sold" });
  expect(await ingest(url, "02,2,b")).toMatchObject({ state: "done", error: null });
  expect(await ingest(url, "02,3,c")).toMatchObject({ state: "done", error: null });
  expect(await rows(url, "by_day")).toEqual(["6"]);
  await expectPublished();
  expect((await deltaTable(folder, "sales", "by_day")).columns).toEqual(["amount double"]);
});

it("fails a run of a table that another program made one of another kind, and says what to do", async () => {
  await ingest(await start(), "01,1,a");
  await processor?.stop();
  const lake = await openObjectStore({ driver: "fs", path: "sales/lake" }, folder);
  const version = (await snapshotAt(lake, "sold"))?.version ?? 0;
  const protocol = {
    minReaderVersion: 3,
    minWriterVersion: 7,
    readerFeatures: ["deletionVectors"],
    writerFeatures: ["deletionVectors"],
  };
  const name = `sold/_delta_log/${String(version + 1).padStart(20, "0")}.json`;
  await lake.put(name, new Blob([`${JSON.stringify({ protocol })}\n`]).stream());
  const run = await ingest(await start(), "02,2,b");
  expect(run).toMatchObject({ state: "failed", error: expect.stringMatching(/"sold".*deletionVectors/) });
});
