import { once } from "node:events";
import { rm } from "node:fs/promises";
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { Upload } from "@cais/spec/api.ts";
import { Deliveries } from "@cais/spec/deliveries.ts";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { startProcessor } from "../main.ts";
import { configOf, ended, salesStack, send, testFolder } from "../processor-for-tests.ts";

const token = "0123456789abcdef0123456789abcdef";
let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>> | undefined;
beforeAll(async () => {
  folder = await testFolder("description");
});
afterEach(async () => {
  await processor?.stop();
  processor = undefined;
});
afterAll(() => rm(folder, { recursive: true }));

async function start(options: { token?: string } = {}): Promise<string> {
  const upload = { formats: ["csv" as const], after: "delete" as const };
  // Whom it tells is a secret that is not there, so that a delivery waits.
  const sinks = [{ webhook: { url: { secret: "hook-url" }, secret: { secret: "hook-key" } } }];
  const stacks = [salesStack(), salesStack({ name: "forgotten", source: { upload }, sinks })];
  processor = await startProcessor(configOf(...stacks), { dataFolder: folder, ...options });
  return processor.url;
}

interface Asked {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
}
async function statusOf(url: string, { method = "GET", headers = {}, body = "" }: Asked = {}): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const sent = request(url, { method, headers }, (response) => {
    text(response).then(() => resolve(String(response.statusCode)), reject);
  });
  sent.on("error", reject).end(body);
  return promise;
}

const Description = z.object({
  paths: z.record(z.string(), z.record(z.string(), z.object({ responses: z.record(z.string(), z.unknown()) }))),
});
/** The statuses of every route, such as `get /v1/runs`, as the document describes them. */
async function described(url: string): Promise<Map<string, string[]>> {
  const { paths } = Description.parse(await (await fetch(`${url}/openapi.json`)).json());
  return new Map(
    Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, { responses }]) => [`${method} ${path}`, Object.keys(responses)]),
    ),
  );
}

const named = (name: string) => ({ headers: { "idempotency-key": name } });

/** What no request can bring about in a processor that is well. */
const failures = new Set(["408", "500", "503", "507"]);
/** Needs a ledger that was restored. */
const isRestored = (route: string, status: string) => route.endsWith("/rewind") && status === "200";

