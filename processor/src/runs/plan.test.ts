import { rm } from "node:fs/promises";
import { Stack } from "@cais/spec/stack.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Engine, startEngine } from "../engine/index.ts";
import { testFolder } from "../processor-for-tests.ts";
import { planOf } from "./plan.ts";

let folder: string;
let engine: Engine;
beforeAll(async () => {
  folder = await testFolder("plan");
  engine = startEngine({ log: () => undefined });
  await engine.open({ folder, limits: { memoryBytes: 200e6, tempBytes: 1e6, threads: 1 }, seconds: 60 });
});
afterAll(async () => {
  await engine.stop();
  await rm(folder, { recursive: true });
});

type Kind = "append" | "replace" | "merge";

/** The plan of tables by name: what they do with their rows and their SQL. */
function planned(tables: Record<string, [Kind, string]>, csv: string[] = []) {
  const stack = Stack.parse({
    name: "sales",
    owner: "shop",
    environments: ["dev"],
    source: { upload: {} },
    contract: { columns: [{ name: "n", type: "integer" }] },
    tables: Object.entries(tables).map(([name, [disposition]]) =>
      name === "received"
        ? { name, layer: "bronze" }
        : { name, layer: "silver", sql: `${name}.sql`, disposition, key: disposition === "merge" ? ["n"] : [] },
    ),
    sinks: csv.map((table) => ({ csv: { table, to: `${table}.csv` } })),
  });
  const sql = Object.fromEntries(Object.entries(tables).map(([name, [, text]]) => [`${name}.sql`, text]));
  return planOf({ config: { stack, sql } }, engine);
}

const names = (tables: { name: string }[]) => tables.map(({ name }) => name);

it("makes appended and merged tables of each run, and replaced ones once for all of them", async () => {
  const plan = await planned(
    {
      received: ["append", ""],
      clean: ["append", "SELECT * FROM Received WHERE n > 0"],
      latest: ["merge", "SELECT * FROM clean"],
      totals: ["replace", "SELECT sum(n) AS n FROM clean"],
      large: ["replace", "SELECT n FROM clean WHERE n > 100"],
    },
    ["latest"],
  );
  expect(names(plan.perRun)).toEqual(["received", "clean", "latest"]);
  expect(names(plan.shared)).toEqual(["totals", "large"]);
  expect(plan.bronze).toBe("received");
  expect(["received", "clean", "latest"].map(plan.readsInput)).toEqual([true, false, false]);
  expect(plan.reads("clean")).toEqual(["received"]);
  // What is added to a table is made of what was added to the one that it reads.
  expect(["received", "clean", "latest", "totals"].map(plan.addedOf)).toEqual([
    undefined,
    "received",
    "clean",
    undefined,
  ]);
  expect(["received", "clean", "latest", "totals"].map(plan.isSeen)).toEqual([false, true, true, false]);
  expect(plan.grows("totals")).toEqual({ why: "sum()" });
  expect(plan.grows("large")).toEqual({ of: "clean" });
  expect(plan.wholeFile).toBe(false);
});

/** Of a table, and one that is appended and sees it. */
const sees = (kind: Kind) =>
  planned({ first: [kind, "SELECT * FROM input"], next: ["append", "SELECT * FROM input WHERE n IN (FROM first)"] });

it("does runs one by one whose tables see what is replaced or merged", async () => {
  for (const kind of ["replace", "merge"] as const) {
    const plan = await sees(kind);
    expect([names(plan.perRun), names(plan.shared)]).toEqual([["first", "next"], []]);
    expect(plan.isSeen("first")).toBe(true);
  }
  expect(names((await sees("append")).perRun)).toEqual(["first", "next"]);
  expect((await sees("replace")).wholeFile).toBe(true);
});

it("lets no table see itself or a later one", async () => {
  const plan = await planned({
    first: ["append", "SELECT * FROM input WHERE n NOT IN (FROM first) AND n NOT IN (FROM next)"],
    next: ["append", "SELECT * FROM first"],
  });
  expect([plan.reads("first"), plan.reads("next")]).toEqual([[], ["first"]]);
});

it("lets a table grow by rows of one that only grows", async () => {
  const plan = await planned({
    clean: ["append", "SELECT * FROM input"],
    latest: ["merge", "SELECT * FROM input"],
    large: ["replace", "SELECT n FROM clean"],
    larger: ["replace", "SELECT n FROM large"],
    merged: ["replace", "SELECT n FROM latest"],
    run: ["replace", "SELECT n FROM input"],
  });
  expect(plan.grows("larger")).toEqual({ of: "large" });
  expect(plan.grows("merged")).toEqual({ why: "latest is merged" });
  expect(plan.grows("run")).toEqual({ why: "input" });
});
