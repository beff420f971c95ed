import { chmod, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { testFolder } from "../../processor-for-tests.ts";
import { claimOf } from "../conformance/subject.ts";
import { type Ledger, openLedger } from "../index.ts";
import { connect } from "./connection.ts";
import { openDatabase } from "./database.ts";
import { migrations } from "./schema.ts";

let folder: string;
let file: string;
let ledger: Ledger | undefined;
const open = async (path = file) => (ledger = await openLedger({ driver: "sqlite", file: path }));

beforeEach(async () => {
  folder = await testFolder("sqlite");
  file = join(folder, "ledger.sqlite");
});
afterEach(async () => {
  await ledger?.close();
  ledger = undefined;
  await rm(folder, { recursive: true });
});

const isFile = (data: string) => `The data folder ${data} is a file or lies below one; choose a folder with --data.`;

describe("the file", () => {
  it("belongs to one processor at a time", async () => {
    await open();
    await expect(openLedger({ driver: "sqlite", file })).rejects.toThrow(/is another processor using this data folder/);
  });

  it("is for its owner alone, with what SQLite keeps beside it", async () => {
    await (await open()).close();
    await chmod(file, 0o644);
    await (await open()).claim(claimOf("b"));
    const names = await readdir(folder);
    expect(names).toContain("ledger.sqlite-wal");
    for (const name of names) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
  });

  it("says which data folder cannot be used, and what to change", async () => {
    const path = join(folder, "file");
    await writeFile(path, "");
    await expect(open(join(path, "ledger.sqlite"))).rejects.toThrow(isFile(path));
    await expect(open(join(path, "data", "ledger.sqlite"))).rejects.toThrow(isFile(join(path, "data")));
    await mkdir(join(folder, "data", "ledger.sqlite"), { recursive: true });
    await expect(open(join(folder, "data", "ledger.sqlite"))).rejects.toThrow(
      `The data folder ${join(folder, "data")} cannot be written; let this user write it, or choose another one with --data.`,
    );
    await writeFile(path, "no ledger, but long enough to be taken for a file of SQLite".repeat(100));
    await expect(open(path)).rejects.toThrow(/is the data folder writable, with room left, and the file a ledger\?$/);
  });

  it("is refused if a later version wrote it", async () => {
    await (await open()).close();
    ledger = undefined;
    const database = new DatabaseSync(file);
    database.exec("PRAGMA user_version = 99");
    database.close();
    await expect(open()).rejects.toThrow(/later version of Cais/);
  });
});

describe("the database", () => {
  it("is durable at each commit, keeps its references, and is one process's", () => {
    const database = openDatabase(file);
    const pragma = (name: string) => Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
    // 2 is FULL: https://sqlite.org/pragma.html#pragma_synchronous
    expect(pragma("synchronous")).toBe(2);
    expect(pragma("foreign_keys")).toBe(1);
    expect(pragma("locking_mode")).toBe("exclusive");
    expect(pragma("journal_mode")).toBe("wal");
    database.close();
  });

  it("of the first version is taken over with its runs, tables and loose objects", async () => {
    const old = new DatabaseSync(file);
    old.exec(`${migrations[0]}; PRAGMA user_version = 1;
      INSERT INTO runs (id, stack, store, key, version, name, bytes, sha256, state, attempts, rows_read, rows_clean,
          rows_rejected, rejected_key, error, queued_at, started_at, committed_at, finished_at) VALUES
        ('one', 'inmet', 'fs:i', 'k1', 'v1', 'a.csv', 5, 'h1', 'done', 1, 3, 2, 1, 'rejected-rows/one-1.parquet', NULL,
          '2025-01-01T00:00:00.000Z', '2025-01-01T00:00:01.000Z', '2025-01-01T00:00:02.000Z', '2025-01-01T00:00:03.000Z'),
        ('two', 'inmet', 'fs:i', 'k2', 'v2', 'b.csv', 6, 'h2', 'running', 2, 0, 0, 0, NULL, NULL,
          '2025-01-01T00:00:04.000Z', '2025-01-01T00:00:05.000Z', NULL, NULL),
        ('three', 'inmet', 'fs:i', 'k3', 'v3', 'c.csv', 7, 'h3', 'quarantined', 1, 4, 0, 4, NULL, 'All 4.',
          '2025-01-01T00:00:06.000Z', '2025-01-01T00:00:07.000Z', NULL, '2025-01-01T00:00:08.000Z');
      INSERT INTO steps VALUES ('one', 1, 'contract', '2025-01-01T00:00:01.000Z', '2025-01-01T00:00:02.000Z');
      INSERT INTO outputs VALUES ('one', 'table', 'rain', '/lake/rain', 2, 9);
      INSERT INTO tables VALUES ('inmet', 'rain', '[{"name":"day","type":"DATE"}]', '2025-01-01T00:00:02.000Z');
      INSERT INTO files VALUES ('inmet', 'rain', 'rain/part-1', 'one', 2, 9);
      INSERT INTO loose VALUES ('inmet', 'lake', 'rain/left');`);
    old.close();
    const opened = await open();
    expect(await opened.run("one")).toEqual({
      id: "one",
      stack: "inmet",
      kind: "load",
      root: null,
      state: "done",
      file: { name: "a.csv", key: "k1", bytes: 5, sha256: "h1" },
      rows: { read: 3, clean: 2, rejected: 1 },
      // No whole rows were kept then, so a replay begins with the file.
      open: { scope: "file", rows: 1 },
      found: null,
      attempts: 1,
      retryAt: null,
      by: null,
      error: null,
      steps: [{ name: "contract", startedAt: "2025-01-01T00:00:01.000Z", finishedAt: "2025-01-01T00:00:02.000Z" }],
      outputs: [{ kind: "table", name: "rain", location: "/lake/rain", rows: 2, bytes: 9, how: null, version: null }],
      deliveries: [],
      queuedAt: "2025-01-01T00:00:00.000Z",
      startedAt: "2025-01-01T00:00:01.000Z",
      finishedAt: "2025-01-01T00:00:03.000Z",
    });
    expect(await opened.header("one")).toBeNull();
    expect(await opened.run("three")).toMatchObject({ state: "quarantined", open: { scope: "file", rows: 4 } });
    expect((await opened.runs({ limit: 9 })).map(({ id }) => id)).toEqual(["three", "two", "one"]);
    expect(await opened.tables.read("inmet", "rain")).toMatchObject({
      files: [{ key: "rain/part-1", rows: 2, bytes: 9, parts: [{ run: "one", root: "one", fileNumber: 1, rows: 2 }] }],
    });
    expect(await opened.loose.all()).toEqual([{ stack: "inmet", role: "lake", key: "rain/left" }]);
    const again = { ...claimOf("k1"), store: "fs:i", version: "v1" };
    expect(await opened.claim(again)).toMatchObject({ created: false, run: { id: "one" } });
    // What was running is taken up, and a new file comes after the old ones.
    expect(await opened.next("w", { busyStacks: [], leaseSeconds: 60 })).toMatchObject([{ id: "two", attempts: 3 }]);
    await opened.finish("two", { state: "done" });
    const { run } = await opened.claim(claimOf("new"));
    expect(await opened.next("w", { busyStacks: [], leaseSeconds: 60 })).toMatchObject([{ id: run.id, fileNumber: 4 }]);
  });
});

/** A database with a table of numbers. */
function start() {
  const database = openDatabase(file);
  database.exec("CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT");
  const connection = connect(database);
  const insert = (n: number) => connection.sql("INSERT INTO t VALUES (?)").run(n);
  const all = () =>
    database
      .prepare("SELECT n FROM t")
      .all()
      .map((row) => row["n"]);
  return { database, connection, insert, all };
}

describe("writes", () => {
  it("of one turn are one transaction, in which a failed one leaves nothing and fails alone", async () => {
    const { database, connection, insert, all } = start();
    const writes = [1, 2, 1, 3].map((n) =>
      connection.write(() => {
        insert(n + 10);
        insert(n);
        return n;
      }),
    );
    expect(all()).toEqual([]);
    expect(await Promise.allSettled(writes)).toMatchObject([
      { value: 1 },
      { value: 2 },
      { status: "rejected", reason: expect.objectContaining({ message: expect.stringMatching(/UNIQUE/) }) },
      { value: 3 },
    ]);
    expect(all()).toEqual([1, 2, 3, 11, 12, 13]);
    expect(database.isTransaction).toBe(false);
    connection.close();
  });

  it("are all refused when the disk is full, and go on when it is not", async () => {
    const { database, connection, insert, all } = start();
    const pages = Number(database.prepare("PRAGMA page_count").get()?.["page_count"]);
    database.exec(`CREATE TABLE big (content TEXT); PRAGMA max_page_count = ${pages + 5}`);
    const fill = () => connection.sql("INSERT INTO big VALUES (?)").run("x".repeat(1_000_000));
    const settled = await Promise.allSettled([connection.write(() => insert(1)), connection.write(fill)]);
    expect(settled[1]).toMatchObject({ status: "rejected", reason: { message: "database or disk is full" } });
    // Whether SQLite could keep the first depends on how it ended the second; what is told is what is there.
    expect(all()).toEqual(settled[0].status === "fulfilled" ? [1] : []);
    await connection.write(() => insert(2));
    expect(all()).toContain(2);
    connection.close();
  });

  it("that may wait are done with the next that may not, in their order", async () => {
    const { database, connection, insert, all } = start();
    const told: number[] = [];
    const later = connection.write(() => told.push(Number(insert(1).lastInsertRowid)), { mayWait: true });
    await new Promise((resolve) => setImmediate(resolve));
    expect(all()).toEqual([]);
    await connection.write(() => told.push(Number(insert(2).lastInsertRowid)));
    expect(told).toEqual([1, 2]);
    await later;
    // Alone, it is done too.
    await connection.write(() => insert(3), { mayWait: true });
    expect(all()).toEqual([1, 2, 3]);
    expect(database.isTransaction).toBe(false);
    connection.close();
  });

  it("that wait are done at the end, and later ones refused", async () => {
    const { connection, insert } = start();
    const last = connection.write(() => insert(7).changes);
    connection.close();
    expect(await last).toBe(1);
    await expect(connection.write(() => insert(8))).rejects.toThrow("The ledger is closed.");
    const database = openDatabase(file);
    expect(database.prepare("SELECT n FROM t").all()).toMatchObject([{ n: 7 }]);
    database.close();
  });
});
