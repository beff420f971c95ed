import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import type { EngineLimits } from "../engine/duckdb.ts";
import type { Engine } from "../engine/index.ts";
import { keepEngines } from "../engine/warm.ts";
import { printed } from "../log/index.ts";
import { type Plan, planOf } from "../runs/plan.ts";
import type { OpenStack } from "../runs/stack.ts";

/** Asks engines of its own what no run needs to know. */
export interface Queries {
  /** How a stack's tables depend on each other. */
  plan(stack: OpenStack): Promise<Plan>;
  stop(): Promise<void>;
}

export interface QueriesOptions {
  /** Each piece of work has a folder in here while it lasts. */
  folder: string;
  limits: EngineLimits;
  log: Logger;
  onEvent?: (event: "started" | "crashed") => void;
}

/** Time to read a stack's SQL in. */
const PLAN_SECONDS = 30;

export function openQueries({ folder, limits, log, onEvent }: QueriesOptions): Queries {
  const engines = keepEngines({
    log: (line) => log.warn({ line: printed(line) }, "engine"),
    ...(onEvent !== undefined && { onEvent }),
  });
  const stopping = new AbortController();
  const plans = new WeakMap<OpenStack, Promise<Plan>>();
  let sessions = 0;

  /** Does work in a session of its own, whose folder is gone after it. */
  async function use<T>(seconds: number, work: (engine: Engine, folder: string) => Promise<T>): Promise<T> {
    const own = join(folder, String(++sessions));
    const session = { folder: own, limits, seconds, signal: stopping.signal };
    try {
      return await engines.use("queries", session, (engine) => work(engine, own));
    } finally {
      await rm(own, { recursive: true, force: true });
    }
  }

  async function planned(stack: OpenStack): Promise<Plan> {
    try {
      return await use(PLAN_SECONDS, (engine) => planOf(stack, engine));
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
    async stop() {
      stopping.abort();
      await engines.stop();
    },
  };
}
