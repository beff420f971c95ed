import { rm } from "node:fs/promises";
import type { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { connect, deliver, openEngine, write } from "./deliver.ts";

let engine: Awaited<ReturnType<typeof openEngine>>;
let reader: Client;
beforeAll(async () => {
  engine = await openEngine();
  reader = await connect();
  await reader.query("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'");
});
afterAll(async () => {
  engine.duckdb.closeSync();
  await reader.end();
  await rm(engine.folder, { recursive: true });
});

const kept: [sql: string, type: string, text: string][] = [
  ["true", "boolean", "true"],
  ["(-128)::TINYINT", "smallint", "-128"],
  ["255::UTINYINT", "smallint", "255"],
  ["(-32768)::SMALLINT", "smallint", "-32768"],
  ["65535::USMALLINT", "integer", "65535"],
  ["(-2147483648)::INTEGER", "integer", "-2147483648"],
  ["4294967295::UINTEGER", "bigint", "4294967295"],
  ["9223372036854775807::BIGINT", "bigint", "9223372036854775807"],
  ["18446744073709551615::UBIGINT", "numeric(20,0)", "18446744073709551615"],
  ["170141183460469231731687303715884105727::HUGEINT", "numeric(39,0)", "170141183460469231731687303715884105727"],
  ["340282366920938463463374607431768211455::UHUGEINT", "numeric(39,0)", "340282366920938463463374607431768211455"],
  [
    "'123456789012345678901234567890123456789012345'::BIGNUM",
    "numeric",
    "123456789012345678901234567890123456789012345",
  ],
  ["12345678901234567890.123456789::DECIMAL(38, 9)", "numeric(38,9)", "12345678901234567890.123456789"],
  ["-1.50::DECIMAL(4, 2)", "numeric(4,2)", "-1.50"],
  ["0.1::FLOAT", "real", "0.1"],
  ["0.30000000000000004::DOUBLE", "double precision", "0.30000000000000004"],
  ["1.7976931348623157e308::DOUBLE", "double precision", "1.7976931348623157e+308"],
  ["'nan'::DOUBLE", "double precision", "NaN"],
  ["'-inf'::DOUBLE", "double precision", "-Infinity"],
  ["''", "text", ""],
  ["'\\N'", "text", "\\N"],
  ["'a\tb' || chr(13) || chr(10) || '\\\\.' || chr(8232) || '😀'", "text", "a\tb\r\n\\\\.\u2028😀"],
  ["'x'::ENUM('x', 'y')", "text", "x"],
  ["'a\\x00\\xFF'::BLOB", "bytea", "\\x6100ff"],
  ["'0f0e0d0c-0b0a-4908-8706-050403020100'::UUID", "uuid", "0f0e0d0c-0b0a-4908-8706-050403020100"],
  ["'10101'::BIT", "bit varying", "10101"],
  ["DATE '2024-02-29'", "date", "2024-02-29"],
  ["DATE '0044-03-15 (BC)'", "date", "0044-03-15 BC"],
  ["DATE '12024-02-29'", "date", "12024-02-29"],
  ["DATE '-infinity'", "date", "-infinity"],
  ["TIME '23:59:59.999999'", "time without time zone", "23:59:59.999999"],
  ["'23:59:59+05:30'::TIMETZ", "time with time zone", "23:59:59+05:30"],
  ["TIMESTAMP '2024-01-02 03:04:05.000006'", "timestamp without time zone", "2024-01-02 03:04:05.000006"],
  ["TIMESTAMP '0044-03-15 (BC) 10:11:12'", "timestamp without time zone", "0044-03-15 10:11:12 BC"],
  ["TIMESTAMP_S '2024-01-02 03:04:05'", "timestamp without time zone", "2024-01-02 03:04:05"],
  ["TIMESTAMP_MS '2024-01-02 03:04:05.678'", "timestamp without time zone", "2024-01-02 03:04:05.678"],
  ["TIMESTAMP_NS '2024-01-02 03:04:05.123456789'", "timestamp without time zone", "2024-01-02 03:04:05.123457"],
  ["TIMESTAMPTZ '2024-01-02 03:04:05.5+02'", "timestamp with time zone", "2024-01-02 01:04:05.5+00"],
  ["TIMESTAMPTZ 'infinity'", "timestamp with time zone", "infinity"],
  ["INTERVAL '1 year 2 months -3 days 04:05:06.7'", "interval", "1 year 2 mons -3 days +04:05:06.7"],
  ["[1, NULL, 3]", "jsonb", "[1, null, 3]"],
  ["['a\"b', 'é']", "jsonb", '["a\\"b", "é"]'],
  ["array_value(1.5::DOUBLE, 2.5)", "jsonb", "[1.5, 2.5]"],
  ["{'a': DATE '2024-01-02', 'b': [{'c': true}]}", "jsonb", '{"a": "2024-01-02", "b": [{"c": true}]}'],
  ["MAP {'k': 1}", "jsonb", '{"k": 1}'],
  ["union_value(k := 1)", "jsonb", '{"k": 1}'],
  ["'{\"n\": 12345678901234567890.5}'::JSON", "jsonb", '{"n": 12345678901234567890.5}'],
];

it("keeps every type and value, and what is null", async () => {
  const columns = kept.map(([sql], i) => `${sql} AS c${i}`).join(", ");
  const nulls = kept.map(([sql], i) => `CASE WHEN false THEN ${sql} END AS c${i}`).join(", ");
  await deliver(await write(engine, `SELECT ${columns} UNION ALL SELECT ${nulls}`), { to: "kept" });
  const types = await reader.query<{ type: string }>(
    "SELECT format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attrelid = 'kept'::regclass AND attnum > 0 ORDER BY attnum",
  );
  expect(types.rows.map(({ type }) => type)).toEqual(kept.map(([, type]) => type));
  const texts = kept.map((_, i) => `c${i}::text AS c${i}`).join(", ");
  const { rows } = await reader.query<Record<string, string | null>>(
    `SELECT ${texts} FROM kept ORDER BY c0 NULLS LAST`,
  );
  expect(Object.values(rows[0] ?? {})).toEqual(kept.map(([, , text]) => text));
  expect(Object.values(rows[1] ?? {})).toEqual(kept.map(() => null));
});

it("keeps names of any kind, and reads ambiguous dates as they were written", async () => {
  const file = await write(engine, `SELECT DATE '2024-03-04' AS "a ""b;--", 1 AS "Ação", 'x' AS "select"`);
  await deliver(file, { to: "Odd" });
  const { rows } = await reader.query(`SELECT "a ""b;--"::text AS day, "Ação" AS n, "select" AS x FROM "Odd"`);
  expect(rows).toEqual([{ day: "2024-03-04", n: 1, x: "x" }]);
});

it.each([
  [
    "SELECT 'ok' AS note UNION ALL SELECT 'a' || chr(0)",
    "Row 2, column note holds the character NUL, which no text in Postgres can; write replace(note, chr(0), '') in the table's SQL.",
  ],
  [
    "SELECT ['a\\' || chr(0)] AS notes",
    "Row 1, column notes holds the character NUL, which no text in Postgres can; write replace(notes, chr(0), '') in the table's SQL.",
  ],
  [
    "SELECT ['nan'::DOUBLE] AS ratios",
    "Could not write to refused, row 1, column ratios: it refuses a value (SQLSTATE 22P02).",
  ],
  [
    `SELECT 1 AS "${"é".repeat(32)}"`,
    `The column "${"é".repeat(32)}" has a name that Postgres cannot have (over 63 bytes, or with NUL); give it another one in the table's SQL.`,
  ],
])("refuses what %s gives, and leaves nothing", async (query, message) => {
  await expect(deliver(await write(engine, query), { to: "refused" })).rejects.toThrow(
    expect.objectContaining({ name: "DeliveryRefused", message }),
  );
  const { rows } = await reader.query("SELECT to_regclass('refused') AS there");
  expect(rows).toEqual([{ there: null }]);
});

it("keeps a backslash and u0000 that are no NUL", async () => {
  await deliver(await write(engine, `SELECT ['\\u0000'] AS texts, '\\u0000' AS note`), { to: "escaped" });
  const { rows } = await reader.query("SELECT texts->>0 AS texts, note FROM escaped");
  expect(rows).toEqual([{ texts: "\\u0000", note: "\\u0000" }]);
});
