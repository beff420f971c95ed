import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Action, CreatedToken } from "@cais/spec/access.ts";
import { Problem } from "@cais/spec/api.ts";
import fastify from "fastify";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { openAccess } from "../access/index.ts";
import { startProcessor } from "../main.ts";
import { configOf, engines, salesStack, testFolder } from "../processor-for-tests.ts";
import { askWho } from "./guard.ts";

const master = "0123456789abcdef0123456789abcdef";
let folder: string;
let processor: Awaited<ReturnType<typeof startProcessor>>;
const tokens = new Map<Action, string>();

beforeAll(async () => {
  folder = await testFolder("scopes");
  processor = await startProcessor(configOf(salesStack()), { engines, dataFolder: folder, token: master });
  for (const action of Action.options) {
    const answer = await ask("POST", "/v1/tokens", master, JSON.stringify({ name: action, actions: [action] }));
    tokens.set(action, CreatedToken.parse(await answer.json()).token);
  }
});
afterAll(async () => {
  await processor.stop();
  await rm(folder, { recursive: true });
});

const ask = (method: string, path: string, token: string, body?: string) =>
  fetch(`${processor.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { "content-type": "application/json" }) },
    ...(body !== undefined && { body }),
  });

/** What each address needs. A new one is added here, so that somebody has thought about it. */
const needed: Record<string, Action> = {
  "get /v1/audit": "admin",
  "get /v1/deliveries": "read",
  "get /v1/runs": "read",
  "get /v1/runs/{id}": "read",
  "get /v1/runs/{id}/file": "read",
  "get /v1/runs/{id}/lineage": "read",
  "get /v1/runs/{id}/rejected": "read",
  "get /v1/sinks": "read",
  "get /v1/stacks": "read",
  "get /v1/tables": "read",
  "get /v1/tables/{stack}/{table}": "read",
  "get /v1/tables/{stack}/{table}.csv": "read",
  "get /v1/tables/{stack}/{table}/versions": "read",
  "get /v1/tokens": "admin",
  "post /v1/deliveries/{delivery}/retry": "replay",
  "post /v1/gc": "admin",
  "post /v1/query": "read",
  "post /v1/runs/{id}/replays": "replay",
  "post /v1/runs/{id}/reruns": "replay",
  "post /v1/stacks/{stack}/files": "send",
  "post /v1/stacks/{stack}/reruns": "replay",
  "post /v1/tables/{stack}/{table}/optimize": "admin",
  "post /v1/tables/{stack}/{table}/rewind": "admin",
  "post /v1/tables/{stack}/{table}/vacuum": "admin",
  "post /v1/tokens": "admin",
  "delete /v1/tokens/{id}": "admin",
};

const Description = z.object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) });

it("every address needs one action, and takes no token without it but an administrator's", async () => {
  const { paths } = Description.parse(await (await fetch(`${processor.url}/openapi.json`)).json());
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    path.startsWith("/v1/") ? Object.keys(methods).map((method) => `${method} ${path}`) : [],
  );
  expect(routes.length).toBeGreaterThan(10);
  expect(routes.filter((route) => needed[route] === undefined)).toEqual([]);
  for (const route of routes) {
    const [method = "", path = ""] = route.split(" ");
    const filled = path.replace("{stack}", "sales").replaceAll(/\{\w+\}/g, "x");
    const taken = [];
    for (const [action, token] of tokens) {
      const response = await ask(method.toUpperCase(), filled, token);
      const { type } = Problem.partial().parse(
        response.headers.get("content-type")?.includes("json") ? await response.json() : {},
      );
      if (type !== "urn:cais:problem:not-allowed") taken.push(action);
    }
    expect({ route, taken }).toEqual({
      route,
      taken: Action.options.filter((one) => one === needed[route] || one === "admin"),
    });
  }
});

const handler = async () => "";

it("an address that does not say what it needs is not served", async () => {
  const app = fastify();
  const access = openAccess(join(folder, "other.sqlite"), { onError: () => undefined });
  askWho(app, { token: undefined, access, ledger: { run: async () => undefined }, onRefused: async () => undefined });
  expect(() => app.get("/v1/new", handler)).toThrow(
    "The route /v1/new must declare its action, and its change if it is no GET.",
  );
  expect(() => app.post("/v1/new", { config: { action: "send" } }, handler)).toThrow(
    "must declare its action, and its change",
  );
  app.post("/v1/new", { config: { action: "send", change: "new" } }, handler);
  app.get("/v1/new", { config: { action: "read" } }, handler);
  expect(app.hasRoute({ method: "POST", url: "/v1/new" })).toBe(true);
  await access.close();
});
