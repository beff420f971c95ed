import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Claim, type Ledger, openLedger, type TableChange } from "./index.ts";

let folder: string;
let file: string;
let ledger: Ledger;
let seconds: number;
const now = () => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds++));

beforeEach(async () => {
  await mkdir(resolve(".cais/tests"), { recursive: true });
  folder = await mkdtemp(resolve(".cais/tests/ledger-"));
  file = join(folder, "ledger.sqlite");
  seconds = 0;
  ledger = await openLedger({ driver: "sqlite", file }, now);
});
afterEach(async () => {
  await ledger.close();
  await rm(folder, { recursive: true });
});

async function reopen(): Promise<void> {
  await ledger.close();
  ledger = await openLedger({ driver: "sqlite", file }, now);
}

const claim = (key: string, more: Partial<Claim> = {}): Claim => ({
  stack: "inmet",
  store: "fs:inmet/input",
  key,
  version: "1",
  name: "rain.csv",
  bytes: 7,
  sha256: key,
  ...more,
});
const queue = async (key: string, more: Partial<Claim> = {}) => (await ledger.claim(claim(key, more))).run.id;
const change = (name: string, key: string, disposition: TableChange["disposition"]): TableChange => ({
  name,
  disposition,
  columns: [{ name: "day", type: "DATE" }],
  file: { key, rows: 2, bytes: 10 },
  location: `/lake/${name}`,
});
const keys = async (name: string) => (await ledger.tables.read("inmet", name))?.files.map(({ key }) => key);

describe("a claim", () => {
  it("queues a run with all that is known of the file", async () => {
    const { run, created } = await ledger.claim(claim("a", { sha256: "hash" }));
    expect(created).toBe(true);
    expect(run).toEqual({
      id: expect.stringMatching(/^20260101t00000\d-[0-9a-f]{12}$/),
      stack: "inmet",
      state: "queued",
      file: { name: "rain.csv", key: "a", bytes: 7, sha256: "hash" },
      rows: { read: 0, clean: 0, rejected: 0 },
      attempts: 0,
      error: null,
      steps: [],
      outputs: [],
      queuedAt: "2026-01-01T00:00:01.000Z",
      startedAt: null,
      finishedAt: null,
    });
    await reopen();
    expect(await ledger.run(run.id)).toEqual(run);
  });

  it("is given once per store, key and version", async () => {
    const first = await queue("a");
    expect(await ledger.claim(claim("a"), { again: true })).toMatchObject({ created: false, run: { id: first } });
    expect((await ledger.claim(claim("a", { version: "2" }), { again: true })).created).toBe(true);
    expect((await ledger.claim(claim("a", { store: "fs:other" }), { again: true })).created).toBe(true);
  });

  it.each(["queued", "running", "done"] as const)("finds the same content when it is %s", async (state) => {
    const first = await queue("a", { sha256: "same" });
    if (state !== "queued") await ledger.next([]);
    if (state === "done") await ledger.finish(first, { state });
    expect(await ledger.claim(claim("b", { sha256: "same" }))).toMatchObject({ created: false, run: { id: first } });
    expect((await ledger.claim(claim("b", { sha256: "same", stack: "other" }))).created).toBe(true);
    expect((await ledger.claim(claim("c", { sha256: "same" }), { again: true })).created).toBe(true);
  });

  it.each(["failed", "quarantined"] as const)("takes the same content again after it %s", async (state) => {
    const first = await queue("a", { sha256: "same" });
    await ledger.next([]);
    await ledger.finish(first, { state, error: "no" });
    expect((await ledger.claim(claim("b", { sha256: "same" }))).created).toBe(true);
  });
});

describe("a run that failed after its commit", () => {
  it("is delivered again when its content is sent again, and loaded anew only if asked", async () => {
    const first = await queue("a", { sha256: "same" });
    await ledger.next([]);
    for (const step of ["contract", "commit"]) await ledger.startStep(first, step);
    await ledger.tables.commit({ id: first, stack: "inmet" }, [change("x", "x/1", "append")]);
    await ledger.startStep(first, "sinks/csv/x");
    const failed = await ledger.finish(first, { state: "failed", error: "No room." });
    expect(failed.error).toBe(
      "The tables are committed, but their delivery failed: No room. Send the file again to deliver again (nothing is loaded twice).",
    );
    let queued = 0;
    ledger.onQueued(() => (queued += 1));
    expect(await ledger.claim(claim("b", { sha256: "same" }))).toMatchObject({
      created: false,
      run: { id: first, state: "queued", attempts: 0, error: null, finishedAt: null },
    });
    expect(queued).toBe(1);
    expect(await ledger.next([])).toMatchObject({
      id: first,
      attempts: 1,
      steps: [{ name: "contract" }, { name: "commit" }],
    });
    expect((await ledger.claim(claim("b", { sha256: "same" }), { again: true })).created).toBe(true);
    expect(await ledger.runs({ limit: 9 })).toHaveLength(2);
  });

  it("stays so when it was cut off too often", async () => {
    const first = await queue("a", { sha256: "same" });
    await ledger.next([]);
    await ledger.tables.commit({ id: first, stack: "inmet" }, [change("x", "x/1", "append")]);
    await ledger.requeue(1);
    expect(await ledger.run(first)).toMatchObject({
      state: "failed",
      error:
        "The tables are committed, but their delivery failed: It was cut off 1 times; see the processor's log. Send the file again to deliver again (nothing is loaded twice).",
    });
    expect(await ledger.claim(claim("b", { sha256: "same" }))).toMatchObject({ created: false, run: { id: first } });
  });
});

