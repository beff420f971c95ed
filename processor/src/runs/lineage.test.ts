import type { Run } from "@cais/spec/api.ts";
import { Stack } from "@cais/spec/stack.ts";
import { describe, expect, it } from "vitest";
import { salesStack } from "../processor-for-tests.ts";
import { lineageOf } from "./lineage.ts";

const at = "2024-01-01T00:00:00.000Z";
const done: Run = {
  id: "r1",
  stack: "sales",
  kind: "load",
  root: null,
  state: "done",
  file: { name: "a.csv", key: "2024/a.csv", bytes: 90, sha256: "0" },
  rows: { read: 4, clean: 3, rejected: 1 },
  open: null,
  found: null,
  attempts: 1,
  retryAt: null,
  by: null,
  error: null,
  steps: [],
  outputs: [
    {
      kind: "table",
      name: "Sold",
      location: "lake/Sold",
      rows: 3,
      bytes: 500,
      how: { mode: "incremental" },
      version: 7,
    },
    {
      kind: "table",
      name: "by_day",
      location: "lake/by_day",
      rows: 2,
      bytes: 300,
      how: { mode: "full", why: "aggregates" },
    },
    { kind: "csv", name: "Sold", location: "/out/b.csv", rows: 30, bytes: 900 },
  ],
  deliveries: [],
  queuedAt: at,
  startedAt: at,
  finishedAt: at,
};
const stack = Stack.parse({
  ...salesStack().stack,
  tables: [
    { name: "Sold", layer: "silver", sql: "sold.sql", disposition: "append" },
    { name: "by_day", layer: "gold", sql: "by_day.sql", disposition: "replace" },
  ],
  sinks: [
    { csv: { table: "Sold", to: "out/a.csv" } },
    { csv: { table: "Sold", to: "out/b.csv" } },
    { webhook: { url: { secret: "url" }, secret: { secret: "key" } } },
    { parquet: { table: "by_day", to: "out/days.parquet" } },
  ],
});
const of = (run: Run) =>
  lineageOf({
    run,
    stack,
    readsInput: (table) => table === "Sold",
    reads: (table) => (table === "by_day" ? ["Sold"] : []),
  });
const states = (run: Run) => Object.fromEntries(of(run).nodes.map(({ id, state }) => [id, state]));

describe("a run's lineage", () => {
  it("leads from the file over its tables to the sinks", () => {
    const { nodes, edges } = of(done);
    expect(nodes.map(({ id }) => id)).toEqual([
      "file",
      "table/Sold",
      "table/by_day",
      "sink/0-csv-Sold",
      "sink/1-csv-Sold",
      "sink/2-webhook-url",
      "sink/3-parquet-by_day",
    ]);
    expect(edges.map(({ from, to }) => `${from} > ${to}`)).toEqual([
      "file > table/Sold",
      "table/Sold > table/by_day",
      "table/Sold > sink/0-csv-Sold",
      "table/Sold > sink/1-csv-Sold",
      "file > sink/2-webhook-url",
      "table/by_day > sink/3-parquet-by_day",
    ]);
    expect(nodes[0]).toMatchObject({ name: "a.csv", rows: 4, bytes: 90, state: "done" });
    expect(nodes[1]).toMatchObject({
      layer: "silver",
      rows: 3,
      version: 7,
      how: { mode: "incremental" },
      state: "done",
    });
    expect(nodes[4]).toMatchObject({ sink: "csv", rows: 30, location: "/out/b.csv", state: "done" });
  });

  it("says what waits, what failed, and what was never made", () => {
    expect(states({ ...done, state: "running", outputs: [], finishedAt: null })).toEqual({
      file: "done",
      "table/Sold": "waiting",
      "table/by_day": "waiting",
      "sink/0-csv-Sold": "waiting",
      "sink/1-csv-Sold": "waiting",
      "sink/2-webhook-url": "waiting",
      "sink/3-parquet-by_day": "waiting",
    });
    const steps = [{ name: "tables/by_day", startedAt: at, finishedAt: null }];
    expect(states({ ...done, state: "failed", steps, outputs: [] })).toMatchObject({
      file: "failed",
      "table/Sold": "none",
      "table/by_day": "failed",
      "sink/3-parquet-by_day": "none",
    });
    expect(states({ ...done, state: "queued", rows: { read: 0, clean: 0, rejected: 0 }, outputs: [] })).toMatchObject({
      file: "waiting",
    });
  });

  it.each([
    ["pending", "waiting"],
    ["delivering", "waiting"],
    ["retrying", "waiting"],
    ["delivered", "done"],
    ["superseded", "done"],
    ["failed", "failed"],
  ] as const)("shows a delivery that is %s as %s", (state, expected) => {
    const delivery: Run["deliveries"][number] = {
      id: 5,
      stack: "sales",
      sink: "3-parquet-by_day",
      kind: "parquet",
      name: "by_day",
      run: "r1",
      payloadKey: null,
      state,
      attempts: 1,
      retryAt: null,
      error: "why",
      rows: 2,
      bytes: 300,
      canDouble: null,
      addedAt: at,
      deliveredAt: null,
    };
    expect(of({ ...done, deliveries: [delivery] }).nodes.at(-1)).toMatchObject({
      state: expected,
      rows: 2,
      delivery: { id: 5, state, error: "why" },
    });
    const before = { ...delivery, id: 4, sink: "2-webhook-url", state: "delivered" as const };
    const told = { ...before, id: 5, state };
    expect(of({ ...done, deliveries: [before, told] }).nodes.at(-2)).toMatchObject({
      id: "sink/2-webhook-url",
      state: expected,
      rows: null,
      delivery: { id: 5, state, error: "why" },
    });
  });
});
