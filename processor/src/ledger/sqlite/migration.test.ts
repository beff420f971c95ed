import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import { testFolder } from "../../processor-for-tests.ts";
import { claimOf, fileOf } from "../conformance/subject.ts";
import { openLedger } from "../index.ts";
import { migrations } from "./schema.ts";

const [a, b, rerun, queued] = [
  "20260101t000001-e0cb4daced27",
  "20260101t000009-8983ddaa1704",
  "20260101t000017-f4bc07494ae0",
  "20260101t000025-074a617b4439",
] as const;

const part = (table: string, run: string) => `${table}/part-00001-${run}.parquet`;

it("takes over a ledger that the version before wrote, with all it holds", async () => {
  const folder = await testFolder("migration");
  const file = join(folder, "ledger.sqlite");
  const old = new DatabaseSync(file);
  old.exec(await readFile(join(import.meta.dirname, "version-3-for-tests.sql"), "utf8"));
  old.close();
  const ledger = await openLedger({ driver: "sqlite", file });

  expect((await ledger.runs({ limit: 9 })).map(({ id, state }) => [id, state])).toEqual([
    [queued, "queued"],
    [rerun, "done"],
    [b, "done"],
    [a, "done"],
  ]);
  const output = { rows: 9, bytes: 99 };
  expect(await ledger.run(a)).toMatchObject({
    rows: { read: 10, clean: 9, rejected: 1 },
    deliveries: [],
    outputs: [
      { kind: "table", name: "rain", location: "/lake/rain", ...output, how: null, version: null },
      { kind: "table", name: "by_day", location: "/lake/by_day", ...output, how: null, version: null },
      { kind: "csv", name: "rain", location: "/out/rain.csv", rows: 3, bytes: 4 },
    ],
  });
  const rain = await ledger.tables.read("inmet", "rain");
  const none = { partition: {}, stats: null };
  const whole = { firstRow: 0, rows: 10, rerun: false };
  expect(rain).toMatchObject({
    columns: [{ name: "day", type: "DATE" }],
    partitionBy: [],
    location: "/lake/rain",
    change: 1,
    version: null,
    updatedAt: "2026-01-01T00:00:22.000Z",
    files: [
      { key: part("rain", b), rows: 10, bytes: 99, ...none, parts: [{ ...whole, run: b, root: b, fileNumber: 2 }] },
      {
        key: part("rain", rerun),
        rows: 10,
        bytes: 99,
        ...none,
        parts: [{ ...whole, run: rerun, root: a, fileNumber: 1 }],
      },
    ],
  });
  expect((await ledger.loose.all()).map(({ key }) => key)).toEqual([
    part("by_day", a),
    part("by_day", b),
    part("rain", a),
  ]);
  expect(await ledger.publications.pending()).toEqual([]);
  expect(await ledger.claim(claimOf("again", { sha256: "hash of a" }))).toMatchObject({
    created: false,
    run: { id: a },
  });

  // It goes on from there.
  expect(await ledger.next("w", { busyStacks: [], leaseSeconds: 60 })).toMatchObject([{ id: queued, fileNumber: 3 }]);
  const change = {
    name: "rain",
    columns: [{ name: "day", type: "DATE" }],
    partitionBy: [],
    location: "/lake/rain",
    adds: [fileOf("rain/new", queued)],
    removes: [part("rain", b)],
    base: 1,
    operation: "WRITE" as const,
    how: { mode: "full" as const },
  };
  await ledger.commit({ stack: "inmet", runs: [queued], changes: [change] });
  expect((await ledger.tables.read("inmet", "rain"))?.files).toMatchObject([
    { key: part("rain", rerun) },
    { key: "rain/new", parts: [{ run: queued, fileNumber: 3 }] },
  ]);
  expect(await ledger.publications.pending()).toMatchObject([{ batch: 1, removes: [part("rain", b)], runs: [queued] }]);
  await ledger.close();
  await rm(folder, { recursive: true });
});

