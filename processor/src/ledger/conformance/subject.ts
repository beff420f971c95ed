import { afterEach, beforeEach } from "vitest";
import type { Claim, Followed, Ledger, LedgerClocks, NextOptions, TableChange, TableFile, TakenRun } from "../index.ts";

/** A place where a driver keeps one ledger. */
export interface Kept {
  /** Whether several processes may have it open at a time. */
  shared: boolean;
  open(clocks: Required<LedgerClocks>): Promise<Ledger>;
  /** Opens what is on the disk, as the next process does after this one was killed at this moment. */
  openAfterCrash(ledger: Ledger, clocks: Required<LedgerClocks>): Promise<Ledger>;
  remove(): Promise<void>;
}

/** A new ledger for each test, and the clocks that it goes by. */
export interface Subject {
  readonly shared: boolean;
  readonly ledger: Ledger;
  /** The time of day in ms; it moves by a second each time it is read. */
  time: number;
  /** The clock that is never set, in ms. */
  elapsed: number;
  crash(): Promise<void>;
  /** Begins with a new ledger. */
  renew(): Promise<void>;
  /** Claims an object of its own content; gives the run's id. */
  queue(key: string, more?: Partial<Claim>): Promise<string>;
  next(options?: Partial<NextOptions> & { worker?: string }): Promise<TakenRun[]>;
  /** Claims, takes, counts, commits and finishes a run. */
  load(key: string, more?: Partial<Claim>, rejected?: number): Promise<string>;
  /** One file more in a table as it is now; `whole`: instead of what it holds. */
  change(name: string, run: string, more?: Partial<TableChange> & { stack?: string }): Promise<TableChange>;
  /** Counts `rejected` of 10 rows as refused. */
  count(id: string, rejected?: number): Promise<void>;
}

export const START = Date.UTC(2026, 0, 1);

export const claimOf = (key: string, more: Partial<Claim> = {}): Claim => ({
  stack: "inmet",
  store: "fs:inmet/input",
  key,
  version: "1",
  name: "rain.csv",
  bytes: 7,
  sha256: `hash of ${key}`,
  ...more,
});

/** A file that holds rows of one run. */
export const fileOf = (key: string, run: string | null, rows = 2, bytes = 10): TableFile => ({
  key,
  rows,
  bytes,
  partition: {},
  stats: null,
  parts: [{ run, firstRow: 0, rows }],
});

/** One file of a run in a new table, or in one of that state. */
export const changeOf = (name: string, run: string, more: Partial<TableChange> = {}): TableChange => ({
  name,
  columns: [{ name: "day", type: "DATE" }],
  partitionBy: [],
  location: `/lake/${name}`,
  adds: [fileOf(`${name}/${run}`, run)],
  removes: [],
  base: 0,
  operation: "WRITE",
  how: { mode: "full" },
  ...more,
});

export function subjectOf(make: () => Promise<Kept>): Subject {
  let kept: Kept;
  let ledger: Ledger;
  const clocks = {
    now: () => {
      subject.time += 1000;
      return new Date(subject.time - 1000);
    },
    monotonic: () => subject.elapsed,
  };
  const subject: Subject = {
    get shared() {
      return kept.shared;
    },
    get ledger() {
      return ledger;
    },
    time: START,
    elapsed: 0,
    async crash() {
      ledger = await kept.openAfterCrash(ledger, clocks);
    },
    async renew() {
      await remove();
      await open();
    },
    async queue(key, more) {
      return (await ledger.claim(claimOf(key, more))).run.id;
    },
    next: ({ worker = "worker", ...options } = {}) =>
      ledger.next(worker, { busyStacks: [], leaseSeconds: 60, ...options }),
    async load(key, more, rejected) {
      const id = await subject.queue(key, more);
      await subject.next();
      await subject.count(id, rejected);
      const stack = more?.stack ?? "inmet";
      await ledger.commit({ stack, runs: [id], changes: [await subject.change("rain", id, { stack })] });
      await ledger.finish(id, { state: "done" });
      return id;
    },
    async change(name, run, { stack = "inmet", ...more } = {}) {
      const state = await ledger.tables.read(stack, name);
      const removes = more.whole === true ? (state?.files.map(({ key }) => key) ?? []) : [];
      return changeOf(name, run, { base: state?.change ?? 0, removes, ...more });
    },
    count: (id, rejected = 0) =>
      ledger.countRows(
        id,
        { read: 10, clean: 10 - rejected, rejected },
        {
          rejectedKey: rejected === 0 ? null : `rejected-rows/${id}-1.parquet`,
          header: ["day", "mm"],
          found: { format: "csv", encoding: "utf-8", delimiter: ";" },
        },
      ),
  };
  async function open(): Promise<void> {
    subject.time = START;
    subject.elapsed = 0;
    kept = await make();
    ledger = await kept.open(clocks);
  }
  async function remove(): Promise<void> {
    await ledger.close();
    await kept.remove();
  }
  beforeEach(open);
  afterEach(remove);
  return subject;
}

/** What another program left at a version. */
export const followed = (version: number, more: Partial<Followed> = {}): Followed => ({
  version,
  adds: [],
  removes: [],
  columns: [{ name: "day", type: "DATE" }],
  partitionBy: [],
  location: "/lake/rain",
  ...more,
});
