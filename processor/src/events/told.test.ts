import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Runs } from "@cais/spec/api.ts";
import type { EventsBinding } from "@cais/spec/bindings.ts";
import { pino } from "pino";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, expect, it } from "vitest";
import { z } from "zod";
import { startProcessor } from "../main.ts";
import { configOf, ended, engines, salesStack, testFolder } from "../processor-for-tests.ts";
import { readTellers } from "./teller.ts";

const key = `whsec_${Buffer.from("a key of 32 bytes for the tests!").toString("base64")}`;
const password = "0123456789abcdef".repeat(4);

let folder: string;
let url: string;
let lines: string[];
let processor: Awaited<ReturnType<typeof startProcessor>> | undefined;

beforeEach(async () => {
  folder = await testFolder("told");
  lines = [];
});
afterEach(async () => {
  await processor?.stop();
  processor = undefined;
  await rm(folder, { recursive: true });
});

/** Starts a processor whose scan at its start has ended, and that makes no other one. */
async function start(driver: "webhook" | "radosgw" | "in-process", secret = driver === "webhook" ? key : password) {
  await mkdir(join(folder, "secrets"), { recursive: true });
  await writeFile(join(folder, "secrets/events"), secret, { mode: 0o600 });
  const config = configOf(salesStack());
  const bound = { secret: { driver: "file", path: "secrets/events" }, fullScanSeconds: 3600 } as const;
  const events: EventsBinding = driver === "in-process" ? { driver } : { driver, ...bound };
  for (const stack of Object.values(config.stacks)) stack.events = events;
  const log = pino({}, { write: (line: string) => lines.push(line) });
  processor = await startProcessor(config, { engines, dataFolder: folder, log });
  ({ url } = processor);
  if (driver === "in-process") return;
  const metrics = async () => (await fetch(`${url}/metrics`)).text();
  await expect.poll(metrics).toContain('cais_full_scan_objects{stack="sales"} 0');
}

/** Puts a file into the input store behind the processor's back. */
async function put(name: string, content = "day,amount,note\n2024-01-01,1,x\n"): Promise<void> {
  await writeFile(join(folder, "new"), content);
  await rename(join(folder, "new"), join(folder, "sales/input", name));
}

const created = (object: string, container = "sales/input", type = "object.created") =>
  JSON.stringify({ type, timestamp: new Date().toISOString(), data: { account: "AUTH_1", container, object } });

interface Signing {
  at?: Date;
  by?: string;
}
async function tell(body: string, { at = new Date(), by = key }: Signing = {}): Promise<number> {
  const headers = {
    "content-type": "application/json",
    "webhook-id": "msg_1",
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    // One of a secret that is not in use any more goes before it.
    "webhook-signature": `v1,b2xk ${new Webhook(by).sign("msg_1", at, body)}`,
  };
  return (await fetch(`${url}/v1/events/webhook`, { method: "POST", headers, body })).status;
}

const listed = async () => Runs.parse(await (await fetch(`${url}/v1/runs`)).json()).runs;
const keys = async () => (await listed()).map(({ file }) => file.key).toSorted();

it("loads an object that a signed webhook tells of, once however often it is told", async () => {
  await start("webhook");
  await put("vendas São Paulo.csv");
  expect(await tell(created("vendas São Paulo.csv"))).toBe(204);
  expect(await tell(created("vendas São Paulo.csv"))).toBe(204);
  await expect.poll(keys).toEqual(["vendas São Paulo.csv"]);
  expect(await ended(url, (await listed())[0]?.id ?? "")).toMatchObject({ state: "done", rows: { read: 1 } });
  await put("vendas São Paulo.csv", "day,amount,note\n2024-01-01,2,x\n");
  expect(await tell(created("vendas São Paulo.csv"))).toBe(204);
  await expect.poll(async () => (await listed()).length).toBe(2);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toContain('cais_announced_objects_total{stack="sales"} 3');
});

it("believes nothing that it is told", async () => {
  await start("webhook");
  await put("quiet.csv");
  await put("notes.pdf");
  await put("told.csv", "day,amount,note\n2024-01-01,3,x\n");
  expect(await tell(created("not-there.csv"))).toBe(204);
  expect(await tell(created("../../secrets/events"))).toBe(204);
  expect(await tell(created("notes.pdf"))).toBe(204);
  expect(await tell(created("quiet.csv", "sales/input", "object.deleted"))).toBe(204);
  for (let n = 0; n < 2; n++) expect(await tell(created("quiet.csv", "of-others"))).toBe(204);
  expect(await tell(created("told.csv"))).toBe(204);
  await expect.poll(keys).toEqual(["told.csv"]);
  expect(lines.filter((line) => line.includes("of-others"))).toHaveLength(1);
  expect(lines.filter((line) => line.includes("whose name is no key"))).toHaveLength(1);
  expect(lines.filter((line) => line.includes("its name has none of the endings"))).toHaveLength(1);
});

