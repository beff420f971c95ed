import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { SinkOptions } from "@cais/spec/sinks.ts";
import type { Table } from "@cais/spec/stack.ts";
import type { Client } from "pg";
import type { SinkPart } from "../index.ts";
import { openNdjson } from "../ndjson/index.ts";
import { copyLines } from "./copy.ts";
import { statements } from "./statements.ts";

/** A database may be down for a day of maintenance: in seconds, 26 hours in all. */
const retrySeconds = [5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 36_000];

/**
 * A table of a Postgres database. With a key, what a run added is inserted, or takes the place of the row with its key;
 * without one the whole table is replaced. All of a delivery is one transaction, which also notes that it was made: so it
 * counts once, however often it is tried, and no one sees half of it.
 */
export function databaseSink(
  options: SinkOptions<"database">,
  disposition: Table["disposition"] | undefined,
): SinkPart {
  return {
    name: options.table,
    delivers: {
      table: options.table,
      // What a run gave for a table that it replaced or merged into may not be all that changed there.
      of: options.key !== undefined && disposition === "append" ? "run" : "table",
      writes: { as: "ndjson", form: "texts" },
    },
    direct: false,
    canDouble: null,
    retrySeconds,
    async deliver(payload, { id, secret, signal }) {
      if (!("file" in payload)) throw new Error("A database is given rows.");
      const { connect, faultOf, readAddress } = await import("./connect.ts");
      const address = readAddress(await secret(options.url.secret));
      const authority = options.ca && (await secret(options.ca.secret));
      const client = await connect(address, authority, signal);
      try {
        await write(client, options, { id, file: payload.file });
      } catch (error) {
        signal.throwIfAborted();
        throw faultOf(error, `write to ${options.to}`);
      } finally {
        await client.end();
      }
      return { location: `${options.to} in the database of the secret ${options.url.secret}` };
    },
  };
}

async function write(
  client: Client,
  { to, key }: SinkOptions<"database">,
  { id, file }: { id: string; file: string },
): Promise<void> {
  const { columns, lines } = await openNdjson(file);
  const sql = statements(to, columns, key);
  await makeOnce(client, sql);
  await client.query("BEGIN");
  await client.query("SET LOCAL TIME ZONE 'UTC'");
  await client.query("SET LOCAL DateStyle = 'ISO, YMD'");
  await client.query(sql.lock, [to]);
  if ((await client.query(sql.note, [id, to])).rowCount === 0) {
    await client.query("ROLLBACK");
    return;
  }
  if (!(await exists(client, sql.table))) await client.query(sql.makeTable);
  const found = await client.query<{ attname: string }>(sql.columns, [sql.table]);
  const known = new Set(found.rows.map(({ attname }) => attname));
  for (const { name } of columns) if (!known.has(name)) await client.query(sql.addColumn(name));
  await client.query(sql.makeStaging);
  const { from } = await import("pg-copy-streams");
  await pipeline(Readable.from(copyLines(columns, lines)), client.query(from(sql.copy)));
  for (const statement of sql.merge) await client.query(statement);
  await client.query(sql.forget, [to]);
  await client.query("COMMIT");
}

/** Makes what all deliveries share, one at a time: two that make it at once would fail one of them. */
async function makeOnce(
  client: Client,
  { deliveries, makeDeliveries, schema, makeSchema }: ReturnType<typeof statements>,
): Promise<void> {
  if (await exists(client, deliveries)) return;
  await client.query("BEGIN");
  await client.query("SELECT pg_advisory_xact_lock(hashtextextended('cais', 0))");
  if (makeSchema !== undefined && !(await exists(client, schema, "to_regnamespace"))) await client.query(makeSchema);
  await client.query(makeDeliveries);
  await client.query("COMMIT");
}

/** Asked before something is made, as IF NOT EXISTS wants the right to make it even where it is there. */
async function exists(
  client: Client,
  name: string | undefined,
  find: "to_regclass" | "to_regnamespace" = "to_regclass",
): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>(`SELECT ${find}($1) IS NOT NULL AS there`, [name]);
  return rows[0]?.there === true;
}
