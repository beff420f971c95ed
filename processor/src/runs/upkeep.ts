import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { EngineLimits } from "../engine/duckdb.ts";
import type { Engines } from "../engine/warm.ts";
import type { UnusedFile } from "../tables/delta/vacuum.ts";
import { type InEngine, type MaintenanceOptions, startMaintenance } from "../tables/maintenance.ts";
import type { Optimized } from "../tables/optimize.ts";
import type { Publisher } from "../tables/publisher.ts";
import type { Rewound } from "../tables/rewind.ts";
import type { OpenStack } from "./stack.ts";

/** What is done with a stack's tables when somebody asks for it: between its runs. */
export interface Upkeep {
  /** Puts a table's small files together. Throws if the stack is not deployed here. */
  optimize(stack: string, table: string): Promise<Optimized>;
  /** Deletes files that no kept version of a table needs, or tells them with `dryRun`. */
  vacuum(stack: string, table: string, options: { dryRun: boolean }): Promise<UnusedFile[]>;
  /** Takes off a table's log what is newer than the ledger. Throws NotRewound. */
  rewind(stack: string, table: string): Promise<Rewound>;
  /**
   * Throws LedgerBehind while the log of any table is ahead of the ledger, which then does not know what is needed, and what
   * a lake throws if that cannot be said.
   */
  checkLedger(): Promise<void>;
}

export interface UpkeepOptions extends MaintenanceOptions {
  stacks: ReadonlyMap<string, OpenStack>;
  engines: Engines;
  folder: string;
  limits: EngineLimits;
  seconds: number;
  /** Does work while no run of the stack is done. */
  alone: <T>(stack: string, work: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  publisher: MaintenanceOptions["publisher"] & Pick<Publisher, "check">;
}

/** Looks after tables in the engines of their stacks. `afterRuns` is for who has the stack for itself, and never rejects. */
export function startUpkeep({
  stacks,
  engines,
  folder,
  limits,
  seconds,
  alone,
  publisher,
  ...options
}: UpkeepOptions): {
  afterRuns(stack: OpenStack, signal: AbortSignal): Promise<void>;
  upkeep: Upkeep;
} {
  const maintenance = startMaintenance({ ...options, publisher });

  const inEngine =
    (stack: string, signal: AbortSignal): InEngine =>
    async (work) => {
      const own = join(folder, `upkeep-${stack}`);
      await mkdir(own, { recursive: true, mode: 0o700 });
      try {
        return await engines.use(stack, { folder: own, limits, seconds, signal }, (engine) => work(engine, own));
      } finally {
        await rm(own, { recursive: true, force: true });
      }
    };

  function stackOf(name: string): OpenStack {
    const stack = stacks.get(name);
    if (stack === undefined) throw new Error(`The stack "${name}" is not deployed here.`);
    return stack;
  }

  return {
    afterRuns: (stack, signal) => maintenance.afterRuns(stack, inEngine(stack.config.stack.name, signal), signal),
    upkeep: {
      optimize: async (name, table) => {
        const stack = stackOf(name);
        return alone(name, (signal) => maintenance.optimize(stack, table, inEngine(name, signal)));
      },
      vacuum: async (name, table, options) => {
        const stack = stackOf(name);
        return alone(name, () => maintenance.vacuum(stack, table, options));
      },
      rewind: async (name, table) => {
        const stack = stackOf(name);
        return alone(name, () => maintenance.rewind(stack, table));
      },
      async checkLedger() {
        for (const stack of stacks.keys()) await publisher.check(stack);
      },
    },
  };
}
