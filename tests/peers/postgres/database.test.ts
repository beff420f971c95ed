import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";
import { DeliveryDelayed, DeliveryRefused } from "@cais/processor/src/sinks/faults.ts";
import type { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { connect, deliver, openEngine, url, write } from "./deliver.ts";

let engine: Awaited<ReturnType<typeof openEngine>>;
let reader: Client;
beforeAll(async () => {
  engine = await openEngine();
  reader = await connect();
});
afterAll(async () => {
  engine.duckdb.closeSync();
  await reader.end();
  await rm(engine.folder, { recursive: true });
});

const rowsOf = async (table: string) => (await reader.query(`SELECT * FROM ${table} ORDER BY 1`)).rows;
const refusal = (message: string) => expect.objectContaining({ name: "DeliveryRefused", message });

it("replaces all rows without a key, in a schema of its own, and says where they are", async () => {
  await reader.query("CREATE SCHEMA shop");
  const { location } = await deliver(await write(engine, "SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, 'y'"), {
    to: "shop.sold",
  });
  expect(location).toBe("shop.sold in the database of the secret url");
  expect(await rowsOf("shop.sold")).toEqual([
    { a: 1, b: "x" },
    { a: 2, b: "y" },
  ]);
  await deliver(await write(engine, "SELECT 3 AS a, 'z' AS b"), { to: "shop.sold" });
  expect(await rowsOf("shop.sold")).toEqual([{ a: 3, b: "z" }]);
  await deliver(await write(engine, "SELECT 3 AS a, 'z' AS b WHERE false"), { to: "shop.sold" });
  expect(await rowsOf("shop.sold")).toEqual([]);
});

it("lets rows take the place of those with their key, the last of several counting", async () => {
  const key = ["day", "shop"];
  const first = "SELECT * FROM (VALUES ('d1', 1, 10), ('d1', 2, 20), ('d1', 1, 11)) t(day, shop, sold)";
  await deliver(await write(engine, first), { to: "upserted", key });
  await deliver(await write(engine, "SELECT 'd1' AS day, 2 AS shop, 21 AS sold UNION ALL SELECT 'd2', 1, 30"), {
    to: "upserted",
    key,
  });
  expect(await rowsOf("upserted")).toEqual([
    { day: "d1", shop: 1, sold: 11 },
    { day: "d1", shop: 2, sold: 21 },
    { day: "d2", shop: 1, sold: 30 },
  ]);
  await expect(
    deliver(await write(engine, "SELECT NULL::VARCHAR AS day, 1 AS shop, 1 AS sold"), { to: "upserted", key }),
  ).rejects.toThrow(refusal("Could not write to upserted, column day: it refuses a value (SQLSTATE 23502)."));
  await deliver(await write(engine, "SELECT 'd1' AS day"), { to: "keys_only", key: ["day"] });
  await deliver(await write(engine, "SELECT 'd1' AS day"), { to: "keys_only", key: ["day"] });
  expect(await rowsOf("keys_only")).toEqual([{ day: "d1" }]);
});

it("makes a delivery once, however often it is tried", async () => {
  const file = await write(engine, "SELECT 1 AS a");
  await deliver(file, { to: "once" }, { id: "run-x-0-database-made" });
  await reader.query("UPDATE once SET a = 5");
  await deliver(file, { to: "once" }, { id: "run-x-0-database-made" });
  expect(await rowsOf("once")).toEqual([{ a: 5 }]);
  await deliver(file, { to: "once" }, { id: "run-y-0-database-made" });
  expect(await rowsOf("once")).toEqual([{ a: 1 }]);
});

it("shows the rows before until those of a delivery are all there, and none of one that is cut off", async () => {
  await deliver(await write(engine, "SELECT 0 AS a"), { to: "whole" });
  const many = await write(engine, "SELECT range::INTEGER AS a FROM range(200000)");
  const abort = new AbortController();
  const broken = deliver(many, { to: "whole" }, { id: "cut", signal: abort.signal });
  const isWriting = "SELECT 1 FROM pg_stat_progress_copy WHERE tuples_processed > 0";
  await expect.poll(async () => (await reader.query(isWriting)).rowCount, { interval: 1 }).toBeGreaterThan(0);
  expect(await rowsOf("whole")).toEqual([{ a: 0 }]);
  abort.abort();
  await expect(broken).rejects.toThrow("This operation was aborted");
  expect(await rowsOf("whole")).toEqual([{ a: 0 }]);
  await deliver(many, { to: "whole" }, { id: "cut" });
  const { rows } = await reader.query("SELECT count(*)::int AS rows, sum(a)::text AS sum FROM whole");
  expect(rows).toEqual([{ rows: 200_000, sum: "19999900000" }]);
});

it("adds columns that are new, leaves those alone that others added, and keeps a table's own types", async () => {
  await reader.query("CREATE TABLE grown (a bigint PRIMARY KEY, theirs text DEFAULT 'set', ratio numeric(6, 3))");
  await deliver(await write(engine, "SELECT 1::INTEGER AS a, 0.5::DOUBLE AS ratio, TRUE AS fresh"), {
    to: "grown",
    key: ["a"],
  });
  expect(await rowsOf("grown")).toEqual([{ a: "1", theirs: "set", ratio: "0.500", fresh: true }]);
  await expect(deliver(await write(engine, "SELECT 'x' AS a"), { to: "grown" })).rejects.toThrow(
    refusal(`Could not write to grown: column "a" is of type bigint but expression is of type text (SQLSTATE 42804).`),
  );
});

it("refuses a table whose key is not unique, and a key that is no column", async () => {
  await reader.query("CREATE TABLE loose (a integer)");
  const file = await write(engine, "SELECT 1 AS a");
  await expect(deliver(file, { to: "loose", key: ["a"] })).rejects.toThrow(
    refusal(
      "Could not write to loose: there is no unique or exclusion constraint matching the ON CONFLICT specification (SQLSTATE 42P10).",
    ),
  );
  await expect(deliver(file, { to: "loose", key: ["b"] })).rejects.toThrow(
    refusal("The key's column b is not in the table; there is a."),
  );
});

it("makes a schema that is not there, as a user who has all rights on the database and none in public", async () => {
  await reader.query(`CREATE ROLE owner LOGIN PASSWORD 'p'; CREATE ROLE guest LOGIN PASSWORD 'p';
    REVOKE ALL ON SCHEMA public FROM public`);
  await reader.query(`GRANT ALL ON DATABASE ${new URL(url).pathname.slice(1)} TO owner`);
  const [owner, guest] = ["owner", "guest"].map((username) => ({
    url: Object.assign(new URL(url), { username, password: "p" }).href,
  }));
  await Promise.all(
    ["owned.t", "owned.u", "owned.v"].map(async (to) => deliver(await write(engine, "SELECT 1 AS a"), { to }, owner)),
  );
  expect(await rowsOf("owned.u")).toEqual([{ a: 1 }]);
  await expect(deliver(await write(engine, "SELECT 1 AS a"), { to: "nowhere.t" }, guest)).rejects.toThrow(
    refusal("Could not write to nowhere.t: permission denied for database postgres (SQLSTATE 42501)."),
  );
});

it("takes deliveries to one table at the same time, one after the other", async () => {
  await deliver(await write(engine, "SELECT 0 AS a, 0 AS b"), { to: "busy", key: ["a"] });
  const files = await Array.fromAsync(
    Array.from({ length: 8 }, (_, i) => i),
    async (i) => write(engine, `SELECT range::INTEGER AS a, ${i} AS b FROM range(1000)`),
  );
  await Promise.all(files.map((file) => deliver(file, { to: "busy", key: ["a"] })));
  const { rows } = await reader.query("SELECT count(*)::int AS rows, count(DISTINCT b)::int AS from FROM busy");
  expect(rows).toEqual([{ rows: 1000, from: 1 }]);
});

it("needs no right to make tables where they are there", async () => {
  await reader.query(`CREATE SCHEMA narrow; CREATE TABLE narrow.t (a integer);
    CREATE TABLE narrow.cais_deliveries (delivery text PRIMARY KEY, delivered_to text NOT NULL, delivered_at timestamptz NOT NULL DEFAULT now());
    CREATE ROLE clerk LOGIN PASSWORD 'p'; GRANT USAGE ON SCHEMA narrow TO clerk;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA narrow TO clerk`);
  const clerk = Object.assign(new URL(url), { username: "clerk", password: "p" }).href;
  await deliver(await write(engine, "SELECT 7 AS a"), { to: "narrow.t" }, { url: clerk });
  expect(await rowsOf("narrow.t")).toEqual([{ a: 7 }]);
  await expect(deliver(await write(engine, "SELECT 7 AS a"), { to: "narrow.u" }, { url: clerk })).rejects.toThrow(
    refusal("Could not write to narrow.u: permission denied for schema narrow (SQLSTATE 42501)."),
  );
});

it("checks the server's certificate and name, unless TLS is switched off or on a Unix socket", async () => {
  const file = await write(engine, "SELECT 1 AS a");
  const wrong = { url: url.replace("localhost", "127.0.0.1") };
  await expect(deliver(file, { to: "secure" }, wrong)).rejects.toThrow(
    /its certificate is not trusted \(ERR_TLS_CERT_ALTNAME_INVALID\)/,
  );
  await expect(deliver(file, { to: "secure", ca: undefined }, {})).rejects.toThrow(
    /its certificate is not trusted \(UNABLE_TO_VERIFY_LEAF_SIGNATURE\); give the authority that signed it as `ca`/,
  );
  await deliver(file, { to: "secure" }, { url: `${url}?sslmode=disable` });
  await deliver(file, { to: "secure" }, { url: process.env["CAIS_POSTGRES_SOCKET"] ?? "" });
  expect(await rowsOf("secure")).toEqual([{ a: 1 }]);
});

it("trusts an authority that Node is told of, where the sink names none", { timeout: 120_000 }, async () => {
  // Node reads it once, at its start.
  const script = `
    import { readAddress, connect } from "./processor/src/sinks/database/connect.ts";
    const client = await connect(readAddress(process.env.CAIS_POSTGRES_URL), undefined, new AbortController().signal);
    const { rows } = await client.query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    console.log(JSON.stringify(rows));
    await client.end();`;
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: process.env["CAIS_POSTGRES_CA"] };
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module-typescript", "-e", script], {
    env,
  });
  expect(JSON.parse(stdout)).toEqual([{ ssl: true }]);
});

