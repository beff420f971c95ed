import { execFile } from "node:child_process";
import { cp, rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { send } from "@cais/processor/src/processor-for-tests.ts";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { withLedger } from "../../crash/disk.ts";
import { type Ivi, inventory, LIMITS, PATIENCE, startIvi, today } from "./ivi.ts";

const run = promisify(execFile);

vi.setConfig(LIMITS);

let ivi: Ivi;
beforeAll(async () => {
  ivi = await startIvi();
});
afterAll(async () => {
  await ivi?.stop();
});

const containerOf = (role: "input" | "lake" | "output") => `/${ivi.containers[`ivi-${role}`]}`;
const data = () => join(ivi.folder, "data");
const backup = () => join(ivi.folder, "backup");

const tables = ["trees_received", "trees", "importance"];

/** How many trees each plot has that was sent so far. */
const expected = new Map<number, number>();

/** Puts an inventory into the input container, as any client does. */
async function put(plot: number, trees: number): Promise<void> {
  const request = { body: inventory(plot, trees) };
  const answer = await ivi.swift("PUT", `${containerOf("input")}/${today()}/plot-${plot}.csv`, request);
  expect(answer.status).toBe(201);
  expected.set(plot, trees);
}

/** Sends one by the API. */
async function sendPlot(plot: number, trees: number): Promise<void> {
  expect((await send(ivi.url(), "ivi", inventory(plot, trees), `plot-${plot}.csv`)).status).toBe(202);
  expected.set(plot, trees);
}

/** Begins to send one by the API. It ends when it is told to. */
async function beginPlot(plot: number, trees: number): Promise<{ end(): Promise<void> }> {
  const { promise: rest, resolve: goOn } = Promise.withResolvers<void>();
  const content = Buffer.from(inventory(plot, trees));
  const body = ReadableStream.from(
    (async function* pieces() {
      yield content.subarray(0, 100);
      await rest;
      yield content.subarray(100);
    })(),
  );
  const address = `${ivi.url()}/v1/stacks/ivi/files?name=plot-${plot}.csv`;
  const answered = fetch(address, { method: "POST", body, duplex: "half" });
  const onTheirWay = async () =>
    withLedger(ivi.folder, (ledger) => ledger.prepare("SELECT key FROM loose WHERE role = 'input'").all().length);
  await expect.poll(onTheirWay, PATIENCE).toBe(1);
  return {
    async end() {
      goOn();
      expect((await answered).status).toBe(202);
      expected.set(plot, trees);
    },
  };
}

/** Holds that every inventory that was sent is in the tables once, by one run each. */
async function expectOnce(): Promise<void> {
  await expect
    .poll(async () => (await ivi.runs()).map(({ state }) => state), PATIENCE)
    .toEqual([...expected].map(() => "done"));
  const plots = [...expected].map(([plot, trees]) => [`P${plot}`, String(trees)]);
  for (const table of ["trees_received", "trees"])
    expect(await ivi.query(`SELECT plot, count(*)::VARCHAR FROM ivi.${table} GROUP BY plot ORDER BY plot`)).toEqual(
      plots.toSorted(([a = ""], [b = ""]) => a.localeCompare(b)),
    );
}

/** Whether the tables' logs name the newest of their files; they get what the ledger commits a moment later, in its order. */
async function isPublished(): Promise<boolean> {
  const lake = containerOf("lake");
  for (const table of tables) {
    const answer = await ivi.swift("GET", `${lake}?prefix=${table}/&format=json`);
    const listed = (await answer.json()) as { name: string; last_modified: string }[];
    const entries = listed.filter(({ name }) => /\/_delta_log\/\d+\.json$/.test(name));
    const log = await Promise.all(entries.map(async ({ name }) => (await ivi.swift("GET", `${lake}/${name}`)).text()));
    const newest = listed
      .filter(({ name }) => !name.includes("/_delta_log/"))
      .toSorted((a, b) => a.last_modified.localeCompare(b.last_modified))
      .at(-1);
    if (newest === undefined || !log.some((entry) => entry.includes(basename(newest.name)))) return false;
  }
  return true;
}

/** As the operator types it. */
async function rewindAll(): Promise<string> {
  const said = [];
  for (const table of tables) {
    const command = [resolve("cli/cais.mjs"), "tables", "rewind", `ivi/${table}`, "--url", ivi.url()];
    said.push((await run(process.execPath, command)).stdout);
  }
  return said.join("");
}

/** What a run says that cannot go on. */
const held = async () => (await ivi.runs()).find(({ error }) => error !== null)?.error;

/** Waits until a run says that the ledger is older than the tables. */
async function expectHeld(): Promise<void> {
  await expect.poll(held, PATIENCE).toMatch(/npx cais tables rewind ivi\/\w+\. The run goes on then\./);
}

it("goes on with a state that was saved while some files came", async () => {
  await put(201, 5);
  await sendPlot(202, 6);
  await expectOnce();
  await ivi.processor.end("SIGTERM");
  await ivi.start();
  // It is acknowledged after the state was saved, which takes it for unfinished.
  const sent = await beginPlot(204, 8);
  // What is in work is not kept, and may go meanwhile.
  await cp(data(), backup(), { recursive: true, filter: (path) => basename(path) !== "work" });
  await sent.end();
  await put(203, 7);
  await expectOnce();
  await expect.poll(isPublished, PATIENCE).toBe(true);
  await ivi.processor.end("SIGKILL");
  await rm(data(), { recursive: true });
  await cp(backup(), data(), { recursive: true });
  await ivi.start();
  await expectHeld();
  expect(await rewindAll()).toMatch(/^(\d+ versions? taken off; version \d+ is the newest now\.\n){3}$/);
  await put(205, 9);
  await expectOnce();
});

it("makes everything again from the input where the state is lost", async () => {
  await ivi.processor.end("SIGKILL");
  await rm(data(), { recursive: true });
  await ivi.start();
  await expectHeld();
  expect(await rewindAll()).toMatch(/^(\d+ versions? taken off; it begins anew\.\n){3}$/);
  await expectOnce();
  const csv = async () => (await ivi.swift("GET", `${containerOf("output")}/processed/ivi.csv`)).text();
  await expect.poll(csv, PATIENCE).toContain("\r\nSloanea guianensis;Elaeocarpaceae;35;5;");
});

const ledgerVersion = async () =>
  withLedger(ivi.folder, (ledger) => Number(ledger.prepare("PRAGMA user_version").get()?.["user_version"]));

/** Takes from the ledger what its newest version has brought, so that it is as the version before wrote it. */
async function toVersionBefore(): Promise<void> {
  expect(await ledgerVersion()).toBe(6);
  const ledger = new DatabaseSync(join(data(), "ledger.sqlite"));
  ledger.exec("ALTER TABLE tables DROP COLUMN batch; ALTER TABLE loose DROP COLUMN asked; PRAGMA user_version = 5");
  ledger.close();
}

it.each(["SIGTERM", "SIGKILL"] as const)(
  "loads a large file once over an upgrade of the ledger that begins with %s",
  async (signal) => {
    const plot = signal === "SIGTERM" ? 301 : 302;
    await put(plot, 100_000);
    const state = async () => (await ivi.runs()).find(({ file }) => file.name === `plot-${plot}.csv`)?.state;
    await expect.poll(state, { ...PATIENCE, interval: 20 }).toMatch(/running|done/);
    await ivi.processor.end(signal);
    await toVersionBefore();
    await ivi.start();
    await expectOnce();
    await expect.poll(ledgerVersion, PATIENCE).toBe(6);
  },
);

it("says which object of the lake is gone, and reads the table again once it is copied back", async () => {
  const where = containerOf("lake").slice(1);
  const listed = (await (await ivi.swift("GET", `/${where}?prefix=trees_received/part&format=json`)).json()) as {
    name: string;
  }[];
  const name = listed.at(-1)?.name ?? "";
  const saved = join(ivi.folder, "saved.parquet");
  const options = {
    env: { PATH: "/usr/bin:/bin", OS_CLOUD: "demo", OS_CLIENT_CONFIG_FILE: ivi.lab.clouds, HOME: ivi.folder },
  };
  await run("/usr/bin/openstack", ["object", "save", "--file", saved, where, name], options);
  await run("/usr/bin/openstack", ["object", "delete", where, name], options);
  // What was read before is kept on the machine until the processor ends.
  await ivi.processor.end("SIGTERM");
  await ivi.start();
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ sql: "SELECT count(*)::VARCHAR FROM ivi.trees_received" });
  const asked = async () => fetch(`${ivi.url()}/v1/query`, { method: "POST", headers, body });
  expect((await asked()).status).toBe(500);
  expect(ivi.processor.said()).toMatch(
    new RegExp(`The lake lacks http:\\S+/${name}, which the ledger lists; restore it\\.`),
  );
  await run("/usr/bin/openstack", ["object", "create", "--name", name, where, saved], options);
  const sum = [...expected.values()].reduce((total, trees) => total + trees, 0);
  expect(await ivi.query("SELECT count(*)::VARCHAR FROM ivi.trees_received")).toEqual([[String(sum)]]);
});
