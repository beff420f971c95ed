import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Contract } from "@cais/spec/contract.ts";
import { Upload } from "@cais/spec/upload.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { testFolder } from "../processor-for-tests.ts";
import type { Engine, Session } from "./index.ts";
import { type Engines, keepEngines } from "./warm.ts";

let folder: string;
let engines: Engines;
const log = () => undefined;
beforeEach(async () => {
  folder = await testFolder("warm");
  for (const name of ["one", "two"]) await mkdir(join(folder, name));
  engines = keepEngines({ log });
});
afterEach(async () => {
  await engines.stop();
  await rm(folder, { recursive: true });
});

const session = (name: string, more: Partial<Session> = {}): Session => ({
  folder: join(folder, name),
  limits: { memoryBytes: 200e6, tempBytes: 1e6, threads: 1 },
  seconds: 60,
  ...more,
});
const pidOf = async (engine: Engine) => engine.pid;
const isThere = (pid: number | undefined) => {
  try {
    return process.kill(pid ?? 0, 0);
  } catch {
    return false;
  }
};
const contract = Contract.parse({ columns: [{ name: "n", type: "integer" }] });

/** Reads a file of one number by the contract, and makes the table `numbers` of it. */
async function load(engine: Engine, name: string, number: number): Promise<string> {
  const own = join(folder, name, `run-${number}`);
  await mkdir(own);
  await writeFile(join(own, "file.csv"), `n\n${number}\n`);
  const file = join(own, "file.csv");
  await engine.checkContract({ folder: own, file, name: "file.csv", upload: Upload.parse({}), contract, replay: null });
  const made = await engine.makeTable({ folder: own, name: "numbers", sql: "SELECT * FROM input", before: [] });
  return made.files[0]?.file ?? "";
}

const reads = (engine: Engine, name: string, table: string) =>
  engine.makeTable({ folder: join(folder, name), name: "t", sql: `SELECT * FROM ${table}`, before: [] });

it("keeps a stack's process for its next work, and starts another one for another stack", async () => {
  const first = await engines.use("a", session("one"), pidOf);
  expect(await engines.use("a", session("two"), pidOf)).toBe(first);
  expect(await engines.use("b", session("one"), pidOf)).not.toBe(first);
});

it("ends a process that has waited long enough", async () => {
  engines = keepEngines({ log }, 50);
  const pid = await engines.use("a", session("one"), pidOf);
  await expect.poll(() => isThere(pid)).toBe(false);
  expect(await engines.use("a", session("one"), pidOf)).not.toBe(pid);
});

it("ends a process in which work failed, and one that ended by itself is not used again", async () => {
  let pid: number | undefined;
  const failing = engines.use("a", session("one"), async (engine) => {
    ({ pid } = engine);
    throw new Error("failed");
  });
  await expect(failing).rejects.toThrow("failed");
  expect(isThere(pid)).toBe(false);
  const next = await engines.use("a", session("one"), pidOf);
  expect(next).not.toBe(pid);
  process.kill(next ?? 0, "SIGKILL");
  await expect.poll(() => isThere(next)).toBe(false);
  expect(await engines.use("a", session("one"), pidOf)).not.toBe(next);
});

it("shows nothing of a run to the next one, in the same session or another", async () => {
  await engines.use("a", session("one"), async (engine) => {
    await load(engine, "one", 1);
    expect(await reads(engine, "one", "numbers")).toMatchObject({ files: [{ rows: 1 }] });
    await engine.begin();
    for (const table of ["input", "numbers"])
      await expect(reads(engine, "one", table)).rejects.toThrow(`It reads "${table}"`);
    await load(engine, "one", 2);
  });
  await engines.use("a", session("two"), async (engine) => {
    for (const table of ["input", "numbers"])
      await expect(reads(engine, "two", table)).rejects.toThrow(`It reads "${table}"`);
  });
});

it("reaches the session's folder alone, in each of its runs", async () => {
  const other = await engines.use("a", session("one"), (engine) => load(engine, "one", 1));
  const columns = [{ name: "n", type: "BIGINT" }];
  await engines.use("a", session("two"), async (engine) => {
    const own = await load(engine, "two", 2);
    for (let run = 0; run < 2; run++) {
      await expect(engine.attachTable("other", [{ file: other }], columns)).rejects.toThrow(/Permission Error/);
      await expect(
        engine.attachTable("other", [{ file: join(folder, "two/../one/run-1/made/numbers.parquet") }], columns),
      ).rejects.toThrow(/Permission Error/);
      await expect(engine.attachTable("other", [{ file: "https://127.0.0.1/x.parquet" }], columns)).rejects.toThrow(
        /Permission Error|Missing Extension/,
      );
      await expect(engine.convert({ from: own, folder: join(folder, "one"), name: "x", columns })).rejects.toThrow(
        /Permission Error/,
      );
      await engine.begin();
    }
    await engine.attachTable("own", [{ file: own }], columns);
  });
});

it.runIf(process.platform === "linux")("knows nothing of the processor's environment", async () => {
  process.env["CAIS_TEST_SECRET"] = "hunter2";
  const pid = await engines.use("a", session("one"), pidOf);
  delete process.env["CAIS_TEST_SECRET"];
  expect(await readFile(`/proc/${pid}/environ`, "utf8")).not.toContain("hunter2");
});

it("gives each run of a session its own time", async () => {
  await engines.use("a", session("one", { seconds: 2 }), async (engine) => {
    for (let run = 0; run < 3; run++) {
      await engine.begin();
      expect(engine.isAlive()).toBe(true);
      const sql = "SELECT range AS n FROM range(10)";
      const start = performance.now();
      // All of them together take longer than one run may.
      for (let table = 0; performance.now() - start < 900; table++)
        await engine.makeTable({ folder: join(folder, "one"), name: `t${table}`, sql, before: [] });
    }
  });
});

it("says in one line what the SQL engine found wrong", async () => {
  await engines.use("a", session("one"), async (engine) => {
    const sql = "SELECT nothing FROM range(10) AS input(a)";
    await expect(engine.makeTable({ folder: join(folder, "one"), name: "t", sql, before: [] })).rejects.toThrow(
      /^The SQL of table "t" failed: Binder Error: Referenced column "nothing" not found in FROM clause! Candidate bindings: "[^\n]*"$/,
    );
  });
  await engines.use("a", session("two"), async (engine) => {
    const file = join(folder, "two", "file.csv");
    await writeFile(file, "a\nx\n");
    const upload = Upload.parse({});
    const rules = [{ check: "a::INTEGER > 1", reason: "is small" }];
    const asked = Contract.parse({ columns: [{ name: "a", type: "string" }], rules });
    await expect(
      engine.checkContract({
        folder: join(folder, "two"),
        file,
        name: "file.csv",
        upload,
        contract: asked,
        replay: null,
      }),
    ).rejects.toThrow(/^A rule of the contract failed: Conversion Error: Could not convert string 'x' to INT32[^\n]*$/);
  });
});
