import { createServer } from "node:http";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { Webhook } from "standardwebhooks";
import { describe, expect } from "vitest";
import { behavesAsSink, type Receiver } from "./conformance.ts";

/** A file's folder in the output store, which a plain file can keep from being made. */
function fileReceiver(output: string, holds: (file: string, amounts: number[]) => Promise<void>): Receiver {
  const folder = join(output, "out");
  const files = () => readdir(folder).catch(() => []);
  return {
    secrets: {},
    times: async () => (await files()).length,
    async holds({ amounts }) {
      const [file = ""] = await files();
      await holds(join(folder, file), amounts);
    },
    async down() {
      await rm(folder, { recursive: true, force: true });
      await writeFile(folder, "");
    },
    up: () => rm(folder),
    close: async () => undefined,
  };
}

async function holdsCsv(file: string, amounts: number[]): Promise<void> {
  const rows = amounts.map((amount) => `2024-01-02;${amount.toFixed(1).replace(".", ",")};'=1+1\r\n`);
  expect(await readFile(file, "utf8")).toBe(`day;amount;note\r\n${rows.join("")}`);
}

async function holdsParquet(file: string, amounts: number[]): Promise<void> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  const rows = await connection.runAndReadAll(`SELECT amount, note FROM read_parquet('${file}')`);
  expect(rows.getRows()).toEqual(amounts.map((amount) => [amount, "=1+1"]));
  connection.closeSync();
  instance.closeSync();
  expect(file).toMatch(/sold-\d{8}t\d{6}-[0-9a-f]{12}\.parquet$/);
}

describe("csv", () => {
  behavesAsSink({
    asked: { csv: { table: "sold", to: "out/sold.csv", delimiter: ";", decimal: "," } },
    of: "table",
    doublesAt: [],
    saves: false,
    receiver: async (output) => fileReceiver(output, holdsCsv),
  });
});

describe("parquet", () => {
  behavesAsSink({
    asked: { parquet: { table: "sold", to: "out/sold.parquet", per: "run" } },
    of: "run",
    doublesAt: [],
    saves: false,
    receiver: async (output) => fileReceiver(output, holdsParquet),
  });
});

describe("webhook", () => {
  behavesAsSink({
    asked: { webhook: { url: { secret: "hook-url" }, secret: { secret: "hook-key" } } },
    of: "event",
    // The receiver has it when the ledger does not know yet.
    doublesAt: ["before delivered"],
    saves: false,
    secret: "hook-url",
    refused:
      /^The address in the secret "hook-url" answered 410: it wants no more of this; take the sink out of the stack\. /,
    receiver: webhookReceiver,
  });
});

async function webhookReceiver(): Promise<Receiver> {
  const key = `whsec_${Buffer.from("another key of 32 bytes for this").toString("base64")}`;
  const took: { id: string; run: string }[] = [];
  let status = 200;
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    const message = new Webhook(key).verify(body, headers) as { data: { run: string } };
    if (status === 200) took.push({ id: headers["webhook-id"] ?? "", run: message.data.run });
    response.writeHead(status).end();
  });
  await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return {
    secrets: { "hook-url": `http://127.0.0.1:${port}/T0KEN/of/the/path`, "hook-key": key },
    times: async () => took.length,
    async holds({ run }) {
      expect(new Set(took.map((message) => JSON.stringify(message)))).toEqual(
        new Set([JSON.stringify({ id: `${run}-0-webhook-hook-url`, run })]),
      );
    },
    down: async () => void (status = 500),
    up: async () => void (status = 200),
    refuse: () => void (status = 410),
    async close() {
      server.closeAllConnections();
      await new Promise((done) => void server.close(done));
    },
  };
}