const ago = (seconds: number) => ({ at: new Date(Date.now() - seconds * 1000) });

it("asks for a signature of now by who has the secret", async () => {
  await start("webhook");
  await put("quiet.csv");
  const body = created("quiet.csv");
  expect(await tell(body, { by: `whsec_${Buffer.alloc(32, 7).toString("base64")}` })).toBe(401);
  expect(await tell(body, ago(360))).toBe(401);
  expect(await tell(body, ago(-360))).toBe(401);
  const unsigned = await fetch(`${url}/v1/events/webhook`, { method: "POST", body });
  expect(unsigned.status).toBe(401);
  expect(await unsigned.json()).toMatchObject({ type: "urn:cais:problem:signature-needed" });
  expect(await tell("no JSON")).toBe(400);
  expect(await tell('{"type":"object.created"}')).toBe(400);
  expect(await tell(created("x".repeat(300_000)))).toBe(413);
  expect(await tell(created("quiet.csv"), ago(200))).toBe(204);
  await expect.poll(keys).toEqual(["quiet.csv"]);
});

const record = (eventName: string, key: string) => ({
  eventVersion: "2.2",
  eventSource: "ceph:s3",
  eventName,
  s3: { bucket: { name: "sales/input" }, object: { key, size: 9, eTag: "x" } },
});

it("takes what Ceph's gateway tells with its password", async () => {
  await start("radosgw");
  await put("a.csv");
  await put("b.csv", "day,amount,note\n2024-01-01,3,x\n");
  const body = JSON.stringify({
    Records: [record("ObjectCreated:Put", "a.csv"), record("ObjectRemoved:Delete", "b.csv")],
  });
  const send = (pair: string) => {
    const authorization = `Basic ${Buffer.from(pair).toString("base64")}`;
    return fetch(`${url}/v1/events/radosgw`, { method: "POST", headers: { authorization }, body });
  };
  const refused = await send(`cais:${password}x`);
  expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, 'Basic realm="cais"']);
  expect((await send(`cais:${password}`)).status).toBe(204);
  await expect.poll(keys).toEqual(["a.csv"]);
  expect((await fetch(`${url}/v1/events/webhook`, { method: "POST", body })).status).toBe(404);
  const { paths } = z
    .object({
      paths: z.record(z.string(), z.record(z.string(), z.object({ responses: z.record(z.string(), z.unknown()) }))),
    })
    .parse(await (await fetch(`${url}/openapi.json`)).json());
  expect(Object.keys(paths).filter((path) => path.includes("/events/"))).toEqual(["/v1/events/radosgw"]);
  expect(Object.keys(paths["/v1/events/radosgw"]?.["post"]?.responses ?? {})).toEqual([
    "204",
    "400",
    "401",
    "403",
    "413",
    "429",
    "500",
    "503",
  ]);
});

it("reckons a signature once for each secret, and not for each stack", async () => {
  await mkdir(join(folder, "secrets"));
  for (const name of ["one", "other"]) await writeFile(join(folder, "secrets", name), key, { mode: 0o600 });
  const { sales } = configOf(salesStack()).stacks;
  if (sales === undefined) throw new Error("unreachable");
  const by = (name: string) => {
    const secret = { driver: "file", path: `secrets/${name}` } as const;
    return { ...sales, events: { driver: "webhook", secret, fullScanSeconds: 900 } as const };
  };
  const { webhook } = await readTellers({ a: by("one"), b: by("other"), c: by("one") }, folder);
  expect(webhook.map(({ stack }) => stack)).toEqual(["a", "b", "c"]);
  expect(webhook[2]?.knows).toBe(webhook[0]?.knows);
  expect(webhook[1]?.knows).not.toBe(webhook[0]?.knows);
});

it("has no address where nobody is to tell, and starts with no secret that can be guessed", async () => {
  await start("in-process");
  expect(await tell(created("a.csv"))).toBe(404);
  await processor?.stop();
  processor = undefined;
  await expect(start("radosgw", "short")).rejects.toThrow("has 5 characters, too few to be safe");
  await expect(start("webhook", "short")).rejects.toThrow("must be whsec_ and 24 to 64 bytes in base64");
});
