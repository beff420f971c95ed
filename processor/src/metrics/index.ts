import { ValueType } from "@opentelemetry/api";
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import type { Run } from "@cais/spec/api.ts";

/** What is counted of the processor's work, since it started. */
export interface Metrics {
  received(stack: string, bytes: number): void;
  finished(run: Run): void;
  step(stack: string, step: string, seconds: number): void;
  /** All of it in Prometheus' text format. */
  text(): Promise<string>;
  stop(): Promise<void>;
}

/** `depth` tells the queue's length when it is asked for. */
export function startMetrics(depth: () => Promise<{ queued: number; running: number }>): Metrics {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [exporter] });
  const meter = provider.getMeter("cais");
  const integer = { valueType: ValueType.INT };
  const runs = meter.createCounter("cais_runs", { ...integer, description: "Runs that ended, by state." });
  const rows = meter.createCounter("cais_rows", { ...integer, description: "Rows of files, clean and rejected." });
  const bytes = meter.createCounter("cais_received_bytes", { ...integer, description: "Bytes of files taken." });
  const steps = meter.createHistogram("cais_step_seconds", {
    description: "Time that a run's step took.",
    advice: { explicitBucketBoundaries: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1800] },
  });
  const queue = meter.createObservableGauge("cais_queue_runs", { ...integer, description: "Runs queued and running." });
  queue.addCallback(async (result) => {
    for (const [state, count] of Object.entries(await depth())) result.observe(count, { state });
  });
  // Without what every line would repeat: the target's and the meter's names.
  const serializer = new PrometheusSerializer("", false, undefined, true, true);

  return {
    received: (stack, count) => bytes.add(count, { stack }),
    finished({ stack, state, rows: { clean, rejected } }) {
      runs.add(1, { stack, state });
      rows.add(clean, { stack, kind: "clean" });
      rows.add(rejected, { stack, kind: "rejected" });
    },
    step: (stack, step, seconds) => steps.record(seconds, { stack, step }),
    async text() {
      const { resourceMetrics, errors } = await exporter.collect();
      if (errors.length > 0) throw new AggregateError(errors, "The metrics cannot be collected.");
      return serializer.serialize(resourceMetrics);
    },
    stop: () => provider.shutdown(),
  };
}
