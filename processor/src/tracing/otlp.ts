import { setTimeout as pause } from "node:timers/promises";
import { type Context, ROOT_CONTEXT, type SpanContext, SpanStatusCode, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { checkedTraceparent, type Tracing } from "./index.ts";

/** Time that one request to the collector, or the last ones at the stop, may take. */
const SEND_MS = 2000;

/** Starts OpenTelemetry's SDK. Headers, such as a collector's key, are read by the exporter from OTEL_EXPORTER_OTLP_HEADERS. */
export function exportSpans(endpoint: string): Pick<Tracing, "start" | "stop"> {
  const exporter = new OTLPTraceExporter({
    url: new URL("v1/traces", endpoint.endsWith("/") ? endpoint : `${endpoint}/`).href,
    timeoutMillis: SEND_MS,
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "cais" }),
    spanProcessors: [new BatchSpanProcessor({ exporter, scheduledDelayMillis: 1000, exportTimeoutMillis: SEND_MS })],
  });
  const tracer = provider.getTracer("cais");
  return {
    start(name, parent, attributes = {}) {
      const span = tracer.startSpan(name, { attributes: { ...attributes } }, contextOf(parent));
      return {
        traceparent: traceparentOf(span.spanContext()),
        end(more = {}, failed = false) {
          span.setAttributes({ ...more });
          // Without the error's message: it may hold a cell.
          if (failed) span.setStatus({ code: SpanStatusCode.ERROR });
          span.end();
        },
      };
    },
    async stop() {
      // A collector that does not answer must not hold the stop, nor make it fail.
      await Promise.race([Promise.allSettled([provider.shutdown()]), pause(SEND_MS, undefined, { ref: false })]);
    },
  };
}

function contextOf(parent: string | undefined): Context {
  const [, traceId, spanId, flags] = checkedTraceparent(parent)?.split("-") ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    isRemote: true,
  });
}

const traceparentOf = ({ traceId, spanId, traceFlags }: SpanContext) =>
  `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
