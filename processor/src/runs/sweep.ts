import type { Logger } from "pino";
import type { Ledger } from "../ledger/index.ts";
import type { Publisher } from "../tables/publisher.ts";
import type { OpenStack } from "./stack.ts";

/**
 * Deletes what is loose in a stack's lake: replaced files, and what a failed run or a crash left behind. Only while no one
 * writes there: before the next run of the stack. Throws LedgerBehind while a table's log is ahead of the ledger: what is
 * loose to a ledger of before may be in its tables since, and is taken off them by their rewinding alone.
 */
export async function sweepLake(
  ledger: Pick<Ledger, "loose">,
  publisher: Pick<Publisher, "check">,
  { config, lake }: Pick<OpenStack, "config" | "lake">,
): Promise<void> {
  const { name } = config.stack;
  const loose = (await ledger.loose.all()).filter(({ stack, role }) => stack === name && role === "lake");
  if (loose.length === 0) return;
  await publisher.check(name);
  for (const object of loose) {
    await lake.delete(object.key);
    await ledger.loose.forget(object);
  }
}

/** Sweeps a lake, and leaves what cannot be deleted now to the next sweep. Never rejects. */
export async function sweepIfPossible(
  ledger: Pick<Ledger, "loose">,
  publisher: Pick<Publisher, "check">,
  stack: Pick<OpenStack, "config" | "lake">,
  log: Logger,
): Promise<void> {
  try {
    await sweepLake(ledger, publisher, stack);
  } catch (error) {
    log.warn(
      { err: error, stack: stack.config.stack.name },
      "files that are no longer needed are left for the next sweep",
    );
  }
}
