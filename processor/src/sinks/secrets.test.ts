import { createServer } from "node:http";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Upload } from "@cais/spec/api.ts";
import { ProcessorConfig } from "@cais/spec/bindings.ts";
import { Deliveries } from "@cais/spec/deliveries.ts";
import { Webhook } from "standardwebhooks";
import { expect, it } from "vitest";
import { openLog } from "../log/index.ts";
import { startProcessor } from "../main.ts";
import { configOf, ended, salesStack, send, testFolder } from "../processor-for-tests.ts";

const key = `whsec_${Buffer.from("a third key of 32 bytes for this").toString("base64")}`;

/** All bytes that are kept below a folder, as text. */
async function kept(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return (await Promise.all(files.map((file) => readFile(file, "latin1")))).join("\n");
}

it("tells of each run that ends, and of no secret anywhere", async () => {
  const folder = await testFolder("secrets");
  const told: unknown[] = [];
  let status = 500;
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    if (status === 200) told.push(new Webhook(key).verify(body, headers));
    response.writeHead(status).end("S3CRET-answer");
  });
  await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/services/T0KEN`;
  // Beside the data folder, as mounted secrets are, so that all of that can be searched.
  await mkdir(join(folder, "mounted"));
  const secretFile = async (name: string, value: string) => {
    await writeFile(join(folder, "mounted", name), value, { mode: 0o600 });
    return { driver: "file" as const, path: join(folder, "mounted", name) };
  };
  const { stack, sql } = salesStack();
  const sinks = [{ webhook: { url: { secret: "hook-url" }, secret: { secret: "hook-key" } } }];
  const config = configOf({ stack: { ...stack, sinks }, sql });
  const { sales } = config.stacks;
  if (sales === undefined) throw new Error("unreachable");
  sales.secrets = { "hook-url": await secretFile("hook-url", url), "hook-key": await secretFile("hook-key", key) };
  const data = join(folder, "data");
  await mkdir(data);
  let log = "";
  const processor = await startProcessor(ProcessorConfig.parse({ ...config, allowPrivate: ["127.0.0.1/32"] }), {
    dataFolder: data,
    log: openLog("trace", { write: (line) => void (log += line) }),
  });
  const get = async (path: string) => (await fetch(`${processor.url}${path}`)).text();
  const deliveries = async () => Deliveries.parse(JSON.parse(await get("/v1/deliveries"))).deliveries;

  const good = Upload.parse(await (await send(processor.url, "sales", "day,amount,note\n2024-01-01,1,x\n")).json());
  const bad = Upload.parse(await (await send(processor.url, "sales", "day,amount,note\nx,-1,y\n")).json());
  expect((await ended(processor.url, good.id)).state).toBe("done");
  expect((await ended(processor.url, bad.id)).state).toBe("quarantined");
  // None of them waits for the other.
  await expect
    .poll(async () => (await deliveries()).map(({ state }) => state), { timeout: 10_000 })
    .toEqual(["retrying", "retrying"]);
  const while500 = await get("/v1/deliveries");
  expect(while500).toContain("answered 500.");
  status = 200;
  for (const { id } of (await deliveries()).toReversed()) {
    const before = told.length;
    await fetch(`${processor.url}/v1/deliveries/${id}/retry`, { method: "POST" });
    await expect.poll(() => told.length, { timeout: 10_000 }).toBe(before + 1);
  }
  expect(told).toMatchObject([
    {
      type: "run.done",
      data: {
        run: good.id,
        rows: { read: 1, clean: 1 },
        tables: [
          { name: "sold", rows: 1 },
          { name: "by_day", rows: 1 },
        ],
      },
    },
    { type: "run.quarantined", data: { run: bad.id, rows: { read: 1, rejected: 1 }, tables: [] } },
  ]);
  await expect.poll(async () => (await deliveries()).map(({ state }) => state)).toEqual(["delivered", "delivered"]);
  const shown = await Promise.all(
    ["/v1/deliveries", "/v1/runs", "/v1/stacks", "/v1/sinks", "/metrics", "/v1/audit"].map(get),
  );
  await processor.stop();
  server.closeAllConnections();
  await new Promise((done) => void server.close(done));

  const all = [while500, ...shown, log, await kept(data)].join("\n");
  expect(all).toContain("0-webhook-hook-url");
  for (const secret of [url, "T0KEN", key, key.slice("whsec_".length), "S3CRET-answer"])
    expect(all).not.toContain(secret);
  await rm(folder, { recursive: true });
});
