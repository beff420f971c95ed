import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Run, Upload } from "@cais/spec/api.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EngineFailed } from "../engine/index.ts";
import { startProcessor } from "../main.ts";
import { configOf, ended, salesStack, send, testFolder } from "../processor-for-tests.ts";
import { backoffMs, judge, type RetryOptions, usualRetry } from "./faults.ts";

let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>> | undefined;
beforeEach(async () => {
  folder = await testFolder("attempts");
});
afterEach(async () => {
  await processor?.stop();
  processor = undefined;
  await rm(folder, { recursive: true });
});

const { stack, sql } = salesStack();
/** SQL that never ends for a file with a row whose note is "poison", and takes a moment for others. */
const poisoned = {
  ...sql,
  "sold.sql": `SELECT day, amount, note, count(*) AS n FROM input
    JOIN range(1000000) a ON note = 'poison' OR a.range = 0 JOIN range(1000000) b ON note = 'poison' OR b.range = 0
    GROUP BY day, amount, note`,
};

async function start(retry: Partial<RetryOptions>, runSeconds?: number, texts = sql): Promise<string> {
  const options = { dataFolder: folder, retry, ...(runSeconds !== undefined && { runSeconds }) };
  processor = await startProcessor(configOf({ stack, sql: texts }), options);
  return processor.url;
}
const upload = async (url: string, note: string) =>
  Upload.parse(await (await send(url, "sales", `day,amount,note\n2024-01-01,1,${note}\n`)).json()).id;
const runOf = async (url: string, id: string) => Run.parse(await (await fetch(`${url}/v1/runs/${id}`)).json());

it("quarantines a file that breaks off every attempt, with the cause, and does the rest of its batch", async () => {
  const url = await start({ attempts: 2, firstMs: 1 }, 4, poisoned);
  // The first keeps the stack busy, so that the others wait together.
  const first = await upload(url, "first");
  const [before, poison, after] = await Promise.all(["before", "poison", "after"].map((note) => upload(url, note)));
  for (const id of [first, before, after])
    expect(await ended(url, id ?? "")).toMatchObject({ state: "done", attempts: 1 });
  expect(await ended(url, poison ?? "")).toMatchObject({
    state: "quarantined",
    attempts: 2,
    error:
      "It broke off 2 times; the last time: It took longer than 4 seconds and was stopped. Replay it when that is mended.",
  });
  expect((await runOf(url, poison ?? "")).open).toMatchObject({ scope: "file" });
}, 60_000);

it("does other runs of a stack while one waits for its next attempt", async () => {
  const url = await start({ attempts: 3, firstMs: 600_000, longestMs: 600_000, random: () => 1 }, 3, poisoned);
  const poison = await upload(url, "poison");
  await expect
    .poll(() => runOf(url, poison), { timeout: 20_000 })
    .toMatchObject({
      state: "queued",
      attempts: 1,
      retryAt: expect.any(String),
      error: "It took longer than 3 seconds and was stopped.",
    });
  expect(await ended(url, await upload(url, "other"))).toMatchObject({ state: "done" });
  expect(await runOf(url, poison)).toMatchObject({ state: "queued" });
}, 60_000);

it.each(["input", "lake"])(
  "waits for a volume with the %s store that is not mounted while a run is queued",
  async (role) => {
    const url = await start({ attempts: 1, firstMs: 100, longestMs: 100 });
    const id = await upload(url, "x");
    // What is left of it is an empty folder.
    const store = join(folder, "sales", role);
    await rename(store, `${store}-away`);
    await mkdir(store);
    await expect
      .poll(() => runOf(url, id), { timeout: 20_000 })
      .toMatchObject({
        state: "queued",
        attempts: 0,
        error: expect.stringContaining("of an object store is not there; is its volume mounted? The run goes on then."),
      });
    expect(await readdir(store)).toEqual([]);
    await rm(store, { recursive: true });
    await rename(`${store}-away`, store);
    expect(await ended(url, id)).toMatchObject({
      state: "done",
      rows: { read: 1, clean: 1 },
      attempts: 1,
      error: null,
    });
    expect((await readdir(join(folder, "sales/output/out"))).length).toBe(1);
  },
  60_000,
);