describe("the queue", () => {
  it("gives the oldest run of a stack that is not busy", async () => {
    const [a, b, c] = [await queue("a"), await queue("b"), await queue("c", { stack: "other" })];
    expect(await ledger.next([])).toMatchObject({ id: a, state: "running", attempts: 1 });
    expect((await ledger.next(["inmet"]))?.id).toBe(c);
    expect(await ledger.next(["inmet", "other"])).toBeUndefined();
    expect(await ledger.depth()).toEqual({ queued: 1, running: 2 });
    expect((await ledger.next([]))?.id).toBe(b);
  });

  it("takes up again what a killed processor left running, in the old order", async () => {
    const [a, b] = [await queue("a"), await queue("b")];
    await ledger.next([]);
    await ledger.startStep(a, "contract");
    await reopen();
    await ledger.requeue(5);
    const again = await ledger.next([]);
    expect(again).toMatchObject({ id: a, attempts: 2, steps: [] });
    expect((await ledger.next([]))?.id).toBe(b);
  });

  it("gives a run up that has been cut off too often", async () => {
    const id = await queue("a");
    for (let attempt = 1; attempt <= 3; attempt++) {
      await ledger.requeue(3);
      expect((await ledger.next([]))?.attempts).toBe(attempt);
    }
    await ledger.requeue(3);
    expect(await ledger.next([])).toBeUndefined();
    expect(await ledger.run(id)).toMatchObject({ state: "failed", error: expect.stringContaining("cut off 3 times") });
  });
});

describe("a run", () => {
  it("keeps its steps, counts and outputs in order", async () => {
    const id = await queue("a");
    await ledger.next([]);
    for (const step of ["contract", "tables/x"]) {
      await ledger.startStep(id, step);
      await ledger.finishStep(id, step);
    }
    await ledger.countRows(id, { read: 3, clean: 2, rejected: 1 }, "rejected-rows/1.parquet");
    await ledger.addOutput(id, { kind: "csv", name: "x", location: "/out/x.csv", rows: 2, bytes: 9 });
    await ledger.finish(id, { state: "done" });
    expect(await ledger.run(id)).toMatchObject({
      state: "done",
      rows: { read: 3, clean: 2, rejected: 1 },
      steps: [{ name: "contract" }, { name: "tables/x", finishedAt: "2026-01-01T00:00:06.000Z" }],
      outputs: [{ kind: "csv", name: "x", location: "/out/x.csv", rows: 2, bytes: 9 }],
    });
    expect(await ledger.rejectedKey(id)).toBe("rejected-rows/1.parquet");
  });

  it("cannot count rows that are neither clean nor rejected", async () => {
    const id = await queue("a");
    await expect(ledger.countRows(id, { read: 3, clean: 1, rejected: 1 }, null)).rejects.toThrow(/CHECK/);
  });

  it("is listed newest first, by stack, by state and by page", async () => {
    const [a, b, c] = [await queue("a"), await queue("b", { stack: "other" }), await queue("c")];
    await ledger.next([]);
    expect((await ledger.runs({ limit: 10 })).map(({ id }) => id)).toEqual([c, b, a]);
    expect((await ledger.runs({ limit: 10, stack: "inmet" })).map(({ id }) => id)).toEqual([c, a]);
    expect((await ledger.runs({ limit: 10, state: "running" })).map(({ id }) => id)).toEqual([a]);
    expect((await ledger.runs({ limit: 1, before: c })).map(({ id }) => id)).toEqual([b]);
  });
});

