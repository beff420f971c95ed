import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Run, Table, TableRows, Upload } from "@cais/spec/api.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { configOf, ended, salesStack, send, testFolder } from "../processor-for-tests.ts";
import { processorProcess } from "./child-for-tests.ts";
import { deltaTable } from "./delta-for-tests.ts";

let folder: string;
let child: ReturnType<typeof processorProcess>;
const start = () => child.start();
const kill = (signal?: NodeJS.Signals) => child.kill(signal);
beforeEach(async () => {
  folder = await testFolder("kill");
  child = processorProcess(folder);
});
afterEach(async () => {
  await kill();
  await rm(folder, { recursive: true });
});

/** Waits until the run is in a step, and says which it was caught in. */
async function inStep(url: string, id: string, step: string): Promise<void> {
  for (;;) {
    const run = Run.parse(await (await fetch(`${url}/v1/runs/${id}`)).json());
    if (run.steps.some(({ name, finishedAt }) => name === step && finishedAt === null)) return;
    if (run.state !== "queued" && run.state !== "running")
      throw new Error(`The run ended before it was seen in ${step}.`);
  }
}

const content = (rows: number) =>
  `day,amount,note\n${Array.from({ length: rows }, (_, n) => `2024-01-${String((n % 28) + 1).padStart(2, "0")},${n % 10 === 0 ? -1 : 1},note ${n}`).join("\n")}\n`;
const get = async (url: string, path: string): Promise<unknown> => (await fetch(`${url}${path}`)).json();

it.each(["contract", "tables/by_day", "sinks/csv/sold"])(
  "goes on where it was killed with SIGKILL, in %s",
  async (step) => {
    const { stack, sql } = salesStack();
    // Slow enough to be caught in each step: the sort is by a digest.
    const slow = {
      "sold.sql": "SELECT * FROM input ORDER BY sha256(note)",
      "by_day.sql":
        "SELECT day, sum(amount) AS amount, count(DISTINCT sha256(note)) AS sales FROM sold GROUP BY day ORDER BY day",
    };
    const source = { upload: { formats: ["csv" as const], maxBytes: 100_000_000 } };
    await child.writeConfig(configOf({ stack: { ...stack, source }, sql: { ...sql, ...slow } }));
    const rows = 150_000;
    let url = await start();
    const before = Upload.parse(await (await send(url, "sales", content(50))).json());
    expect(await ended(url, before.id)).toMatchObject({ state: "done", rows: { read: 50, clean: 45, rejected: 5 } });
    const first = Upload.parse(await (await send(url, "sales", content(rows))).json());
    const queued = Upload.parse(await (await send(url, "sales", content(20))).json());
    await inStep(url, first.id, step);
    expect(await kill()).toBeNull();

    url = await start();
    expect(await ended(url, first.id)).toMatchObject({
      state: "done",
      attempts: 2,
      rows: { read: rows, clean: rows * 0.9, rejected: rows * 0.1 },
      steps: ["contract", "tables/sold", "tables/by_day", "commit", "sinks/csv/sold"].map((name) => ({
        name,
        finishedAt: expect.any(String),
      })),
    });
    expect(await ended(url, queued.id)).toMatchObject({ state: "done", attempts: 1 });
    const clean = 45 + rows * 0.9 + 18;
    expect(Table.parse(await get(url, "/v1/tables/sales/sold")).rows).toBe(clean);
    const { data } = TableRows.parse(await get(url, "/v1/tables/sales/by_day"));
    expect(data.reduce((sum, { amount }) => sum + Number(amount), 0)).toBe(clean);
    const csv = await readFile(join(folder, "data/sales/output/out/sold.csv"), "utf8");
    expect(csv.split("\r\n")).toHaveLength(clean + 2);
    // What the killed attempt left is gone: one file a run in the appended table, one in the replaced one.
    const sold = await readdir(join(folder, "data/sales/lake/sold"));
    expect(sold.filter((name) => name.endsWith(".parquet"))).toHaveLength(3);
    expect(await readdir(join(folder, "data/sales/lake/rejected-rows"))).toHaveLength(3);
    expect(await kill("SIGTERM")).toBe(0);
    const unfinished = ["input", "lake", "output"].map((role) =>
      readdir(join(folder, "data/sales", role, ".unfinished")),
    );
    expect((await Promise.all(unfinished)).flat()).toEqual([]);
    const inLog = await deltaTable(join(folder, "data"), "sales", "sold");
    expect({ files: inLog.files, rows: inLog.rows.length }).toEqual({ files: 3, rows: clean });
    expect((await deltaTable(join(folder, "data"), "sales", "by_day")).files).toBe(1);
  },
  300_000,
);

it("forgets an upload that was cut off by SIGKILL", async () => {
  await child.writeConfig(configOf(salesStack()));
  const url = await start();
  // A body that never ends: one piece, and then silence.
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode("day,amount\n")),
  });
  const sent = fetch(`${url}/v1/stacks/sales/files?name=a.csv`, { method: "POST", body, duplex: "half" }).catch(
    () => "cut off",
  );
  const input = join(folder, "data/sales/input");
  await expect.poll(() => readdir(join(input, ".unfinished"))).toHaveLength(1);
  await kill();
  expect(await sent).toBe("cut off");
  const again = await start();
  expect(await readdir(input, { recursive: true })).toEqual([".unfinished"]);
  expect(await get(again, "/v1/runs")).toEqual({ runs: [], next: null });
});

it("stops gracefully on SIGTERM, with a run in the middle that goes on at the next start", async () => {
  const { stack, sql } = salesStack();
  const source = { upload: { formats: ["csv" as const], maxBytes: 100_000_000 } };
  await child.writeConfig(configOf({ stack: { ...stack, source }, sql }));
  const url = await start();
  const { id } = Upload.parse(await (await send(url, "sales", content(150_000))).json());
  await inStep(url, id, "contract");
  expect(await kill("SIGTERM")).toBe(0);
  expect(await readdir(join(folder, "data"))).not.toContain("work");
  expect(await ended(await start(), id)).toMatchObject({ state: "done", attempts: 1, rows: { read: 150_000 } });
});

it("says in one line what is wrong with its config", async () => {
  await writeFile(resolve(folder, "config.json"), "{}");
  const args = ["processor/src/main.ts", "--config", join(folder, "config.json"), "--data", join(folder, "data")];
  const started = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  started.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const [code]: number[] = await once(started, "exit");
  expect(code).toBe(1);
  expect(said).toContain(`The config ${join(folder, "config.json")} is not right:`);
  expect(said).not.toContain("    at ");
});
