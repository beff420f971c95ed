import { Delivery, Run } from "@cais/spec/api.ts";
import { expect, it } from "vitest";
import { formatDelivery } from "./deliveries.ts";
import { formatEnd, formatRun, formatWaiting } from "./run-text.ts";

const at = "2026-01-02T03:04:05.000Z";

const delivery = (more: Partial<Delivery>): Delivery => ({
  id: 7,
  stack: "ivi",
  sink: "1-bi-importance",
  kind: "bi",
  name: "importance",
  run: "r",
  payloadKey: null,
  state: "pending",
  attempts: 0,
  retryAt: null,
  error: null,
  rows: 17,
  bytes: 1500,
  canDouble: null,
  addedAt: at,
  deliveredAt: null,
  ...more,
});

const run = (more: Partial<Run>): Run => ({
  id: "r",
  stack: "ivi",
  kind: "load",
  root: null,
  state: "done",
  file: { name: "a.csv", key: "a.csv", bytes: 9, sha256: "0" },
  rows: { read: 2, clean: 2, rejected: 0 },
  open: null,
  found: null,
  attempts: 1,
  retryAt: null,
  by: null,
  error: null,
  steps: [],
  outputs: [],
  deliveries: [],
  queuedAt: at,
  startedAt: at,
  finishedAt: at,
  ...more,
});

it("says at a run's end what its sinks have not got, and where that is followed", () => {
  const deliveries = [
    delivery({ kind: "csv", state: "delivered", deliveredAt: at }),
    delivery({ state: "superseded", error: "It was down." }),
    delivery({ state: "pending" }),
    delivery({ state: "retrying", retryAt: at, error: "It is\u001B[2J down." }),
    delivery({ kind: "database", name: "trees", state: "failed", error: "It refused." }),
  ];
  expect(formatEnd(run({ deliveries })).split("\n")).toEqual([
    "  2 rows read: 2 clean, 0 rejected",
    "  bi       importance             not delivered yet",
    "  bi       importance             not delivered yet; tried again at 03:04:05; It is�[2J down.",
    "  database trees                  not delivered; It refused.",
    "  what sinks deliver, and why not: npx cais deliveries --run r",
  ]);
  expect(formatRun(run({ deliveries }))).toMatch(/2 clean, 0 rejected, 1 not delivered, 0\.0 s$/);
});

it("says nothing of sinks that have all", () => {
  const deliveries = [delivery({ state: "delivered", deliveredAt: at }), delivery({ state: "superseded" })];
  expect(formatEnd(run({ deliveries }))).toBe("  2 rows read: 2 clean, 0 rejected");
  expect(formatRun(run({ deliveries }))).not.toContain("delivered");
});

it("tells no error of a delivery that is past it", () => {
  const error = "It was down.";
  expect(formatDelivery(delivery({ state: "pending", error }))).not.toContain(error);
  expect(formatDelivery(delivery({ state: "superseded", error }))).not.toContain(error);
  expect(formatDelivery(delivery({ state: "failed", error }))).toMatch(/\n {8}It was down\.$/);
});

it("counts as an attempt only what was one", () => {
  const waits = { state: "queued", retryAt: at, finishedAt: null, error: "The key is not there." } as const;
  expect(formatWaiting(run({ ...waits, attempts: 0 }))).toBe(
    "  it waits: The key is not there; the next try is at 03:04:05",
  );
  expect(formatWaiting(run({ ...waits, attempts: 2 }))).toBe(
    "  attempt 2 broke off: The key is not there; the next one is at 03:04:05",
  );
});
