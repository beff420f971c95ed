import { readFile } from "node:fs/promises";
import { connect as open, createServer, type AddressInfo, type Socket } from "node:net";
import { behavesAsSink, type Receiver } from "@cais/processor/src/sinks/conformance.ts";
import { expect } from "vitest";
import { connect, url } from "./deliver.ts";

behavesAsSink({
  asked: { database: { table: "sold", url: { secret: "pg-url" }, ca: { secret: "pg-ca" }, to: "held.sold" } },
  of: "table",
  doublesAt: [],
  saves: false,
  secret: "pg-url",
  refused:
    /^Could not write to held\.sold: column "amount" is of type jsonb but expression is of type double precision/,
  receiver: postgres,
});

/** A schema of Postgres behind a port that can be closed. */
async function postgres(): Promise<Receiver> {
  const reader = await connect();
  await reader.query("DROP SCHEMA IF EXISTS held CASCADE; CREATE SCHEMA held");
  const sockets = new Set<Socket>();
  let isDown = false;
  const proxy = createServer((socket) => {
    if (isDown) return void socket.destroy();
    const server = open(Number(new URL(url).port), "127.0.0.1");
    for (const [from, to] of [
      [socket, server],
      [server, socket],
    ] as const) {
      sockets.add(from);
      // What breaks on one side ends on the other.
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
      from.pipe(to);
    }
  });
  await new Promise<void>((done) => void proxy.listen(0, "127.0.0.1", done));
  const { port } = proxy.address() as AddressInfo;
  const there = async (table: string) =>
    (await reader.query("SELECT to_regclass($1) AS oid", [table])).rows[0].oid !== null;
  return {
    secrets: {
      "pg-url": Object.assign(new URL(url), { port: String(port) }).href,
      "pg-ca": await readFile(process.env["CAIS_POSTGRES_CA"] ?? "", "utf8"),
    },
    async times() {
      if (!(await there("held.cais_deliveries"))) return 0;
      return (await reader.query("SELECT 1 FROM held.cais_deliveries")).rowCount ?? 0;
    },
    async holds({ amounts }) {
      const { rows } = await reader.query("SELECT to_char(day, 'YYYY-MM-DD') AS day, amount, note FROM held.sold");
      expect(rows).toEqual(amounts.map((amount) => ({ day: "2024-01-02", amount, note: "=1+1" })));
    },
    down: async () => void (isDown = true),
    up: async () => void (isDown = false),
    async refuse() {
      await reader.query("CREATE TABLE held.sold (amount jsonb)");
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => void proxy.close(done));
      await reader.end();
    },
  };
}