describe("a table", () => {
  it("is nothing before the first commit", async () => {
    expect(await ledger.tables.read("inmet", "x")).toBeUndefined();
  });

  it("grows by append and changes whole by replace, all tables of a run at once", async () => {
    const [a, b] = [await queue("a"), await queue("b")];
    await ledger.tables.commit({ id: a, stack: "inmet" }, [
      change("x", "x/1", "append"),
      change("y", "y/1", "replace"),
    ]);
    expect(await ledger.loose.all()).toEqual([]);
    await ledger.tables.commit({ id: b, stack: "inmet" }, [
      change("x", "x/2", "append"),
      change("y", "y/2", "replace"),
    ]);
    expect(await ledger.loose.all()).toEqual([{ stack: "inmet", role: "lake", key: "y/1" }]);
    expect(await keys("x")).toEqual(["x/1", "x/2"]);
    expect(await keys("y")).toEqual(["y/2"]);
    expect(await ledger.tables.read("other", "x")).toBeUndefined();
    expect(await ledger.isCommitted(b)).toBe(true);
    expect((await ledger.run(b))?.outputs.map(({ location }) => location)).toEqual(["/lake/x", "/lake/y"]);
  });

  it("takes a run's commit once", async () => {
    const id = await queue("a");
    await ledger.tables.commit({ id, stack: "inmet" }, [change("x", "x/1", "append")]);
    await ledger.tables.commit({ id, stack: "inmet" }, [change("x", "x/2", "append")]);
    expect(await keys("x")).toEqual(["x/1"]);
  });

  it("is as before when a commit fails half-way", async () => {
    const id = await queue("a");
    const twice = [change("x", "x/1", "append"), change("x", "x/1", "append")];
    await expect(ledger.tables.commit({ id, stack: "inmet" }, twice)).rejects.toThrow(/UNIQUE/);
    expect(await ledger.tables.read("inmet", "x")).toBeUndefined();
    expect(await ledger.isCommitted(id)).toBe(false);
  });
});

describe("loose objects", () => {
  it("are forgotten by what makes them count, and noted when they are dropped", async () => {
    const note = (role: "input" | "lake", key: string) => ledger.loose.note({ stack: "inmet", role, key });
    for (const key of ["a", "b"]) await note("input", key);
    for (const key of ["x/1", "x/orphan", "rejected-rows/1"]) await note("lake", key);
    const id = await queue("a");
    await ledger.countRows(id, { read: 1, clean: 0, rejected: 1 }, "rejected-rows/1");
    await ledger.tables.commit({ id, stack: "inmet" }, [change("x", "x/1", "replace")]);
    await ledger.tables.commit({ id: await queue("c"), stack: "inmet" }, [change("x", "x/2", "replace")]);
    await reopen();
    expect((await ledger.loose.all()).map(({ role, key }) => `${role} ${key}`)).toEqual([
      "input b",
      "lake x/1",
      "lake x/orphan",
    ]);
    for (const object of await ledger.loose.all()) await ledger.loose.forget(object);
    expect(await ledger.loose.all()).toEqual([]);
  });

  it("hold the refused rows of an attempt that was followed by another", async () => {
    const id = await queue("a");
    await ledger.countRows(id, { read: 1, clean: 0, rejected: 1 }, "rejected-rows/1");
    await ledger.countRows(id, { read: 1, clean: 0, rejected: 1 }, "rejected-rows/2");
    expect(await ledger.loose.all()).toEqual([{ stack: "inmet", role: "lake", key: "rejected-rows/1" }]);
  });
});

const isFile = (data: string) => `The data folder ${data} is a file or lies below one; choose a folder with --data.`;

describe("the file", () => {
  it("belongs to one processor at a time", async () => {
    await expect(openLedger({ driver: "sqlite", file: file })).rejects.toThrow(
      /is another processor using this data folder/,
    );
  });

  it("is for its owner alone, with what SQLite keeps beside it", async () => {
    await queue("a");
    await ledger.close();
    await chmod(file, 0o644);
    ledger = await openLedger({ driver: "sqlite", file }, now);
    await queue("b");
    const names = await readdir(folder);
    expect(names).toContain("ledger.sqlite-wal");
    for (const name of names) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
  });

  it("says which data folder cannot be used, and what to change", async () => {
    const path = join(folder, "file");
    await writeFile(path, "");
    await expect(openLedger({ driver: "sqlite", file: join(path, "ledger.sqlite") })).rejects.toThrow(isFile(path));
    await expect(openLedger({ driver: "sqlite", file: join(path, "data", "ledger.sqlite") })).rejects.toThrow(
      isFile(join(path, "data")),
    );
    await mkdir(join(folder, "data", "ledger.sqlite"), { recursive: true });
    await expect(openLedger({ driver: "sqlite", file: join(folder, "data", "ledger.sqlite") })).rejects.toThrow(
      `The data folder ${join(folder, "data")} cannot be written; let this user write it, or choose another one with --data.`,
    );
    await writeFile(path, "no ledger, but long enough to be taken for a file of SQLite".repeat(100));
    await expect(openLedger({ driver: "sqlite", file: path })).rejects.toThrow(
      /is the data folder writable, with room left, and the file a ledger\?$/,
    );
  });

  it("is refused if a later version wrote it", async () => {
    await ledger.close();
    const database = new DatabaseSync(file);
    database.exec("PRAGMA user_version = 99");
    database.close();
    await expect(openLedger({ driver: "sqlite", file: file })).rejects.toThrow(/later version of Cais/);
    ledger = await openLedger({ driver: "sqlite", file: join(folder, "other.sqlite") });
  });
});