it("waits for a server that is away, and tells no password", async () => {
  const file = await write(engine, "SELECT 1 AS a");
  const away = Object.assign(new URL(url), { port: "1" }).href;
  const delayed: unknown = await deliver(file, { to: "away" }, { url: away }).catch((error: unknown) => error);
  expect(delayed).toBeInstanceOf(DeliveryDelayed);
  expect((delayed as Error).message).toBe(
    "Could not connect to the database: it did not answer or broke off (ECONNREFUSED).",
  );
  const wrong = Object.assign(new URL(url), { password: "not-it" }).href;
  const refused: unknown = await deliver(file, { to: "away" }, { url: wrong }).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(DeliveryRefused);
  expect((refused as Error).message).toBe(
    "Could not connect to the database: it refuses the user, the password or where it is called from (SQLSTATE 28P01).",
  );
});

it.each([
  ["mysql://a@b/c", "The secret with the database's address must hold postgres://user:password@host:5432/database."],
  [
    "postgres://a@b",
    "The database's address lacks user, host or database; it must be postgres://user:password@host:5432/database.",
  ],
  ["postgres://a:100%@b/c", "A % in the database's address begins no escape; write it as %25."],
  [
    "postgres://a@b/c?sslmode=require",
    "The database's address has an sslmode that is neither verify-full nor disable.",
  ],
  ["postgres://a@b/c?options=-c%20x", "The database's address has the option options; there is sslmode and host."],
])("refuses the address %s", async (address, message) => {
  await expect(deliver(await write(engine, "SELECT 1 AS a"), { to: "t" }, { url: address })).rejects.toThrow(
    refusal(message),
  );
});
