import type { Run } from "@cais/spec/api.ts";
import type { Logger } from "pino";
import type { Ledger } from "../ledger/index.ts";
import { someAtATime } from "../object-store/fetch-all.ts";
import type { ObjectStore } from "../object-store/index.ts";
import { checkAhead, type FollowedTable, follow } from "./follow.ts";
import { publish } from "./publish.ts";

/** How long commits of a table wait for others, and how many files end that wait. */
const WAIT_MS = 2000;
const FILES = 100;

/** First and longest wait before what failed is tried again. It doubles in between. */
const RETRY_MS = { first: 1000, longest: 60_000 };

export interface PublisherOptions {
  stacks: ReadonlyMap<string, { lake: ObjectStore; config?: { stack: { tables: readonly { name: string }[] } } }>;
  ledger: Ledger;
  log: Logger;
  /** How long commits of a table wait for others. Default: 2 s. */
  waitMs?: number;
  /** Told of each run that had ended as done before its commit was refused: at least once. Default: nobody is. */
  tellFailed?: (run: Run) => Promise<void>;
}

/** The one writer of the tables' Delta logs, and their reader for the ledger. */
export interface Publisher {
  /** Makes logs for tables that have none, and writes what was cut off. What fails is logged and tried again. */
  start(): Promise<void>;
  /** Publishes what a stack's commit queued, together with what follows it soon. `files`: how many it added. */
  wake(stack: string, files?: number): void;
  /**
   * Brings the ledger's state of tables in line with their logs. Throws if a log cannot be followed, and LedgerBehind while
   * one is ahead of the ledger.
   */
  follow(stack: string, tables: readonly string[]): Promise<void>;
  /**
   * Throws LedgerBehind while a log of any table of the stack is ahead of the ledger, and what the lake throws if that cannot
   * be said. Once it is known that none is, nothing is read any more: a ledger that is in use is not behind.
   */
  check(stack: string): Promise<void>;
  /** Does something with a table's log while nothing is published or followed there. */
  alone<T>(stack: string, table: string, work: () => Promise<T>): Promise<T>;
  /** Publishes all that waits, of a stack or of all. Throws the first error, after having tried all tables. */
  flush(stack?: string): Promise<void>;
  /** Publishes all that waits. What fails is logged: the next start does it. */
  stop(): Promise<void>;
}