it.each(["input", "lake"])(
  "does not start on an empty folder where the %s store that it used was mounted",
  async (role) => {
    const url = await start({});
    const id = await upload(url, "x");
    expect(await ended(url, id)).toMatchObject({ state: "done" });
    await processor?.stop();
    const store = join(folder, "sales", role);
    await rename(store, `${store}-away`);
    await mkdir(store);
    await expect(start({})).rejects.toThrow(
      `The folder ${store} of an object store is not there; is its volume mounted?`,
    );
    expect(await readdir(store)).toEqual([]);
    await rm(store, { recursive: true });
    await rename(`${store}-away`, store);
    const again = await start({});
    expect(await runOf(again, id)).toMatchObject({ state: "done" });
  },
);

const waits = (random: number) =>
  [1, 2, 3, 7, 50].map((nth) => backoffMs({ ...usualRetry, random: () => random }, nth));

describe("a wait", () => {
  it("doubles up to the longest, with full jitter", () => {
    expect(waits(1)).toEqual([1000, 2000, 4000, 60_000, 60_000]);
    expect(waits(0.5)).toEqual([500, 1000, 2000, 30_000, 30_000]);
    expect(waits(0)).toEqual([0, 0, 0, 0, 0]);
  });
});

const caused = (code: string) => new Error("put failed", { cause: Object.assign(new Error(code), { code }) });

describe("a fault", () => {
  it.each(["ENOSPC", "EROFS", "EACCES", "EIO", "ECONNREFUSED", "ETIMEDOUT", "ENOTFOUND"])(
    "of the environment is waited for: %s",
    (code) => expect(judge(caused(code))).toMatchObject({ brokenOff: { fault: "environment" } }),
  );

  it.each(["memory", "time", "process"] as const)("of an attempt counts: %s", (fault) =>
    expect(judge(new EngineFailed(fault, "why"))).toEqual({ brokenOff: { fault: "attempt", error: "why" } }),
  );

  it("of the stack or the file ends the run", () => {
    expect(judge(new EngineFailed("unreadable", "why"))).toMatchObject({
      ended: { state: "quarantined", error: "why" },
    });
    expect(judge(new EngineFailed("refused", "why"))).toMatchObject({ ended: { state: "failed", error: "why" } });
    expect(judge(new EngineFailed("engine", "why"))).toMatchObject({ ended: { state: "failed", error: "why" } });
  });

  it("that nobody expects counts, and does not tell the machine's own", () => {
    expect(judge(new Error("/srv/secret"))).toEqual({
      brokenOff: { fault: "attempt", error: "The processor failed, not the file; see its log." },
    });
  });
});

const lake = () => join(folder, "sales/lake");
const mount = (...options: string[]) => execFileSync("mount", options);

// Only root may mount, and to root no folder is read-only by its mode.
describe.runIf(process.platform === "linux" && process.getuid?.() === 0)("a lake of its own file system", () => {
  beforeEach(() => mkdir(lake(), { recursive: true }));
  // The processor stops first, so nothing holds it.
  afterEach(async () => {
    await processor?.stop();
    execFileSync("umount", [lake()]);
  });

  it("that is read-only is waited for, and nothing is lost", async () => {
    mount("-t", "tmpfs", "none", lake());
    const url = await start({ firstMs: 100, longestMs: 100 });
    mount("-o", "remount,ro", lake());
    const id = await upload(url, "x");
    await expect
      .poll(() => runOf(url, id), { timeout: 20_000 })
      .toMatchObject({
        state: "queued",
        error: "A store or the work folder cannot be written; the run goes on when it can.",
      });
    mount("-o", "remount,rw", lake());
    expect(await ended(url, id)).toMatchObject({
      state: "done",
      rows: { read: 1, clean: 1 },
      attempts: 1,
      error: null,
    });
  }, 60_000);

  it("that is full is waited for, and nothing is lost", async () => {
    mount("-t", "tmpfs", "-o", "size=200k", "none", lake());
    const url = await start({ firstMs: 100, longestMs: 100 });
    const id = await upload(url, randomBytes(300_000).toString("hex"));
    await expect
      .poll(() => runOf(url, id), { timeout: 20_000 })
      .toMatchObject({
        state: "queued",
        error: "There is no room left on the disk; the run goes on when there is.",
      });
    mount("-o", "remount,size=20m", lake());
    expect(await ended(url, id)).toMatchObject({
      state: "done",
      rows: { read: 1, clean: 1 },
      attempts: 1,
      error: null,
    });
  }, 60_000);
});
