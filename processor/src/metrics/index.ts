import { ValueType } from "@opentelemetry/api";
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import type { Delivery, Run } from "@cais/spec/api.ts";

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
  stop(): Promise<void>;
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

/** `depth` tells the queue's length when it is asked for. */
export function startMetrics(depth: () => Promise<QueueDepth>, now = () => new Date()): Metrics {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [exporter] });
  const meter = provider.getMeter("cais");
  const integer = { valueType: ValueType.INT };
  const counter = (name: string, description: string) => meter.createCounter(name, { ...integer, description });
  const histogram = (name: string, description: string, explicitBucketBoundaries: number[]) =>
    meter.createHistogram(name, { description, advice: { explicitBucketBoundaries } });

  const runs = counter("cais_runs", "Runs that ended.");
  const attempts = counter("cais_attempts", "Attempts at runs.");
  const retries = counter("cais_retries", "Attempts that failed and are made again.");
  const rows = counter("cais_rows", "Rows of files, clean and rejected.");
  const bytes = counter("cais_received_bytes", "Bytes of files taken.");
  const ignored = counter("cais_ignored_objects", "Objects in input stores that their stack does not take.");
  const scanSeconds = meter.createGauge("cais_full_scan_seconds", {
    description: "Time that the last full scan of an input store took.",
  });
  const scanObjects = meter.createGauge("cais_full_scan_objects", {
    ...integer,
    description: "Objects that the last full scan of an input store saw.",
  });
  const announced = counter("cais_announced_objects", "Objects of which a store's proxy or gateway told.");
  const engines = counter("cais_engines", "Engine processes that started or crashed.");
  const share = histogram("cais_rejected_share", "Share of a run's rows that was rejected.", SHARE);
  const steps = histogram("cais_step_seconds", "Time that a run's step took.", LONG);
  const lag = histogram("cais_put_to_done_seconds", "Time from the file's claim to the end of its run.", LONG);
  const deliveries = counter("cais_deliveries", "Deliveries that ended.");
  const deliveryRetries = counter("cais_delivery_retries", "Attempts at deliveries that failed and are made again.");
  const deliveryLag = histogram("cais_delivery_seconds", "Time from what a run committed to its delivery.", LONG);
  const batches = histogram("cais_batch_runs", "Runs that were committed at once.", SMALL_COUNT);
  const requests = histogram("cais_http_request_seconds", "Time from a request's head to its answer's end.", QUICK);
  const queue = meter.createObservableGauge("cais_queue_runs", { ...integer, description: "Runs queued and running." });
  const oldest = meter.createObservableGauge("cais_queue_oldest_seconds", {
    description: "Age of the oldest queued run, 0 if none is queued.",
  });
  const undelivered = meter.createObservableGauge("cais_deliveries_waiting", {
    ...integer,
    description: "Deliveries that are not done; 0 is not told.",
  });
  const undeliveredAge = meter.createObservableGauge("cais_deliveries_oldest_seconds", {
    description: "Age of the oldest delivery that is not done.",
  });
  const up = meter.createObservableGauge("cais_ledger_up", {
    ...integer,
    description: "1 if the ledger answers, else 0.",
  });
  // The clock may have been set back since.
  const ageOf = (at: string) => Math.max(0, (now().getTime() - Date.parse(at)) / 1000);
  meter.addBatchObservableCallback(
    async (result) => {
      // What else is counted must be seen above all when the ledger fails.
      const [asked] = await Promise.allSettled([depth()]);
      result.observe(up, asked.status === "fulfilled" ? 1 : 0);
      if (asked.status === "rejected") return;
      const { queued, running, oldestQueuedAt, deliveries: waiting = [] } = asked.value;
      result.observe(queue, queued, { state: "queued" });
      result.observe(queue, running, { state: "running" });
      result.observe(oldest, typeof oldestQueuedAt === "string" ? ageOf(oldestQueuedAt) : 0);
      for (const { stack, sink, waiting: count, oldestAt } of waiting) {
        result.observe(undelivered, count, { stack, sink });
        result.observe(undeliveredAge, ageOf(oldestAt), { stack, sink });
      }
    },
    [up, queue, oldest, undelivered, undeliveredAge],
  );
  // Named as Prometheus' own clients name them, so that everyone's dashboards show them.
  meter
    .createObservableCounter("process_cpu_seconds", { description: "CPU time of the processor without its engines." })
    .addCallback((result) => {
      const { user, system } = process.cpuUsage();
      result.observe((user + system) / 1e6);
    });
  meter
    .createObservableGauge("process_resident_memory_bytes", {
      ...integer,
      description: "Memory of the processor without its engines.",
    })
    .addCallback((result) => result.observe(process.memoryUsage.rss()));
  // Without what every line would repeat: the target's and the meter's names.
  const serializer = new PrometheusSerializer("", false, undefined, true, true);

  return {
    received: (stack, count) => bytes.add(count, { stack }),
    ignored: (stack) => ignored.add(1, { stack }),
    fullScan(stack, seconds, objects) {
      scanSeconds.record(seconds, { stack });
      scanObjects.record(objects, { stack });
    },
    announced: (stack, count) => announced.add(count, { stack }),
    attempted: ({ stack }) => attempts.add(1, { stack }),
    retried: ({ stack }) => retries.add(1, { stack }),
    finished(run) {
      const { stack, state, queuedAt, finishedAt } = run;
      const { read, clean, rejected } = run.rows;
      runs.add(1, { stack, state, kind: run.kind });
      rows.add(clean, { stack, kind: "clean" });
      rows.add(rejected, { stack, kind: "rejected" });
      if (read > 0) share.record(rejected / read, { stack });
      if (finishedAt !== null)
        lag.record(Math.max(0, (Date.parse(finishedAt) - Date.parse(queuedAt)) / 1000), { stack });
    },
    step: (stack, step, seconds) => steps.record(seconds, { stack, step }),
    delivered({ stack, sink, addedAt, deliveredAt }) {
      deliveries.add(1, { stack, sink, state: "delivered" });
      if (deliveredAt !== null)
        deliveryLag.record(Math.max(0, (Date.parse(deliveredAt) - Date.parse(addedAt)) / 1000), { stack, sink });
    },
    deliveryRetried: ({ stack, sink }) => deliveryRetries.add(1, { stack, sink }),
    deliveryFailed: ({ stack, sink }) => deliveries.add(1, { stack, sink, state: "failed" }),
    batch: (stack, count) => batches.record(count, { stack }),
    engine: (event) => engines.add(1, { event }),
    request: ({ seconds, method, route, status }) => requests.record(seconds, { method, route, status }),
    async text() {
      const { resourceMetrics, errors } = await exporter.collect();
      if (errors.length > 0) throw new AggregateError(errors, "The metrics cannot be collected.");
      return serializer.serialize(resourceMetrics);
    },
    stop: () => provider.shutdown(),
  };
}
