import { readFile, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { Delivery, Run } from "@cais/spec/api.ts";
import { expect, it } from "vitest";
import { z } from "zod";
import { startProcessor } from "../main.ts";
import { configOf, ended, salesStack, send, testFolder } from "../processor-for-tests.ts";
import { type QueueDepth, startMetrics } from "./index.ts";

const run = Run.parse({
  id: "run-1",
  stack: "sales",
  kind: "replay",
  root: "run-0",
  state: "done",
  file: { name: "secret-name.csv", key: "2024-01-01/a.csv", bytes: 10, sha256: "0" },
  rows: { read: 4, clean: 3, rejected: 1 },
  open: null,
  found: null,
  attempts: 2,
  retryAt: null,
  by: null,
  error: null,
  steps: [],
  outputs: [],
  deliveries: [],
  queuedAt: "2024-01-01T00:00:00.000Z",
  startedAt: "2024-01-01T00:00:01.000Z",
  finishedAt: "2024-01-01T00:00:04.000Z",
});

const delivery = Delivery.parse({
  id: 1,
  stack: "sales",
  sink: "0-csv-sold",
  kind: "csv",
  name: "sold",
  run: "run-1",
  payloadKey: null,
  state: "delivered",
  attempts: 1,
  retryAt: null,
  error: null,
  rows: 1,
  bytes: 1,
  canDouble: null,
  addedAt: "2024-01-01T00:00:04.000Z",
  deliveredAt: "2024-01-01T00:00:09.000Z",
});

const sync = async () => ({ ageSeconds: 70, problems: 1 });

/** One of everything that can be told. */
async function tellAll(depth: () => Promise<QueueDepth>): Promise<string> {
  const metrics = startMetrics(depth, () => new Date("2024-01-01T00:01:00Z"), sync);
  metrics.received("sales", 10);
  metrics.ignored("sales");
  metrics.fullScan("sales", 12.5, 100_000);
  metrics.announced("sales", 2);
  metrics.attempted(run);
  metrics.retried(run);
  metrics.finished(run);
  metrics.step("sales", "tables/sold", 2);
  metrics.batch("sales", 7);
  metrics.delivered(delivery);
  metrics.deliveryRetried(delivery);
  metrics.deliveryFailed(delivery);
  metrics.engine("started");
  metrics.engine("crashed");
  metrics.request({ method: "GET", route: "/v1/runs/:id", status: 200, seconds: 0.02 });
  return metrics.text();
}

const waiting = async () => ({
  queued: 3,
  running: 1,
  oldestQueuedAt: "2024-01-01T00:00:30.000Z",
  deliveries: [{ stack: "sales", sink: "0-csv-sold", waiting: 2, oldestAt: "2024-01-01T00:00:15.000Z" }],
});

it("gives every metric that the documentation lists, with its type and labels, and no other", async () => {
  const text = await tellAll(waiting);
  const given = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name = "", type = ""]) => {
    const line = new RegExp(`^${name}(?:_count)?(?:\\{(.*)\\})? [\\d.e+-]+$`, "m").exec(text);
    const labels = [...(line?.[1] ?? "").matchAll(/(\w+)="/g)].map(([, label]) => label);
    return [name, type, labels.join(" ")];
  });
  const page = await readFile(resolve("docs/observability.md"), "utf8");
  const listed = [...page.matchAll(/^\| `(\w+)` \| (\w+) \| (.*?) ?\| .*$/gm)].map(([, name, type, labels = ""]) => [
    name,
    type,
    [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label).join(" "),
  ]);
  expect(given.toSorted()).toEqual(listed.toSorted());
});

