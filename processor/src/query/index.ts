import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { TableColumn } from "@cais/spec/api.ts";
import type { Logger } from "pino";
import type { EngineLimits } from "../engine/duckdb.ts";
import type { Engine } from "../engine/index.ts";
import type { Answer, Source } from "../engine/messages.ts";
import { keepEngines } from "../engine/warm.ts";
import { printed } from "../log/index.ts";
import { type Plan, planOf } from "../runs/plan.ts";
import type { OpenStack } from "../runs/stack.ts";
import type { Writes } from "../sinks/writes.ts";
import { bring, type LakeFiles } from "../tables/index.ts";
import { slots } from "./slots.ts";

/** Asks engines of its own what no run needs to know. */
export interface Queries {
  /** How a stack's tables depend on each other. */
  plan(stack: OpenStack): Promise<Plan>;
  /**
   * Answers a query with a file. Throws EngineFailed, whose fault says what was wrong, TooManyQueries, and what `tableOf`
   * throws for a table that the query names.
   */
  run(query: Query, tableOf: (source: Source) => Promise<Found>, signal: AbortSignal): Promise<Answered>;
  stop(): Promise<void>;
}

export interface Query {
  sql: string;
  /** Rows at most. */
  limit: number;
  writes: Writes;
}

/** A table that a query names, as it is or was. */
export interface Found {
  files: LakeFiles;
  columns: TableColumn[];
}

export interface Answered extends Answer {
  /** Removes the file. */
  done(): Promise<void>;
}

export interface QueriesOptions {
  /** Each query has a folder in here while it lasts. */
  folder: string;
  /** Limits of one run; a query has half of the memory and of the disk. */
  limits: EngineLimits;
  log: Logger;
  /** Time for one query. */
  seconds: number;
}

/** Queries that are answered at a time, and others that may wait. */
const AT_A_TIME = 2;
const WAITING = 20;

export function openQueries({ folder, limits, log, seconds }: QueriesOptions): Queries {
  const { memoryBytes, tempBytes, threads } = limits;
  const own: EngineLimits = { memoryBytes: memoryBytes / 2, tempBytes: tempBytes / 2, threads };
  const engines = keepEngines({ log: (line) => log.warn({ line: printed(line) }, "engine") });
  const inSlot = slots(AT_A_TIME, WAITING);
  const stopping = new AbortController();
  const plans = new WeakMap<OpenStack, Promise<Plan>>();
  let sessions = 0;

  /** Does work in a session with a folder of its own, which is left if it is to be. */
  async function use<T>(
    signal: AbortSignal,
    work: (engine: Engine, folder: string) => Promise<T>,
    { leave = false } = {},
  ): Promise<{ result: T; remove: () => Promise<void> }> {
    const place = join(folder, String(++sessions));
    const remove = () => rm(place, { recursive: true, force: true });
    try {
      await mkdir(place, { recursive: true });
      const done = await inSlot((slot) =>
        engines.use(slot, { folder: place, limits: own, seconds, signal }, async (engine) => {
          try {
            return { result: await work(engine, place) };
          } catch (error) {
            // What is wrong with a query is no reason to end the engine.
            if (!engine.isAlive()) throw error;
            return { error };
          }
        }),
      );
      if ("error" in done) throw done.error;
      if (!leave) await remove();
      return { result: done.result, remove };
    } catch (error) {
      await remove();
      throw error;
    }
  }

  async function planned(stack: OpenStack): Promise<Plan> {
    try {
      return (await use(stopping.signal, (engine) => planOf(stack, engine))).result;
    } catch (error) {
      // Who asks next may have more luck.
      plans.delete(stack);
      throw error;
    }
  }

  return {
    plan(stack) {
      const plan = plans.get(stack) ?? planned(stack);
      plans.set(stack, plan);
      return plan;
    },
    async run({ sql, limit, writes }, tableOf, signal) {
      const { result, remove } = await use(
        AbortSignal.any([signal, stopping.signal]),
        async (engine, place) => {
          const tables = [];
          for (const [index, source] of (await engine.sources(sql)).entries()) {
            const { files, columns } = await tableOf(source);
            const into = join(place, `table-${index}`);
            await mkdir(into);
            tables.push({ files: await bring(files, into), columns });
          }
          return engine.answer({ folder: place, sql, tables, limit, writes });
        },
        { leave: true },
      );
      return { ...result, done: remove };
    },
    async stop() {
      stopping.abort();
      await engines.stop();
    },
  };
}
