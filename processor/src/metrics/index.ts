import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Delivery, Run } from "@cais/spec/api.ts";
import type { Sync } from "../sync/index.ts";

/** What is counted of the processor's work, since it started. No label holds what a sender chooses. */
export interface Metrics {
  /** A file was taken: its bytes. */
  received(stack: string, bytes: number): void;
  /** An object in an input store was left alone, since its stack takes no such file. */
  ignored(stack: string): void;
  /** All of an input store was listed: how long it took, and how many objects there are. */
  fullScan(stack: string, seconds: number, objects: number): void;
  /** Someone told of so many objects. */
  announced(stack: string, count: number): void;
  /** A worker took up a run. */
  attempted(run: Run): void;
  /** An attempt failed and the run waits for another one. */
  retried(run: Run): void;
  finished(run: Run): void;
  /** `step` names no more than the stack's own tables. */
  step(stack: string, step: string, seconds: number): void;
  /** Runs that were committed at once. */
  batch(stack: string, runs: number): void;
  /** An engine's process started, or ended although it was not told to. */
  engine(event: "started" | "crashed"): void;
  /** A sink was given what was its turn. */
  delivered(delivery: Delivery): void;
  /** An attempt at a delivery failed and another one follows. */
  deliveryRetried(delivery: Delivery): void;
  /** A delivery was given up. */
  deliveryFailed(delivery: Delivery): void;
  /** `route` is the path's pattern, or `none` where nothing is served. */
  request(request: { method: string; route: string; status: number; seconds: number }): void;
  /** All of it in Prometheus' text format. */
  text(): Promise<string>;
}

/** What waits and works. */
export interface QueueDepth {
  queued: number;
  running: number;
  /** When the oldest queued run was queued. */
  oldestQueuedAt?: string | null;
  /** What waits for sinks. */
  deliveries?: { stack: string; sink: string; waiting: number; oldestAt: string }[];
}

/** Upper bounds in seconds: of a request, and of work that may take an hour. */
const QUICK = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];
const LONG = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600];
const SHARE = [0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.9, 1];
const SMALL_COUNT = [1, 2, 5, 10, 20, 50, 100];