it("takes over what version 4 was to deliver, and what tables' logs had refused", async () => {
  const folder = await testFolder("migration");
  const file = join(folder, "ledger.sqlite");
  const old = new DatabaseSync(file);
  old.exec("PRAGMA foreign_keys = OFF");
  for (const migration of migrations.slice(0, 4)) old.exec(migration);
  old.exec(`PRAGMA user_version = 4;
    INSERT INTO sources (root, stack, store, key, version, name, bytes, sha256, received_at)
      VALUES ('${a}', 'inmet', 's', 'k', '1', 'n', 1, 'x', '2026-01-01T00:00:00.000Z');
    INSERT INTO runs (id, root, stack, kind, state, queued_at)
      VALUES ('${a}', '${a}', 'inmet', 'load', 'quarantined', '2026-01-01T00:00:00.000Z');
    INSERT INTO deliveries (stack, sink, kind, name, run, state, attempts, rows, bytes, can_double, progress, added_at)
      VALUES ('inmet', '0-bi-rain', 'bi', 'rain', '${a}', 'retrying', 2, 3, 4, 'yes', '{"row":1}', '2026-01-01T00:00:00.000Z'),
        ('inmet', '1-webhook-hook', 'webhook', 'hook', '${a}', 'pending', 0, 0, 0, NULL, NULL, '2026-01-01T00:00:00.000Z');`);
  old.exec(`INSERT INTO sources (root, stack, store, key, version, name, bytes, sha256, received_at)
      VALUES ('goes-on', 'inmet', 's', 'goes-on', '1', 'n', 1, 'g', '2026-01-01T00:00:00.000Z');
    INSERT INTO runs (id, root, stack, kind, state, queued_at)
      VALUES ('goes-on', 'goes-on', 'inmet', 'load', 'queued', '2026-01-01T00:00:00.000Z');
    INSERT INTO deliveries (stack, sink, kind, name, run, state, rows, bytes, added_at)
      VALUES ('inmet', '1-webhook-hook', 'webhook', 'hook', 'goes-on', 'pending', 0, 0, '2026-01-01T00:00:00.000Z')`);
  // Of each file: its load, and what came after it.
  const runs: [id: string, root: string, kind: string, refused: boolean, contributed: boolean][] = [
    ["mended", "mended", "load", true, false],
    ["mended-2", "mended", "rerun", false, true],
    ["refused", "refused", "load", true, true],
    ["added", "added", "load", false, true],
    ["added-2", "added", "replay", true, true],
    ["replaced", "replaced", "load", false, false],
    ["replaced-2", "replaced", "rerun", true, true],
  ];
  const at = "2026-01-02T00:00:00.000Z";
  for (const [id, root, kind, refused, contributed] of runs) {
    if (kind === "load")
      old.exec(`INSERT INTO sources (root, stack, store, key, version, name, bytes, sha256, received_at)
        VALUES ('${id}', 'inmet', 's', '${id}', '1', 'n', 1, '${id}', '${at}')`);
    old.exec(`INSERT INTO runs (id, root, stack, kind, state, rows_read, rows_clean, queued_at, committed_at, refusal)
      VALUES ('${id}', '${root}', 'inmet', '${kind}', 'done', 3, 3, '${at}', '${at}', ${refused ? "'No.'" : "NULL"});
      UPDATE sources SET committed_run = '${id}' WHERE root = '${root}';`);
    if (contributed)
      old.exec(`INSERT INTO contributions (stack, name, run, key, rows, bytes)
        VALUES ('inmet', 'rain', '${id}', 'contributions/rain/${id}', 1, 1)`);
  }
  // Which batch was a table's last was not kept: no more than that of all.
  old.exec(`UPDATE batches SET last = 7;
    INSERT INTO tables (stack, name, columns, updated_at) VALUES ('inmet', 'rain', '[]', '${at}');
    INSERT INTO loose (stack, role, key, version) VALUES ('inmet', 'input', '2026-01-01/upload.csv', '');`);
  old.close();
  const { deliveries, tables, open, loose, close } = await openLedger({ driver: "sqlite", file });
  expect((await tables.contributions("inmet", "rain")).map(({ run }) => run)).toEqual([
    "mended-2",
    "added",
    "replaced-2",
  ]);
  expect((await loose.all()).map(({ key }) => key)).toEqual([
    "2026-01-01/upload.csv",
    "contributions/rain/added-2",
    "contributions/rain/refused",
  ]);
  expect(await Promise.all(["rain", "none"].map((name) => tables.lastBatch("inmet", name)))).toEqual([7, 0]);
  expect(await open("mended")).toBeUndefined();
  for (const root of ["refused", "added", "replaced"])
    expect(await open(root)).toMatchObject({ scope: "file", rows: 3 });
  const told = await deliveries.list({ limit: 9 });
  expect(told).toMatchObject([
    { id: 2, sink: "1-webhook-hook", state: "pending" },
    { id: 1, sink: "0-bi-rain", state: "retrying", attempts: 2, rows: 3, bytes: 4, canDouble: "yes" },
  ]);
  expect(await deliveries.start(1)).toMatchObject({ progress: { row: 1 }, ending: undefined });
  expect(await deliveries.start(2)).toMatchObject({ ending: "quarantined" });
  await close();
  await rm(folder, { recursive: true });
});
