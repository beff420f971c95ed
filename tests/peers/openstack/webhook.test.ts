import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { Runs } from "@cais/spec/api.ts";
import { Webhook } from "standardwebhooks";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { startProcessor } from "../../../processor/src/main.ts";
import { configOf, salesStack, testFolder } from "../../../processor/src/processor-for-tests.ts";
import { s3Call } from "../s3-call.ts";
import { freePorts } from "../services.ts";
import { newContainer, swiftCall } from "./containers.ts";
import { openLab, type OpenStack } from "./lab.ts";
import { startSwift, stopSwift } from "./swift.ts";

const operators = resolve("operators/swift-webhook");
const secret = `whsec_${Buffer.from("a key of 32 bytes for the tests!").toString("base64")}`;
const csv = (amount: number) => `day,amount,note\n2024-01-01,${amount},x\n`;

let lab: OpenStack;
let folder: string;
let port: number;
let account: string;
/** Of the objects that the receiver was told of, in the order of arrival. */
let told: string[];
const stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  lab = await openLab();
  folder = await testFolder("swift-webhook");
  ({ receiver: port } = await freePorts(["receiver"] as const));
  account = new URL(lab.storageUrl).pathname.split("/").at(-1) ?? "";
  const url = `http://127.0.0.1:${port}/v1/events/webhook`;
  await writeFile(join(folder, "receivers"), `[${account}]\nurl = ${url}\nsecret = ${secret}\n`, { mode: 0o600 });
  await proxy();
});
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});
afterAll(async () => {
  await startSwift(lab);
  await rm(folder, { recursive: true });
});

/** Starts the proxy anew, with two processes that share the spool. */
async function proxy(): Promise<void> {
  const webhook = {
    "paste.filter_factory": "swift_webhook:filter_factory",
    receivers: join(folder, "receivers"),
    spool_dir: join(folder, "spool"),
  };
  await startSwift(lab, { workers: 2, filters: { webhook }, pythonPath: operators });
}

/** Takes webhooks as anyone could, and verifies them with the standard's own library. */
async function listen(): Promise<void> {
  told = [];
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    const { data } = new Webhook(secret).verify(body, request.headers as Record<string, string>) as {
      data: { object: string };
    };
    told.push(data.object);
    response.writeHead(204).end();
  });
  await new Promise<void>((done) => void server.listen(port, "127.0.0.1", done));
  stops.push(async () => {
    server.closeAllConnections();
    await new Promise((done) => void server.close(done));
  });
}

const spooled = async () => (await readdir(join(folder, "spool", account))).length;
const opened = { "X-Container-Meta-Webhook": "on" };

it("passes its own tests beside this Swift", async () => {
  const options = { cwd: operators, env: { PATH: "/usr/bin:/bin", PYTHONDONTWRITEBYTECODE: "1" }, timeout: 110_000 };
  const { stderr } = await promisify(execFile)("/usr/bin/python3", ["-m", "unittest"], options);
  expect(stderr).toMatch(/^OK$/m);
});

it("has a processor load every kind of new object at once, and nothing of other containers", async () => {
  // As the components make it: it keeps versions.
  const versioned = { ...opened, "X-Versions-Enabled": "true" };
  const input = await newContainer(lab, folder, { ...versioned, "X-Container-Meta-Temp-Url-Key": "a key" });
  const quiet = await newContainer(lab, folder);
  await writeFile(join(folder, "secret"), secret, { mode: 0o600 });
  const config = configOf(salesStack());
  config.api.port = port;
  for (const stack of Object.values(config.stacks)) {
    stack.stores.input = input;
    // What is loaded was announced: there is one scan, at the start.
    stack.events = { driver: "webhook", secret: { driver: "file", path: "secret" }, fullScanSeconds: 100_000 };
  }
  const processor = await startProcessor(config, { dataFolder: folder });
  stops.push(processor.stop);
  const metrics = async () => (await fetch(`${processor.url}/metrics`)).text();
  await expect.poll(metrics, { timeout: 60_000 }).toContain('cais_full_scan_objects{stack="sales"} 0');

  const { container } = input;
  await swiftCall(lab, "PUT", `${quiet.container}/quiet.csv`, { body: csv(0) });
  await swiftCall(lab, "PUT", `${container}/S%C3%A3o%20Paulo/plain.csv`, { body: csv(1) });
  await swiftCall(lab, "PUT", `${quiet.container}/segment`, { body: csv(2) });
  await swiftCall(lab, "PUT", `${container}/large.csv?multipart-manifest=put&heartbeat=on`, {
    body: JSON.stringify([{ path: `/${quiet.container}/segment` }]),
  }).then((answer) => answer.text());
  await swiftCall(lab, "PUT", `${quiet.container}/other.csv`, { body: csv(3) });
  await swiftCall(lab, "PUT", `${container}/copy.csv`, { headers: { "X-Copy-From": `${quiet.container}/other.csv` } });
  await mkdir(join(folder, "packed"));
  await writeFile(join(folder, "packed/packed.csv"), csv(4));
  await promisify(execFile)("tar", ["-cf", "archive.tar", "-C", "packed", "packed.csv"], { cwd: folder });
  const archive = new Uint8Array(await readFile(join(folder, "archive.tar")));
  await swiftCall(lab, "PUT", `${container}?extract-archive=tar`, { body: archive }).then((answer) => answer.text());
  const path = `${new URL(lab.storageUrl).pathname}/${container}/temporary.csv`;
  const expires = Math.floor(Date.now() / 1000) + 600;
  const signature = createHmac("sha256", "a key").update(`PUT\n${expires}\n${path}`).digest("hex");
  const temporary = `${lab.swift}${path}?temp_url_sig=${signature}&temp_url_expires=${expires}`;
  expect((await fetch(temporary, { method: "PUT", body: csv(5) })).status).toBe(201);
  const s3 = { endpoint: lab.swift, region: lab.region, ...lab.accessKey };
  await s3Call(s3, "PUT", `/${container}/s3.csv`, { body: csv(6) });

  const runs = async () => Runs.parse(await (await fetch(`${processor.url}/v1/runs`)).json()).runs;
  const found = async () => (await runs()).map(({ file, state }) => `${file.key} ${state}`).toSorted();
  await expect
    .poll(found, { timeout: 90_000 })
    .toEqual(
      ["São Paulo/plain", "copy", "large", "packed", "s3", "temporary"].toSorted().map((name) => `${name}.csv done`),
    );
  expect(await metrics()).toContain('cais_full_scan_objects{stack="sales"} 0');
});

it("keeps events while the receiver is away, over a restart of the proxy, and fails no PUT", async () => {
  const { container } = await newContainer(lab, folder, opened);
  await expect.poll(spooled, { timeout: 90_000 }).toBe(0);
  const names = Array.from({ length: 40 }, (_, n) => `file-${n}.csv`);
  // swiftCall throws if Swift refuses one.
  for (const name of names.slice(0, 20)) await swiftCall(lab, "PUT", `${container}/${name}`, { body: "x" });
  await stopSwift(lab, "SIGKILL");
  expect(await spooled()).toBe(20);
  await proxy();
  for (const name of names.slice(20)) await swiftCall(lab, "PUT", `${container}/${name}`, { body: "x" });
  expect(await spooled()).toBe(40);
  await listen();
  await expect.poll(spooled, { timeout: 200_000 }).toBe(0);
  expect([...new Set(told)].toSorted()).toEqual(names.toSorted());
}, 300_000);
