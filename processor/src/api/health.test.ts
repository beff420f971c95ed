import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startProcessor, type StartOptions } from "../main.ts";
import { configOf, salesStack, send, testFolder } from "../processor-for-tests.ts";

let folder: string;
let stop: (() => Promise<void>) | undefined;
beforeEach(async () => {
  folder = await testFolder("health");
});
afterEach(async () => {
  await stop?.();
  stop = undefined;
  await rm(folder, { recursive: true });
});

async function start(options: Partial<StartOptions> = {}, config = configOf(salesStack())): Promise<string> {
  const processor = await startProcessor(config, { dataFolder: folder, ...options });
  ({ stop } = processor);
  return processor.url;
}

async function readiness(url: string): Promise<{ status: number; notReady: unknown }> {
  const response = await fetch(`${url}/readyz`);
  const { notReady }: { notReady?: unknown } = Object(await response.json());
  return { status: response.status, notReady };
}

it("is ready when all of it is", async () => {
  expect(await readiness(await start())).toEqual({ status: 200, notReady: [] });
});

it("names each store that cannot be written, and is ready again with it", async () => {
  const url = await start();
  const store = join(folder, "sales", "lake");
  await rename(store, `${store}-away`);
  expect(await readiness(url)).toEqual({ status: 503, notReady: ['the lake store of stack "sales"'] });
  await rename(`${store}-away`, store);
  expect(await readiness(url)).toEqual({ status: 200, notReady: [] });
});

it("says that the disk is almost full", async () => {
  const url = await start({ minFreeBytes: Number.MAX_SAFE_INTEGER });
  expect(await readiness(url)).toEqual({ status: 503, notReady: ["disk space"] });
});

it("says that the SQL engine does not start", async () => {
  const config = configOf(salesStack());
  // No limit that an engine takes, so that none opens.
  const url = await start(
    { retry: { firstMs: 60_000 } },
    { ...config, engine: { ...config.engine, memoryBytes: Number.NaN } },
  );
  expect(await readiness(url)).toEqual({ status: 200, notReady: [] });
  await send(url, "sales", "day,amount,note\n2024-01-01,1,x\n");
  const notReady = ["the SQL engine, which did not start the last time"];
  await expect.poll(() => readiness(url), { timeout: 20_000 }).toEqual({ status: 503, notReady });
});

it("says that it stops where a connection is still open, and takes nothing more there", async () => {
  const url = await start();
  const { port } = new URL(url);
  const begin = async (request: string) => {
    const socket = connect(Number(port), "127.0.0.1");
    await once(socket, "connect");
    socket.write(`${request} HTTP/1.1\r\nHost: 127.0.0.1\r\n`);
    return socket;
  };
  const sockets = [await begin("GET /readyz"), await begin("GET /v1/runs"), await begin("GET /healthz")];
  // The heads that are only begun have arrived before this.
  await fetch(`${url}/healthz`, { headers: { connection: "close" } });
  const stopped = stop?.();
  for (const socket of sockets) socket.write("Connection: close\r\n\r\n");
  const [ready = "", runs = "", alive = ""] = await Promise.all(sockets.map((socket) => text(socket)));
  await stopped;
  expect(ready).toMatch(/^HTTP\/1.1 503 .*"notReady":\["the processor is stopping"\]\}$/s);
  expect(runs).toMatch(
    /^HTTP\/1.1 503 .*\r\ncontent-type: application\/problem\+json\r\n.*"urn:cais:problem:stopping"/s,
  );
  expect(alive).toMatch(/^HTTP\/1.1 200 /);
});

// Only root may mount.
it.runIf(process.platform === "linux" && process.getuid?.() === 0)(
  "says that nobody's deeds can be written down on a full disk, until they can",
  async () => {
    const disk = join(folder, "disk");
    await mkdir(disk);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "none", disk]);
    try {
      const url = await start({ dataFolder: disk, minFreeBytes: 0 });
      await writeFile(join(disk, "filler"), new Uint8Array(8_000_000)).catch(() => undefined);
      const changed = async () => {
        await fetch(`${url}/v1/gc?dryRun=true`, { method: "POST" });
        return readiness(url);
      };
      await expect.poll(changed).toEqual({ status: 503, notReady: ["the audit log"] });
      expect(await readiness(url)).toEqual({ status: 503, notReady: ["the audit log"] });
      await rm(join(disk, "filler"));
      expect(await readiness(url)).toEqual({ status: 200, notReady: [] });
    } finally {
      await stop?.();
      execFileSync("umount", [disk]);
    }
  },
);