it("counts what it is told", async () => {
  const text = await tellAll(waiting);
  const lines = text.split("\n");
  for (const line of [
    'cais_runs_total{stack="sales",state="done",kind="replay"} 1',
    'cais_rows_total{stack="sales",kind="clean"} 3',
    'cais_rows_total{stack="sales",kind="rejected"} 1',
    'cais_rejected_share_sum{stack="sales"} 0.25',
    'cais_received_bytes_total{stack="sales"} 10',
    'cais_step_seconds_sum{stack="sales",step="tables/sold"} 2',
    'cais_put_to_done_seconds_sum{stack="sales"} 4',
    'cais_batch_runs_sum{stack="sales"} 7',
    'cais_deliveries_total{stack="sales",sink="0-csv-sold",state="delivered"} 1',
    'cais_deliveries_total{stack="sales",sink="0-csv-sold",state="failed"} 1',
    'cais_delivery_retries_total{stack="sales",sink="0-csv-sold"} 1',
    'cais_delivery_seconds_sum{stack="sales",sink="0-csv-sold"} 5',
    'cais_deliveries_waiting{stack="sales",sink="0-csv-sold"} 2',
    'cais_deliveries_oldest_seconds{stack="sales",sink="0-csv-sold"} 45',
    'cais_engines_total{event="crashed"} 1',
    'cais_queue_runs{state="queued"} 3',
    'cais_queue_runs{state="running"} 1',
    "cais_queue_oldest_seconds 30",
    "cais_ledger_up 1",
    "cais_sync_age_seconds 70",
    "cais_sync_problems 1",
    'cais_http_request_seconds_count{method="GET",route="/v1/runs/:id",status="200"} 1',
  ])
    expect(lines).toContain(line);
  for (const chosen of ["secret-name", "run-1", "2024-01-01/a"]) expect(text).not.toContain(chosen);
});

it("is told of everything by a processor that does a run", async () => {
  const folder = await testFolder("metrics");
  const processor = await startProcessor(configOf(salesStack()), { dataFolder: folder });
  try {
    const sent = await send(processor.url, "sales", "day,amount,note\n2024-01-01,1,x\n2024-01-01,y,x\n");
    await ended(processor.url, z.object({ id: z.string() }).parse(await sent.json()).id);
    await fetch(`${processor.url}/no/such/address`);
    const expected = [
      'cais_runs_total{stack="sales",state="done",kind="load"} 1',
      'cais_attempts_total{stack="sales"} 1',
      'cais_rejected_share_sum{stack="sales"} 0.5',
      'cais_batch_runs_sum{stack="sales"} 1',
      'cais_engines_total{event="started"} 1',
      'cais_step_seconds_count{stack="sales",step="sinks/csv/sold"} 1',
      'cais_put_to_done_seconds_count{stack="sales"} 1',
      'cais_deliveries_total{stack="sales",sink="0-csv-sold",state="delivered"} 1',
      'cais_queue_runs{state="queued"} 0',
      "cais_queue_oldest_seconds 0",
      'cais_http_request_seconds_count{method="POST",route="/v1/stacks/:stack/files",status="202"} 1',
      'cais_http_request_seconds_count{method="GET",route="none",status="404"} 1',
    ];
    // Runs and requests are counted a moment after what is seen of them.
    const missing = async () => {
      const lines = (await (await fetch(`${processor.url}/metrics`)).text()).split("\n");
      return expected.filter((line) => !lines.includes(line));
    };
    await expect.poll(missing, { timeout: 10_000 }).toEqual([]);
  } finally {
    await processor.stop();
    await rm(folder, { recursive: true });
  }
});

it("goes on counting when the ledger fails", async () => {
  const text = await tellAll(() => Promise.reject(new Error("The disk is full.")));
  expect(text).toMatch(/^cais_ledger_up 0$/m);
  expect(text).not.toContain("cais_queue_runs{");
  expect(text).toMatch(/^cais_attempts_total\{stack="sales"\} 1$/m);
});

it("knows no negative age when the clock was set back", async () => {
  const text = await tellAll(async () => ({ queued: 1, running: 0, oldestQueuedAt: "2030-01-01T00:00:00.000Z" }));
  expect(text).toMatch(/^cais_queue_oldest_seconds 0$/m);
});
