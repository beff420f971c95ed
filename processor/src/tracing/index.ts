/** What a span may say. There is no place for names of files, cells or messages of errors. */
export interface SpanAttributes {
  "cais.stack"?: string;
  "cais.run"?: string;
  "cais.run.kind"?: string;
  "cais.run.state"?: string;
  "cais.attempt"?: number;
  /** Whether the claim queued a run, rather than finding the same content. */
  "cais.created"?: boolean;
  "http.request.method"?: string;
  "http.route"?: string;
  "http.response.status_code"?: number;
}

/** A piece of work that takes time, in the trace of what it was done for. */
export interface Span {
  /**
   * What names this span to the work done because of it (https://www.w3.org/TR/trace-context/#traceparent-header). Where no
   * one collects traces it is that of the caller, if there was one.
   */
  readonly traceparent: string | undefined;
  end(attributes?: SpanAttributes, failed?: boolean): void;
}

export interface Tracing {
  /** Starts a span below `parent`, or at the head of a trace of its own where there is none or one that is no traceparent. */
  start(name: string, parent: string | undefined, attributes?: SpanAttributes): Span;
  /** Does work as a span, which failed if the work throws. */
  during<T>(
    name: string,
    parent: string | undefined,
    attributes: SpanAttributes,
    work: (span: Span) => Promise<T>,
  ): Promise<T>;
  /** Sends what is not sent yet, for at most two seconds. */
  stop(): Promise<void>;
}

/**
 * Starts tracing. Spans go to `<endpoint>/v1/traces` by OTLP/HTTP as JSON; without an endpoint no SDK is loaded, and a
 * caller's traceparent is only handed on. An endpoint that does not answer costs spans, never a run.
 */
export async function startTracing(endpoint: string | undefined): Promise<Tracing> {
  const { start, stop } = endpoint === undefined ? handOn : (await import("./otlp.ts")).exportSpans(endpoint);
  return {
    start,
    async during(name, parent, attributes, work) {
      const span = start(name, parent, attributes);
      try {
        const result = await work(span);
        span.end();
        return result;
      } catch (error) {
        span.end({}, true);
        throw error;
      }
    },
    stop,
  };
}

/** The trace that a traceparent is of, for the log. */
export const traceIdOf = (traceparent: string | undefined) => traceparent?.slice(3, 35);

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** What a caller sent as its traceparent, if it is one. */
export const checkedTraceparent = (given: unknown) =>
  typeof given === "string" && TRACEPARENT.test(given) ? given : undefined;

const handOn: Pick<Tracing, "start" | "stop"> = {
  start: (_name, parent) => ({ traceparent: checkedTraceparent(parent), end: () => undefined }),
  stop: async () => undefined,
};
