import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { createServer } from "node:tls";
import { promisify } from "node:util";
import { Delivery } from "@cais/spec/api.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { pieces } from "../../../processor/src/object-store/conformance.ts";
import { openObjectStore, StoreUnreachable } from "../../../processor/src/object-store/index.ts";
import { configOf, salesStack, send } from "../../../processor/src/processor-for-tests.ts";
import { newContainer } from "./containers.ts";
import { openLab, type OpenStack } from "./lab.ts";

const Deliveries = z.object({ deliveries: z.array(Delivery) });

let lab: OpenStack;
let folder: string;
let tls: { key: Buffer; cert: Buffer };
let server: ReturnType<typeof createServer>;
beforeAll(async () => {
  lab = await openLab();
  await mkdir(resolve(".cais/tests"), { recursive: true });
  folder = await mkdtemp(resolve(".cais/tests/authority-"));
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  await promisify(execFile)("openssl", ["req", "-x509", ...key, ...name, "-keyout", "key.pem", "-out", "ca.pem"], {
    cwd: folder,
  });
  tls = { key: await readFile(join(folder, "key.pem")), cert: await readFile(join(folder, "ca.pem")) };
  // What ends TLS before Keystone, as a cloud has it.
  server = createServer(tls, (socket) => {
    const behind = connect(lab.ports.keystone, lab.host);
    socket.pipe(behind).pipe(socket);
    for (const end of [socket, behind]) end.on("error", () => [socket, behind].map((other) => other.destroy()));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
});
afterAll(async () => {
  await new Promise((done) => server.close(done));
  await rm(folder, { recursive: true });
});

it("trusts a cloud's own authority if the binding names it, and says so if it does not", async () => {
  const binding = await newContainer(lab, folder);
  const authUrl = `https://localhost:${(server.address() as AddressInfo).port}/v3`;
  const error: unknown = await openObjectStore({ ...binding, authUrl }, folder).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StoreUnreachable);
  expect(String(error)).toMatch(/is not trusted \(\w+\); name its authority in the binding \(ca\)/);
  const store = await openObjectStore({ ...binding, authUrl, ca: "ca.pem" }, folder);
  await store.put("a", pieces("x"));
  expect(await store.head("a")).toMatchObject({ bytes: 1 });
});

/** A processor in a process of its own that tells of a run by TLS: by a sink, as lineage and as traces. */
async function startTelling(data: string, port: number, environment: Record<string, string>) {
  const hook = { url: { secret: "hook-url" }, secret: { secret: "hook-key" } };
  const config = configOf(salesStack({ sinks: [{ webhook: hook }] }));
  await mkdir(data);
  const secrets = {
    "hook-url": `https://localhost:${port}/hook`,
    "hook-key": `whsec_${randomBytes(32).toString("base64")}`,
  };
  for (const [name, value] of Object.entries(secrets)) await writeFile(join(data, name), value, { mode: 0o600 });
  const bound = Object.keys(secrets).map((name) => [name, { driver: "file", path: name }]);
  const file = join(data, "config.json");
  const sales = { ...config.stacks["sales"], secrets: Object.fromEntries(bound) };
  const lineage = { driver: "http", url: `https://localhost:${port}/lineage` };
  const allowPrivate = ["127.0.0.0/8", "::1/128"];
  await writeFile(file, JSON.stringify({ ...config, lineage, allowPrivate, stacks: { sales } }));
  const child = spawn(process.execPath, ["processor/src/main.ts", "--config", file, "--data", data], {
    env: { PATH: process.env["PATH"], OTEL_EXPORTER_OTLP_ENDPOINT: `https://localhost:${port}`, ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  for await (const line of createInterface(child.stdout)) {
    const { url } = JSON.parse(line) as { url?: string };
    if (url === undefined) continue;
    child.stdout.resume();
    return { url, stop: () => (child.kill(), ended) };
  }
  throw new Error("The processor ended before it listened.");
}

it("trusts it in all that a processor calls, if Node is told of it", { timeout: 600_000 }, async () => {
  const received = new Set<string>();
  const receiver = createHttpsServer(tls, (request, response) => {
    received.add(request.url ?? "");
    request.resume().once("end", () => response.end("{}"));
  });
  await new Promise<void>((done) => receiver.listen(0, "localhost", done));
  const { port } = receiver.address() as AddressInfo;
  const patience = { timeout: 180_000, interval: 200 };
  const file = "day,amount,note\n2024-01-01,1,x\n";
  try {
    const strange = await startTelling(join(folder, "strange"), port, {});
    try {
      await send(strange.url, "sales", file);
      const errors = async () => {
        const { deliveries } = Deliveries.parse(await (await fetch(`${strange.url}/v1/deliveries`)).json());
        return deliveries.map(({ error }) => error);
      };
      await expect
        .poll(errors, patience)
        .toEqual([expect.stringMatching(/has a certificate that is not trusted \(\w+\); is it for that name/)]);
      expect([...received]).toEqual([]);
    } finally {
      await strange.stop();
    }
    const own = await startTelling(join(folder, "own"), port, { NODE_EXTRA_CA_CERTS: join(folder, "ca.pem") });
    try {
      await send(own.url, "sales", file);
      await expect.poll(() => [...received].toSorted(), patience).toEqual(["/hook", "/lineage", "/v1/traces"]);
    } finally {
      await own.stop();
    }
  } finally {
    receiver.closeAllConnections();
    await new Promise((done) => receiver.close(done));
  }
});