/** `depth` tells the queue's length when it is asked for, and `sync` how it is with the machine, where it is one that tells. */
export function startMetrics(
  depth: () => Promise<QueueDepth>,
  now = () => new Date(),
  sync?: () => Promise<Sync>,
): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = <Label extends string>(name: string, labelNames: Label[], help: string) =>
    new Counter({ name, labelNames, help, registers });
  const gauge = <Label extends string>(name: string, labelNames: Label[], help: string) =>
    new Gauge({ name, labelNames, help, registers });
  const histogram = <Label extends string>(name: string, labelNames: Label[], help: string, buckets: number[]) =>
    new Histogram({ name, labelNames, help, buckets, registers });

  const runs = counter("cais_runs_total", ["stack", "state", "kind"], "Runs that ended.");
  const attempts = counter("cais_attempts_total", ["stack"], "Attempts at runs.");
  const retries = counter("cais_retries_total", ["stack"], "Attempts that failed and are made again.");
  const rows = counter("cais_rows_total", ["stack", "kind"], "Rows of files, clean and rejected.");
  const bytes = counter("cais_received_bytes_total", ["stack"], "Bytes of files taken.");
  const ignored = counter(
    "cais_ignored_objects_total",
    ["stack"],
    "Objects in input stores that their stack does not take.",
  );
  const scanSeconds = gauge(
    "cais_full_scan_seconds",
    ["stack"],
    "Time that the last full scan of an input store took.",
  );
  const scanObjects = gauge(
    "cais_full_scan_objects",
    ["stack"],
    "Objects that the last full scan of an input store saw.",
  );
  const announced = counter(
    "cais_announced_objects_total",
    ["stack"],
    "Objects of which a store's proxy or gateway told.",
  );
  const engines = counter("cais_engines_total", ["event"], "Engine processes that started or crashed.");
  const share = histogram("cais_rejected_share", ["stack"], "Share of a run's rows that was rejected.", SHARE);
  const steps = histogram("cais_step_seconds", ["stack", "step"], "Time that a run's step took.", LONG);
  const lag = histogram(
    "cais_put_to_done_seconds",
    ["stack"],
    "Time from the file's claim to the end of its run.",
    LONG,
  );
  const deliveries = counter("cais_deliveries_total", ["stack", "sink", "state"], "Deliveries that ended.");
  const deliveryRetries = counter(
    "cais_delivery_retries_total",
    ["stack", "sink"],
    "Attempts at deliveries that failed and are made again.",
  );
  const deliveryLag = histogram(
    "cais_delivery_seconds",
    ["stack", "sink"],
    "Time from what a run committed to its delivery.",
    LONG,
  );
  const batches = histogram("cais_batch_runs", ["stack"], "Runs that were committed at once.", SMALL_COUNT);
  const requests = histogram(
    "cais_http_request_seconds",
    ["method", "route", "status"],
    "Time from a request's head to its answer's end.",
    QUICK,
  );
  const queue = gauge("cais_queue_runs", ["state"], "Runs queued and running.");
  const oldest = gauge("cais_queue_oldest_seconds", [], "Age of the oldest queued run, 0 if none is queued.");
  const waiting = gauge("cais_deliveries_waiting", ["stack", "sink"], "Deliveries that are not done; 0 is not told.");
  const waitingAge = gauge(
    "cais_deliveries_oldest_seconds",
    ["stack", "sink"],
    "Age of the oldest delivery that is not done.",
  );
  const up = gauge("cais_ledger_up", [], "1 if the ledger answers, else 0.");
  // Named as Prometheus' own clients name them, so that everyone's dashboards show them.
  const cpu = counter("process_cpu_seconds_total", [], "CPU time of the processor without its engines.");
  const memory = gauge("process_resident_memory_bytes", [], "Memory of the processor without its engines.");

  const lookAtMachine = sync && watch(sync, gauge);

  // The clock may have been set back since.
  const ageOf = (at: string) => Math.max(0, (now().getTime() - Date.parse(at)) / 1000);

  async function lookAtQueue(): Promise<void> {
    // What else is counted must be seen above all when the ledger fails.
    const [asked] = await Promise.allSettled([depth()]);
    up.set(asked.status === "fulfilled" ? 1 : 0);
    for (const seen of [queue, waiting, waitingAge]) seen.reset();
    if (asked.status === "rejected") return oldest.remove();
    const { queued, running, oldestQueuedAt, deliveries: undelivered = [] } = asked.value;
    queue.set({ state: "queued" }, queued);
    queue.set({ state: "running" }, running);
    oldest.set(typeof oldestQueuedAt === "string" ? ageOf(oldestQueuedAt) : 0);
    for (const { stack, sink, waiting: count, oldestAt } of undelivered) {
      waiting.set({ stack, sink }, count);
      waitingAge.set({ stack, sink }, ageOf(oldestAt));
    }
  }

  function lookAtProcess(): void {
    const { user, system } = process.cpuUsage();
    cpu.reset();
    cpu.inc((user + system) / 1e6);
    memory.set(process.memoryUsage.rss());
  }

  return {
    received: (stack, count) => bytes.inc({ stack }, count),
    ignored: (stack) => ignored.inc({ stack }),
    fullScan(stack, seconds, objects) {
      scanSeconds.set({ stack }, seconds);
      scanObjects.set({ stack }, objects);
    },
    announced: (stack, count) => announced.inc({ stack }, count),
    attempted: ({ stack }) => attempts.inc({ stack }),
    retried: ({ stack }) => retries.inc({ stack }),
    finished(run) {
      const { stack, state, queuedAt, finishedAt } = run;
      const { read, clean, rejected } = run.rows;
      runs.inc({ stack, state, kind: run.kind });
      rows.inc({ stack, kind: "clean" }, clean);
      rows.inc({ stack, kind: "rejected" }, rejected);
      if (read > 0) share.observe({ stack }, rejected / read);
      if (finishedAt !== null)
        lag.observe({ stack }, Math.max(0, (Date.parse(finishedAt) - Date.parse(queuedAt)) / 1000));
    },
    step: (stack, step, seconds) => steps.observe({ stack, step }, seconds),
    delivered({ stack, sink, addedAt, deliveredAt }) {
      deliveries.inc({ stack, sink, state: "delivered" });
      if (deliveredAt !== null)
        deliveryLag.observe({ stack, sink }, Math.max(0, (Date.parse(deliveredAt) - Date.parse(addedAt)) / 1000));
    },
    deliveryRetried: ({ stack, sink }) => deliveryRetries.inc({ stack, sink }),
    deliveryFailed: ({ stack, sink }) => deliveries.inc({ stack, sink, state: "failed" }),
    batch: (stack, count) => batches.observe({ stack }, count),
    engine: (event) => engines.inc({ event }),
    request: ({ seconds, method, route, status }) => requests.observe({ method, route, status }, seconds),
    async text() {
      await lookAtQueue();
      await lookAtMachine?.();
      lookAtProcess();
      return registry.metrics();
    },
  };
}

/** Gauges of the machine, which are there only where a machine tells. */
function watch(sync: () => Promise<Sync>, gauge: (name: string, labels: never[], help: string) => Gauge) {
  const age = gauge("cais_sync_age_seconds", [], "Time since the machine last looked at what it is to run.");
  const problems = gauge("cais_sync_problems", [], "What the machine could not do then.");
  return async () => {
    const seen = await sync();
    age.set(seen.ageSeconds);
    if (seen.problems === null) problems.remove();
    else problems.set(seen.problems);
  };
}