it("describes for each route exactly what the route answers", async () => {
  const url = await start();
  const { id } = Upload.parse(await (await send(url, "sales", "day,amount,note\n2024-01-01,1,x\n")).json());
  await ended(url, id);
  const open = Upload.parse(await (await send(url, "sales", "day,amount,note\n2024-01-01,1,x\nx,2,y\n")).json()).id;
  await ended(url, open);
  const gone = Upload.parse(await (await send(url, "forgotten", "day,amount,note\n2024-01-01,2,x\n")).json()).id;
  await ended(url, gone);
  const find = async (query: string) =>
    Deliveries.parse(await (await fetch(`${url}/v1/deliveries?${query}`)).json()).deliveries[0];
  await expect.poll(() => find("stack=forgotten&state=retrying"), { timeout: 10_000 }).toBeDefined();
  const [waiting, delivered] = [await find("stack=forgotten&state=retrying"), await find("state=delivered")];
  const long = "x".repeat(65);
  const post = { method: "POST" };
  const json = { "content-type": "application/json" };
  const sql = (text: string) => ({ method: "POST", headers: json, body: JSON.stringify({ sql: text }) });
  const csv = { method: "POST", body: "day,amount,note\n2024-01-02,1,x\n" };
  const files = "/v1/stacks/sales/files?name=a.csv";
  const slow = request(`${url}${files}`, { method: "POST", ...named("slow") });
  const slowEnded = once(slow, "response");
  slow.write("day,");
  await expect.poll(() => statusOf(`${url}${files}`, { ...csv, ...named("slow") })).toBe("409");
  const asked: Record<string, [string, Asked?][]> = {
    "get /healthz": [["/healthz"]],
    "get /readyz": [["/readyz"]],
    "get /metrics": [["/metrics"]],
    "get /v1/deliveries": [["/v1/deliveries"], ["/v1/deliveries?limit=0"]],
    "get /v1/audit": [["/v1/audit"], ["/v1/audit?limit=0"]],
    "get /v1/stacks": [["/v1/stacks"]],
    "get /v1/tables": [["/v1/tables"]],
    "get /v1/runs": [["/v1/runs"], [`/v1/runs?before=${long}`], ["/v1/runs?before=x"]],
    "get /v1/runs/{id}": [[`/v1/runs/${id}`], [`/v1/runs/${long}`], ["/v1/runs/x"]],
    "get /v1/runs/{id}/file": [
      [`/v1/runs/${id}/file`],
      [`/v1/runs/${long}/file`],
      ["/v1/runs/x/file"],
      [`/v1/runs/${gone}/file`],
    ],
    "get /v1/runs/{id}/lineage": [[`/v1/runs/${id}/lineage`], [`/v1/runs/${long}/lineage`], ["/v1/runs/x/lineage"]],
    "get /v1/sinks": [["/v1/sinks"]],
    "get /v1/tables/{stack}/{table}/versions": [
      ["/v1/tables/sales/sold/versions"],
      [`/v1/tables/sales/${long}/versions`],
      ["/v1/tables/sales/nothing/versions"],
    ],
    "get /v1/runs/{id}/rejected": [
      [`/v1/runs/${id}/rejected`],
      [`/v1/runs/${long}/rejected`],
      ["/v1/runs/x/rejected"],
      [`/v1/runs/${id}/rejected?format=editable`],
    ],
    "get /v1/tables/{stack}/{table}": [
      ["/v1/tables/sales/sold"],
      [`/v1/tables/sales/${long}`],
      ["/v1/tables/sales/nothing"],
    ],
    "get /v1/tables/{stack}/{table}.csv": [
      ["/v1/tables/sales/sold.csv"],
      [`/v1/tables/sales/${long}.csv`],
      ["/v1/tables/sales/nothing.csv"],
    ],
    "post /v1/stacks/{stack}/files": [
      [files, csv],
      [files, csv],
      [files, { ...csv, ...named("slow") }],
      [files, { ...csv, ...named("used") }],
      [files, { method: "POST", body: "other", ...named("used") }],
      [`/v1/stacks/${long}/files?name=a.csv`, csv],
      ["/v1/stacks/nothing/files?name=a.csv", csv],
      [files, { method: "POST", body: "x".repeat(1_000_001) }],
      ["/v1/stacks/sales/files?name=a.xlsx", csv],
    ],
  };
  Object.assign(asked, {
    "post /v1/runs/{id}/replays": [
      [`/v1/runs/${open}/replays`, post],
      [`/v1/runs/${long}/replays`, post],
      ["/v1/runs/x/replays", post],
      [`/v1/runs/${id}/replays`, post],
      [`/v1/runs/${id}/replays?name=a.csv`, { ...post, body: "x".repeat(10_000_001) }],
      [`/v1/runs/${id}/replays?name=a.xlsx`, csv],
      [`/v1/runs/${id}/replays`, { ...post, ...named("used") }],
    ],
    "post /v1/runs/{id}/reruns": [
      [`/v1/runs/${id}/reruns`, post],
      [`/v1/runs/${long}/reruns`, post],
      ["/v1/runs/x/reruns", post],
      [`/v1/runs/${gone}/reruns`, post],
      [`/v1/runs/${id}/reruns`, { ...post, ...named("used") }],
    ],
    "post /v1/deliveries/{delivery}/retry": [
      [`/v1/deliveries/${waiting?.id}/retry`, post],
      ["/v1/deliveries/x/retry", post],
      ["/v1/deliveries/999/retry", post],
      [`/v1/deliveries/${delivered?.id}/retry`, post],
    ],
    "post /v1/query": [
      ["/v1/query", sql("SELECT 1 AS one")],
      ["/v1/query", sql("DROP TABLE sold")],
      ["/v1/query", sql("SELECT * FROM nothing")],
      ["/v1/query", sql("SELECT string_agg(repeat('x', 1000), '') AS much FROM range(10_000_000)")],
      ["/v1/query", { ...post, headers: { "content-type": "text/plain" }, body: "SELECT 1" }],
      ["/v1/query", sql("x".repeat(600_000))],
    ],
    "post /v1/gc": [
      ["/v1/gc", post],
      ["/v1/gc?dryRun=maybe", post],
    ],
    "post /v1/tables/{stack}/{table}/optimize": [
      ["/v1/tables/sales/sold/optimize", post],
      ["/v1/tables/sales/none/optimize", post],
      ["/v1/tables/sales/no-name/optimize", post],
    ],
    "post /v1/tables/{stack}/{table}/rewind": [
      ["/v1/tables/sales/sold/rewind", post],
      ["/v1/tables/sales/none/rewind", post],
      [`/v1/tables/sales/${long}/rewind`, post],
    ],
    "post /v1/tables/{stack}/{table}/vacuum": [
      ["/v1/tables/sales/sold/vacuum", post],
      ["/v1/tables/sales/none/vacuum", post],
      ["/v1/tables/sales/sold/vacuum?dryRun=maybe", post],
    ],
    "post /v1/stacks/{stack}/reruns": [
      ["/v1/stacks/sales/reruns?to=2020-01-01", post],
      ["/v1/stacks/sales/reruns", post],
      ["/v1/stacks/nothing/reruns?all=true", post],
    ],
  });
  const document = await described(url);
  expect([...document.keys()].toSorted()).toEqual(Object.keys(asked).toSorted());
  for (const [route, requests] of Object.entries(asked)) {
    const seen = new Set<string>();
    for (const [path, options] of requests) seen.add(await statusOf(`${url}${path}`, options));
    const [path = "", options] = requests[0] ?? [];
    seen.add(await statusOf(`${url}${path}`, { ...options, headers: { host: "evil.example" } }));
    const statuses = document.get(route) ?? [];
    expect({
      route,
      statuses: statuses.filter((status) => !failures.has(status) && !isRestored(route, status)),
    }).toEqual({
      route,
      statuses: [...seen].toSorted(),
    });
    expect({ route, statuses }).toEqual({ route, statuses: expect.arrayContaining(["500"]) });
  }
  slow.end();
  await slowEnded;
});

it("describes who is asked for the token", async () => {
  const url = await start({ token });
  for (const [route, statuses] of await described(url)) {
    const [method = "", path = ""] = route.split(" ");
    const filled = path.replace(/\{\w+\}/g, "sales");
    const refused = (await statusOf(`${url}${filled}`, { method: method.toUpperCase() })) === "401";
    expect({ route, refused: statuses.includes("401"), scoped: statuses.includes("403") }).toEqual({
      route,
      refused,
      scoped: refused,
    });
    expect(refused).toBe(path.startsWith("/v1/"));
  }
});
