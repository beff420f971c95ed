import type { Logger } from "pino";
import type { Engine } from "../engine/index.ts";
import { type Ledger, TableChanged } from "../ledger/index.ts";
import type { ObjectStore } from "../object-store/index.ts";
import { cleanLog } from "./delta/cleanup.ts";
import { fileRetention } from "./delta/retention.ts";
import { snapshotAt } from "./delta/snapshot.ts";
import { type UnusedFile, vacuum as unusedFiles } from "./delta/vacuum.ts";
import { isOptimizeDue, type Optimized, type OptimizedTable, optimize } from "./optimize.ts";
import { pathOf } from "./plan-publication.ts";
import type { Publisher } from "./publisher.ts";
import { rewind, type Rewound } from "./rewind.ts";

const DAY_MS = 86_400_000;

/** A stack as far as its tables are looked after. */
export interface KeptStack {
  lake: ObjectStore;
  config: { stack: { name: string; tables: readonly { name: string }[] } };
}

/** Does work in a session of the stack's engine, whose folder it is given. */
export type InEngine = <T>(work: (engine: Engine, folder: string) => Promise<T>) => Promise<T>;

/** Keeps tables quick to read and the lake free of what nobody needs. Only for a stack of which nothing runs meanwhile. */
export interface Maintenance {
  /**
   * What is due after runs of a stack: tables with many small files are optimized, and once a day files that no kept version
   * needs are deleted, and versions that are older than the table keeps them. Never rejects: what fails is logged.
   */
  afterRuns(stack: KeptStack, inEngine: InEngine, signal: AbortSignal): Promise<void>;
  optimize(stack: KeptStack, table: string, inEngine: InEngine): Promise<Optimized>;
  /** Deletes files that no kept version needs, or tells them with `dryRun`. */
  vacuum(stack: KeptStack, table: string, options: { dryRun: boolean }): Promise<UnusedFile[]>;
  /** Takes off a table's log what is newer than the ledger. Throws NotRewound. */
  rewind(stack: KeptStack, table: string): Promise<Rewound>;
}

export interface MaintenanceOptions {
  ledger: Ledger;
  publisher: Pick<Publisher, "follow" | "wake" | "alone">;
  log: Logger;
  now?: () => Date;
}

export function startMaintenance({ ledger, publisher, log, now = () => new Date() }: MaintenanceOptions): Maintenance {
  const cleaned = new Map<string, number>();

  const tableOf = ({ lake, config }: KeptStack, table: string): OptimizedTable => ({
    stack: config.stack.name,
    table,
    lake,
    ledger,
  });

  async function optimizeTable(stack: KeptStack, table: string, inEngine: InEngine): Promise<Optimized> {
    const { name } = stack.config.stack;
    // What other programs rewrote must not be rewritten once more.
    await publisher.follow(name, [table]);
    const done = await inEngine((engine, folder) => optimize(tableOf(stack, table), engine, folder));
    if (done.added > 0) {
      publisher.wake(name, done.added);
      log.info({ stack: name, table, ...done }, "small files put together");
    }
    return done;
  }

  function vacuumTable(stack: KeptStack, table: string, dryRun: boolean): Promise<UnusedFile[]> {
    const { lake, config } = stack;
    const { name } = config.stack;
    return publisher.alone(name, table, async () => {
      const unused = await unusedOf(ledger, lake, name, table, now());
      if (dryRun || unused.length === 0) return unused;
      // Noted first, so that the next start deletes what a crash in between leaves.
      await ledger.tables.vacuumed(
        name,
        table,
        unused.map(({ key }) => key),
      );
      for (const { key } of unused) {
        await lake.delete(key);
        await ledger.loose.forget({ stack: name, role: "lake", key });
      }
      log.info({ stack: name, table, files: unused.length }, "files that no version needs deleted");
      return unused;
    });
  }

  async function clean(stack: KeptStack, table: string): Promise<void> {
    const { lake, config } = stack;
    await vacuumTable(stack, table, false);
    await publisher.alone(config.stack.name, table, async () => {
      const snapshot = await snapshotAt(lake, table);
      if (snapshot !== undefined) await cleanLog(lake, table, snapshot, { now: now() });
    });
  }

  return {
    async afterRuns(stack, inEngine, signal) {
      const { name, tables } = stack.config.stack;
      for (const { name: table } of tables)
        try {
          if (signal.aborted) return;
          if (await isOptimizeDue(tableOf(stack, table))) await optimizeTable(stack, table, inEngine);
          const id = `${name}/${table}`;
          const last = cleaned.get(id);
          const time = now().getTime();
          // Also if the clock was set back.
          if (last !== undefined && time >= last && time < last + DAY_MS) continue;
          cleaned.set(id, time);
          await clean(stack, table);
        } catch (error) {
          if (signal.aborted) return;
          if (error instanceof TableChanged)
            log.info({ stack: name, table }, "the table changed while it was optimized");
          else log.warn({ err: error, stack: name, table }, "a table is not looked after; it is tried again");
        }
    },
    optimize: optimizeTable,
    vacuum: (stack, table, { dryRun }) => vacuumTable(stack, table, dryRun),
    async rewind(stack, table) {
      const { name } = stack.config.stack;
      const done = await publisher.alone(name, table, () => rewind(tableOf(stack, table)));
      log.warn({ stack: name, table, ...done }, "versions that the ledger does not know are taken off a table's log");
      publisher.wake(name);
      return done;
    },
  };
}

/** Files of a table that are in no version which is kept, nor in one that is still to be written. */
async function unusedOf(
  ledger: Ledger,
  lake: ObjectStore,
  stack: string,
  table: string,
  now: Date,
): Promise<UnusedFile[]> {
  const snapshot = await snapshotAt(lake, table);
  if (snapshot === undefined) return [];
  const state = await ledger.tables.read(stack, table);
  const needed = new Set(state?.files.map(({ key }) => key));
  for (const { adds, removes } of await ledger.publications.pending({ stack, table }))
    for (const key of [...adds.map((file) => file.key), ...removes]) needed.add(key);
  const isNeeded = (key: string) => needed.has(key);
  const unused = await unusedFiles(lake, table, { dryRun: true, now, isNeeded });
  const found = new Set(unused.map(({ key }) => key));
  const oldest = now.getTime() - fileRetention(snapshot.metadata);
  // A checkpoint names what was removed only for a while, the ledger until it is deleted.
  for (const { key, removedAt } of await ledger.tables.removed(stack, table)) {
    const path = pathOf(table, key);
    if (found.has(key) || isNeeded(key) || snapshot.files.has(path)) continue;
    // The log may have heard of it much later than the ledger, and until then versions still had it.
    const inLog = snapshot.tombstones.get(path)?.deletionTimestamp ?? 0;
    if (Math.max(Date.parse(removedAt), inLog) >= oldest) continue;
    unused.push({ key, bytes: (await lake.head(key))?.bytes ?? 0 });
  }
  return unused;
}
