import { cp, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Run, Runs, TableRows } from "@cais/spec/api.ts";
import { Rewound } from "@cais/spec/upkeep.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startProcessor } from "../main.ts";
import { configOf, ended, salesStack, send, testFolder } from "../processor-for-tests.ts";

const PATIENCE = { timeout: 90_000 };
const ledgerFiles = ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"];

type Tables = NonNullable<NonNullable<Parameters<typeof salesStack>[0]>["tables"]>;

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>> | undefined;
beforeEach(async () => {
  folder = await testFolder("restored");
});
afterEach(async () => {
  await processor?.stop();
  processor = undefined;
  await rm(folder, { recursive: true });
});

async function start(): Promise<string> {
  const tables: Tables = [
    { name: "sold", layer: "silver", sql: "sold.sql", disposition: "append" },
    { name: "latest", layer: "silver", sql: "latest.sql", disposition: "merge", key: ["day"] },
    { name: "by_day", layer: "gold", sql: "by_day.sql", disposition: "replace" },
  ];
  const config = configOf(salesStack({ tables }), salesStack({ tables, name: "other" }));
  for (const stack of Object.values(config.stacks)) {
    stack.events = { driver: "monitor", intervalSeconds: 0.2 };
    stack.sql = {
      "sold.sql": "SELECT * FROM input",
      "latest.sql": "SELECT * FROM input",
      "by_day.sql": "SELECT day, sum(amount) AS amount FROM sold GROUP BY day",
    };
  }
  processor = await startProcessor(config, { dataFolder: folder });
  return processor.url;
}
async function stop(): Promise<void> {
  await processor?.stop();
  processor = undefined;
}
const csv = (day: number) => `day,amount,note\n2024-01-0${day},${day},x\n`;
/** Puts a whole file into the input store, as another program does. */
async function put(day: number): Promise<void> {
  await writeFile(join(folder, "new.csv"), csv(day));
  await rename(join(folder, "new.csv"), join(folder, "sales/input", `${day}.csv`));
}
const runs = async (url: string, stack = "sales"): Promise<Run[]> =>
  Runs.parse(await (await fetch(`${url}/v1/runs?stack=${stack}`)).json()).runs;
const done = async (url: string) => (await runs(url)).filter(({ state }) => state === "done").length;
async function days(url: string, table: string): Promise<string[]> {
  const { data } = TableRows.parse(await (await fetch(`${url}/v1/tables/sales/${table}`)).json());
  return data.map(({ day }) => String(day).slice(-1)).toSorted();
}
const rewind = async (url: string, table: string) =>
  fetch(`${url}/v1/tables/sales/${table}/rewind`, { method: "POST" });

/** Two files, a backup of the ledger, and two more: one that is found, and one that is on its way at that moment. */
async function backedUp(): Promise<void> {
  let url = await start();
  for (const day of [1, 2]) {
    await put(day);
    await expect.poll(() => done(url), PATIENCE).toBe(day);
  }
  await stop();
  url = await start();
  const { promise: rest, resolve: goOn } = Promise.withResolvers<string>();
  const body = ReadableStream.from(
    (async function* pieces() {
      yield Buffer.from("day,amount,note\n");
      yield Buffer.from(await rest);
    })(),
  );
  const answered = fetch(`${url}/v1/stacks/sales/files?name=sent.csv`, { method: "POST", body, duplex: "half" });
  await expect.poll(() => readdir(join(folder, "sales/input/.unfinished")), PATIENCE).toHaveLength(1);
  await mkdir(join(folder, "backup"));
  for (const name of ledgerFiles) await cp(join(folder, name), join(folder, "backup", name)).catch(ifThere);
  goOn("2024-01-04,4,x\n");
  await put(3);
  const sent = (await (await answered).json()) as { id: string };
  await ended(url, sent.id);
  await expect.poll(() => done(url), PATIENCE).toBe(4);
  expect(await days(url, "sold")).toEqual(["1", "2", "3", "4"]);
  await stop();
  for (const name of ledgerFiles) await rm(join(folder, name), { force: true });
}
const ifThere = (error: unknown) => {
  if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
};

/** Waits until runs wait for the tables to be rewound, which no attempt is counted for. */
async function expectHeld(url: string): Promise<void> {
  const held = async () => (await runs(url)).find(({ error }) => error !== null);
  const error = expect.stringMatching(/npx cais tables rewind sales\/\w+\. /);
  // While it is tried again it runs for a moment.
  await expect.poll(held, PATIENCE).toMatchObject({ state: "queued", error });
}

async function expectOnce(url: string): Promise<void> {
  for (const table of ["sold", "latest", "by_day"])
    await expect.poll(() => days(url, table), PATIENCE).toEqual(["1", "2", "3", "4"]);
  const states = async () => (await runs(url)).map(({ state }) => state);
  await expect.poll(states, PATIENCE).toEqual(["done", "done", "done", "done"]);
}

it("loads what came after the backup of a ledger once more, and nothing twice", async () => {
  await backedUp();
  for (const name of ledgerFiles) await cp(join(folder, "backup", name), join(folder, name)).catch(ifThere);
  const url = await start();
  await expectHeld(url);
  expect(await days(url, "sold")).toEqual(["1", "2"]);
  // Another stack goes on: of the numbers by which that is seen, it uses up more than the log has.
  for (const day of [5, 6]) {
    const { id } = (await (await send(url, "other", csv(day), "other.csv")).json()) as { id: string };
    expect(await ended(url, id)).toMatchObject({ state: "done" });
  }
  expect((await runs(url)).map(({ file }) => file.name)).toContain("sent.csv");
  for (const table of ["sold", "latest", "by_day"]) {
    const answer = await rewind(url, table);
    expect(answer.status).toBe(200);
    const { version, versions } = Rewound.parse(await answer.json());
    expect([version, versions]).toEqual([expect.any(Number), expect.any(Number)]);
    expect(versions).toBeGreaterThan(0);
  }
  await expectOnce(url);
  // What is in line is left as it is.
  const answer = await rewind(url, "sold");
  expect([answer.status, await answer.text()]).toEqual([409, expect.stringContaining("there is nothing to take off")]);
});

it("makes the tables again from the input where the ledger is lost", async () => {
  await backedUp();
  const url = await start();
  await expectHeld(url);
  const collected = await fetch(`${url}/v1/gc`, { method: "POST" });
  expect([collected.status, await collected.text()]).toEqual([
    503,
    expect.stringContaining("cais tables rewind sales/"),
  ]);
  for (const table of ["sold", "latest", "by_day"])
    expect(await (await rewind(url, table)).json()).toMatchObject({ version: null });
  await expectOnce(url);
});

it("does not go back to a version of which a file was deleted", async () => {
  await backedUp();
  for (const name of ledgerFiles) await cp(join(folder, "backup", name), join(folder, name)).catch(ifThere);
  const url = await start();
  await expectHeld(url);
  const lake = join(folder, "sales/lake/sold");
  const [first = ""] = (await readdir(lake)).filter((name) => name.endsWith(".parquet")).toSorted();
  await rm(join(lake, first));
  const log = await readdir(join(lake, "_delta_log"));
  const answer = await rewind(url, "sold");
  expect([answer.status, await answer.text()]).toEqual([
    409,
    expect.stringMatching(
      /its file sold\/part-\S+ was deleted since\. Stop the processor, move its ledger\.sqlite away/,
    ),
  ]);
  expect(await readdir(join(lake, "_delta_log"))).toEqual(log);
});
