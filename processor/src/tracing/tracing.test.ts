import { createServer, type Server } from "node:http";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { startProcessor } from "../main.ts";
import { configOf, ended, salesStack, testFolder } from "../processor-for-tests.ts";
import { checkedTraceparent, startTracing, traceIdOf } from "./index.ts";

/** As much of OTLP's JSON as a tree needs: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding */
const Sent = z.object({
  resourceSpans: z.array(
    z.object({
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().optional(),
              name: z.string(),
              status: z.object({ code: z.number().optional() }).optional(),
              attributes: z.array(z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) })),
            }),
          ),
        }),
      ),
    }),
  ),
});
type SentSpan = z.output<typeof Sent>["resourceSpans"][number]["scopeSpans"][number]["spans"][number];

/** A collector that keeps what it is sent. */
async function startCollector(): Promise<{ server: Server; url: string; spans: SentSpan[]; bodies: string[] }> {
  const spans: SentSpan[] = [];
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    const body = await text(request);
    if (request.url === "/v1/traces") {
      bodies.push(body);
      for (const { scopeSpans } of Sent.parse(JSON.parse(body)).resourceSpans)
        for (const scope of scopeSpans) spans.push(...scope.spans);
    }
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("unreachable");
  return { server, url: `http://127.0.0.1:${address.port}`, spans, bodies };
}

let folder: string;
beforeAll(async () => {
  folder = await testFolder("tracing");
});
afterAll(() => rm(folder, { recursive: true }));

const CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

describe("with a collector", () => {
  const stops: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).toReversed()) await stop();
  });

  it("sends upload, claim, run and steps as one tree below the caller's span, without names or cells", async () => {
    const { server, url: otlpEndpoint, spans, bodies } = await startCollector();
    stops.push(async () => server.close());
    const processor = await startProcessor(configOf(salesStack()), { dataFolder: `${folder}/tree`, otlpEndpoint });
    const sent = await fetch(`${processor.url}/v1/stacks/sales/files?name=hidden-name.csv`, {
      method: "POST",
      headers: { traceparent: CALLER },
      body: "day,amount,note\n2024-01-01,1,hidden-cell\n2024-01-01,hidden-amount,x\n",
    });
    const { id } = z.object({ id: z.string() }).parse(await sent.json());
    expect((await ended(processor.url, id)).state).toBe("done");
    await processor.stop();

    const trace = spans.filter(({ traceId }) => traceId === "0af7651916cd43dd8448eb211c80319c");
    const named = (name: string) => trace.find((span) => span.name === name);
    const path = (span: SentSpan | undefined): string[] => {
      const parent = trace.find(({ spanId }) => spanId === span?.parentSpanId);
      return span === undefined ? [] : [...(parent ? path(parent) : [span.parentSpanId ?? "none"]), span.name];
    };
    const request = ["b7ad6b7169203331", "POST /v1/stacks/:stack/files"];
    expect(path(named("claim"))).toEqual([...request, "claim"]);
    expect(path(named("run"))).toEqual([...request, "run"]);
    const steps = trace.filter(({ parentSpanId }) => parentSpanId === named("run")?.spanId).map(({ name }) => name);
    expect(steps).toEqual(["contract", "tables/sold", "tables/by_day", "commit", "sinks/csv/sold"]);
    expect(named("run")?.attributes).toEqual(
      expect.arrayContaining([
        { key: "cais.run", value: { stringValue: id } },
        { key: "cais.stack", value: { stringValue: "sales" } },
        { key: "cais.run.state", value: { stringValue: "done" } },
      ]),
    );
    expect(bodies.join("")).not.toContain("hidden");
  });

  it("begins a trace where the caller has none, and marks what failed", async () => {
    const { server, url, spans } = await startCollector();
    stops.push(async () => server.close());
    const tracing = await startTracing(url);
    const work = tracing.during("outer", "00-nonsense", {}, async ({ traceparent }) => {
      expect(checkedTraceparent(traceparent)).toBe(traceparent);
      await tracing.during("inner", traceparent, {}, () => Promise.reject(new Error("a cell")));
    });
    await expect(work).rejects.toThrow("a cell");
    await tracing.stop();
    const [inner, outer] = spans;
    expect([inner?.name, outer?.name]).toEqual(["inner", "outer"]);
    expect(inner?.parentSpanId).toBe(outer?.spanId);
    expect(outer?.parentSpanId).toBeUndefined();
    expect(inner?.status).toEqual({ code: 2 });
  });

  it("loses spans, not work, when the collector is not there", async () => {
    const { server, url } = await startCollector();
    server.close();
    await once(server, "close");
    const tracing = await startTracing(url);
    expect(await tracing.during("work", undefined, {}, async () => 1)).toBe(1);
    await tracing.stop();
  });
});

describe("without a collector", () => {
  it("hands a caller's traceparent on, and no other text", async () => {
    const tracing = await startTracing(undefined);
    expect(tracing.start("x", CALLER).traceparent).toBe(CALLER);
    expect(tracing.start("x", undefined).traceparent).toBeUndefined();
    expect(traceIdOf(CALLER)).toBe("0af7651916cd43dd8448eb211c80319c");
  });

  it.each([
    "",
    "x",
    `${CALLER}-more`,
    CALLER.toUpperCase(),
    "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
  ])("takes %j for none", async (given) => {
    expect((await startTracing(undefined)).start("x", given).traceparent).toBeUndefined();
  });
});
