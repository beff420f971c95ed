import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import { type Ledger, openLedger, type TableChange, type TableFile } from "../ledger/index.ts";
import { type ObjectStore, openObjectStore } from "../object-store/index.ts";
import { testFolder } from "../processor-for-tests.ts";
import type { DataFile } from "./delta/actions.ts";
import type { Change } from "./delta/change.ts";
import { commit } from "./delta/commit.ts";
import { snapshotAt } from "./delta/snapshot.ts";
import { type Publisher, type PublisherOptions, startPublisher } from "./publisher.ts";

/** A ledger and a lake of the stack `shop`, what publishes from the one to the other, and another program. */
export interface Shop {
  ledger: Ledger;
  lake: ObjectStore;
  publisher: Publisher;
  /** Publishes with what a start finds, after the process before ended anywhere. `through` is what it sees of both. */
  restart(through?: { lake?: ObjectStore; ledger?: Ledger; tellFailed?: PublisherOptions["tellFailed"] }): Publisher;
  /** Commits one run that adds a file to a table, and changes more of it. */
  load(table: string, more?: Partial<TableChange>, adds?: (run: string) => TableFile[]): Promise<string>;
  /** What another program commits to a table, from its newest version. */
  others(table: string, change: Partial<Change> & { remove?: string[] }): Promise<number>;
  /** Paths of the table's files by its log, and by the ledger: sorted. */
  inLog(table: string): Promise<string[] | undefined>;
  inLedger(table: string): Promise<string[] | undefined>;
  remove(): Promise<void>;
}

export const columns = [{ name: "day", type: "DATE" }];

export const fileOf = (table: string, name: string, run: string | null, rows = 2): TableFile => ({
  key: `${table}/${name}.parquet`,
  rows,
  bytes: 10,
  partition: {},
  stats: JSON.stringify({ numRecords: rows }),
  parts: [{ run, firstRow: 0, rows }],
});

export const foreign = (path: string, more: Partial<DataFile> = {}): DataFile => ({
  path,
  size: 10,
  modificationTime: 1,
  partitionValues: {},
  stats: '{"numRecords":3}',
  dataChange: true,
  ...more,
});

export async function openShop(): Promise<Shop> {
  const folder = await testFolder("publisher");
  const ledger = await openLedger({ driver: "sqlite", file: join(folder, "ledger.sqlite") });
  const lake = await openObjectStore({ driver: "fs", path: "lake" }, folder);
  let files = 0;
  const snapshot = (table: string) => snapshotAt(lake, table);
  const restart: Shop["restart"] = (through = {}) =>
    startPublisher({
      stacks: new Map([["shop", { lake: through.lake ?? lake }]]),
      ledger: through.ledger ?? ledger,
      log: pino({ level: "silent" }),
      waitMs: 1,
      ...(through.tellFailed && { tellFailed: through.tellFailed }),
    });
  return {
    ledger,
    lake,
    publisher: restart(),
    restart,
    async load(table, more = {}, adds = (run) => [fileOf(table, run, run)]) {
      const key = `file-${++files}`;
      const claim = { stack: "shop", store: "fs:in", key, version: "1", name: key, bytes: 1, sha256: key };
      const { run } = await ledger.claim(claim);
      await ledger.next("w", { busyStacks: [], leaseSeconds: 60 });
      const state = await ledger.tables.read("shop", table);
      const change: TableChange = {
        name: table,
        columns: state?.columns ?? columns,
        partitionBy: [],
        location: lake.location(table),
        adds: adds(run.id),
        removes: more.whole === true ? (state?.files.map((file) => file.key) ?? []) : [],
        base: state?.change ?? 0,
        operation: "WRITE",
        how: { mode: "full" },
        ...more,
      };
      await ledger.commit({ stack: "shop", runs: [run.id], changes: [change] });
      await ledger.finish(run.id, { state: "done" });
      return run.id;
    },
    async others(table, { remove = [], ...change }) {
      const { version, files } = (await snapshot(table)) ?? { version: null, files: new Map<string, DataFile>() };
      const removes = remove.map((path) => ({
        path,
        deletionTimestamp: Date.now(),
        dataChange: true,
        size: files.get(path)?.size ?? 0,
        partitionValues: {},
      }));
      const committed = await commit(lake, table, {
        operation: "WRITE",
        readVersion: version,
        adds: [],
        removes,
        blindAppend: removes.length === 0,
        ...change,
      });
      return committed.version;
    },
    inLog: async (table) => [...((await snapshot(table))?.files.keys() ?? [])].toSorted(),
    inLedger: async (table) =>
      (await ledger.tables.read("shop", table))?.files.map(({ key }) => key.slice(table.length + 1)).toSorted(),
    async remove() {
      await ledger.close();
      await rm(folder, { recursive: true });
    },
  };
}