export function startPublisher(options: PublisherOptions): Publisher {
  const { stacks, ledger, log, waitMs = WAIT_MS, tellFailed = async () => undefined } = options;
  const tables = new Map<string, FollowedTable>();
  const turns = new Map<string, Promise<unknown>>();
  const waiting = new Map<string, { timer: NodeJS.Timeout; files: number }>();
  const retries = new Map<string, number>();
  let isStopped = false;
  /** Tables of which it is not known since the start that their logs are not ahead of the ledger, by their stack. */
  const unchecked = new Map<string, Set<string>>();
  /** A process that was killed may have refused runs and told nobody. */
  let mayBeUntold = true;

  function tableOf(stack: string, table: string): FollowedTable | undefined {
    const id = `${stack}/${table}`;
    const lake = stacks.get(stack)?.lake;
    // A stack that is not deployed now waits until it is.
    if (lake === undefined) return undefined;
    const known = tables.get(id) ?? {
      stack,
      table,
      lake,
      ledger,
      onRefused: ({ publication: { runs, batch }, reason }) => {
        mayBeUntold = true;
        log.error({ stack, table, runs, batch, reason }, "a commit does not fit what another program did to the table");
      },
      onCheckpointFailed: (error) => log.warn({ err: error, stack, table }, "no checkpoint of the table's log"),
    };
    tables.set(id, known);
    return known;
  }

  /** Work on one table's log goes one by one. */
  function alone<T>(stack: string, table: string, work: () => Promise<T>): Promise<T> {
    const id = `${stack}/${table}`;
    const turn = (turns.get(id) ?? Promise.resolve()).then(work, work);
    // Who asked for it hears what it throws; the next one begins all the same.
    turns.set(id, Promise.allSettled([turn]));
    return turn;
  }

  async function followTable(stack: string, name: string): Promise<void> {
    const table = tableOf(stack, name);
    if (table !== undefined)
      await alone(stack, name, async () => {
        try {
          await follow(table);
        } catch (error) {
          forget(table);
          throw error;
        }
      });
  }

  async function checkStack(stack: string): Promise<void> {
    const left = unchecked.get(stack) ?? (await tablesOf(stack));
    unchecked.set(stack, left);
    await someAtATime([...left], async (name) => {
      const table = tableOf(stack, name);
      if (table !== undefined)
        await alone(stack, name, async () => {
          try {
            await checkAhead(table);
          } finally {
            // Of tables where nothing happens a log with all its statistics would stay in memory.
            if (table.alignedAt === undefined) forget(table);
          }
        });
      left.delete(name);
    });
  }

  /** Names of the tables that a stack has, or had. */
  async function tablesOf(stack: string): Promise<Set<string>> {
    const asked = stacks.get(stack)?.config?.stack.tables ?? [];
    return new Set([...asked, ...(await ledger.tables.list(stack))].map(({ name }) => name));
  }

  async function publishTable(stack: string, name: string): Promise<void> {
    const table = tableOf(stack, name);
    if (table !== undefined)
      await alone(stack, name, async () => {
        try {
          await publish(table);
        } catch (error) {
          forget(table);
          throw error;
        }
      });
  }

  /** Publishes what waits; gives what it failed with, which is logged. */
  async function publishAll(stack?: string): Promise<unknown[]> {
    const errors: unknown[] = [];
    const told = (error: unknown, of: object) => {
      log.error({ err: error, ...of }, "a table's log is not written; it is tried again");
      errors.push(error);
    };
    try {
      for (const { stack: of, name } of await ledger.tables.list(stack))
        try {
          if (await isDue(of, name)) await publishTable(of, name);
        } catch (error) {
          told(error, { stack: of, table: name });
        }
      await tellRefused();
    } catch (error) {
      told(error, { stack });
    }
    return errors;
  }

  async function tellRefused(): Promise<void> {
    if (!mayBeUntold) return;
    mayBeUntold = false;
    try {
      for (const run of await ledger.publications.untold()) {
        await tellFailed(run);
        await ledger.publications.told(run.id);
      }
    } catch (error) {
      mayBeUntold = true;
      throw error;
    }
  }

  const isDue = async (stack: string, table: string) =>
    (await ledger.tables.head(stack, table))?.version === null ||
    (await ledger.publications.pending({ stack, table })).length > 0;

  function schedule(stack: string, ms: number, files: number): void {
    const before = waiting.get(stack);
    const sum = files + (before?.files ?? 0);
    if (isStopped || (before !== undefined && sum < FILES && ms > 0)) {
      if (before !== undefined) before.files = sum;
      return;
    }
    clearTimeout(before?.timer);
    const timer = setTimeout(() => void turn(stack), sum < FILES ? ms : 0);
    waiting.set(stack, { timer, files: sum });
  }

  /** Never rejects. */
  async function turn(stack: string): Promise<void> {
    waiting.delete(stack);
    if ((await publishAll(stack)).length === 0) return void retries.delete(stack);
    const ms = Math.min(RETRY_MS.longest, 2 * (retries.get(stack) ?? RETRY_MS.first / 2));
    retries.set(stack, ms);
    schedule(stack, ms, 0);
  }

  return {
    async start() {
      await Promise.all([...stacks.keys()].map((stack) => turn(stack)));
    },
    wake: (stack, files = 1) => schedule(stack, waitMs, files),
    async follow(stack, names) {
      const followed = await Promise.allSettled(names.map((name) => followTable(stack, name)));
      await tellRefused();
      for (const result of followed) if (result.status === "rejected") throw result.reason;
    },
    check: checkStack,
    alone,
    async flush(stack) {
      const [error] = await publishAll(stack);
      if (error !== undefined) throw error;
    },
    async stop() {
      isStopped = true;
      for (const { timer } of waiting.values()) clearTimeout(timer);
      waiting.clear();
      await publishAll();
      await Promise.all(turns.values());
    },
  };
}

/** After a failure, nothing is taken for known that may have been half done. */
function forget(table: FollowedTable): void {
  table.view = undefined;
  table.alignedAt = undefined;
}
