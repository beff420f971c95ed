import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";
import { cais, scratch, start, sweep } from "./start.ts";

const sample = join(import.meta.dirname, "..", "stacks", "inmet", "sample.csv");

it("logs from CAIS_LOG on and sends spans to a collector, as the container does", async () => {
  const data = await scratch("telling");
  const names = new Set<string>();
  const collector = createServer(async (request, response) => {
    for (const [, name = ""] of (await text(request)).matchAll(/"name":"([^"]+)"/g)) names.add(name);
    response.end("{}");
  });
  await new Promise<void>((listening) => collector.listen(0, "127.0.0.1", listening));
  const { port } = collector.address() as AddressInfo;
  try {
    const processor = await start(data, [], {
      CAIS_LOG: "debug",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    });
    const { code } = await cais(["ingest", "inmet", sample, "--wait", "--url", processor.url]);
    expect(code).toBe(0);
    await processor.stop();
    const log = await readFile(join(data, "processor.log"), "utf8");
    // The processor's own log, which keeps what errors quote of files to itself, and not another.
    expect(log).toMatch(/"level":20,.*"name":"cais"/);
    expect([...names]).toEqual(expect.arrayContaining(["claim", "run", "contract", "commit"]));
  } finally {
    collector.close();
    await sweep(data);
  }
});

it("tells a level that is none in a sentence", async () => {
  const data = await scratch("telling");
  try {
    const { code, stderr } = await cais(["start", "--port", "0", "--data", data], { CAIS_LOG: "loud" });
    expect(stderr).toContain("CAIS_LOG");
    expect(stderr).not.toContain("    at ");
    expect(code).toBe(1);
  } finally {
    await sweep(data);
  }
});
