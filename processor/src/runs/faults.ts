import { EngineFailed } from "../engine/index.ts";
import { type Ending, TableChanged } from "../ledger/index.ts";
import { StoreFull, StoreUnreachable } from "../object-store/index.ts";
import { UnsupportedTable } from "../tables/delta/actions.ts";
import { SecretMissing } from "../sinks/faults.ts";

/** How a run ended, with the kind of fault for the log: unlike the error, it tells nothing of the file. */
export interface Ended extends Ending {
  fault?: "rows" | "stack" | "processor" | "attempts" | EngineFailed["fault"];
}

/**
 * Why an attempt broke off where another one may get further. `attempt`: what may be the run's own doing, so that it counts.
 * `environment`: a disk that is full or a store that is out of reach, which is waited for.
 */
export interface BrokenOff {
  fault: "attempt" | "environment";
  error: string;
}

export type Outcome = { ended: Ended } | { brokenOff: BrokenOff };

/** Thrown to end a run as something else than done. */
export class EndedEarly extends Error {
  readonly ending: Ended;
  constructor(state: "failed" | "quarantined", fault: Ended["fault"] & string, error: string) {
    super(error);
    this.ending = { state, fault, error };
  }
}

/** What becomes of a run whose work threw this. */
export function judge(error: unknown): Outcome {
  if (error instanceof EndedEarly) return { ended: error.ending };
  if (error instanceof EngineFailed)
    switch (error.fault) {
      case "unreadable":
        return { ended: { state: "quarantined", fault: error.fault, error: error.message } };
      case "refused":
      case "engine":
        return { ended: { state: "failed", fault: error.fault, error: error.message } };
      case "disk":
        return { brokenOff: { fault: "environment", error: noRoom } };
      case "memory":
      case "time":
      case "process":
      case "stopped":
        return { brokenOff: { fault: "attempt", error: error.message } };
    }
  if (error instanceof SecretMissing) return { brokenOff: { fault: "environment", error: error.message } };
  // Another program made a table one that cannot be read, or be written to.
  if (error instanceof UnsupportedTable) return { ended: { state: "failed", fault: "stack", error: error.message } };
  if (error instanceof TableChanged) return { brokenOff: { fault: "environment", error: writtenMeanwhile } };
  const environment = environmentOf(error);
  if (environment !== undefined) return { brokenOff: { fault: "environment", error: environment } };
  return { brokenOff: { fault: "attempt", error: "The processor failed, not the file; see its log." } };
}

const writtenMeanwhile =
  "Another program wrote to a table of the stack meanwhile; the run goes on with what is there now.";
const noRoom = "There is no room left on the disk; the run goes on when there is.";
const notWritable = "A store or the work folder cannot be written; the run goes on when it can.";
const outOfReach = "A store or the ledger is out of reach; the run goes on when it answers.";

/** Errors of the machine and its network, by their codes (https://nodejs.org/api/errors.html#common-system-errors). */
const codes: Record<string, string> = {
  ENOSPC: noRoom,
  EDQUOT: noRoom,
  EROFS: notWritable,
  EACCES: notWritable,
  EPERM: notWritable,
  EIO: outOfReach,
  EMFILE: outOfReach,
  ENFILE: outOfReach,
  ENODEV: outOfReach,
  ENXIO: outOfReach,
  ESTALE: outOfReach,
  EBUSY: outOfReach,
  EPIPE: outOfReach,
  ECONNREFUSED: outOfReach,
  ECONNRESET: outOfReach,
  ETIMEDOUT: outOfReach,
  EHOSTUNREACH: outOfReach,
  ENETUNREACH: outOfReach,
  ENOTFOUND: outOfReach,
  EAI_AGAIN: outOfReach,
  ERR_SQLITE_ERROR: outOfReach,
};

function environmentOf(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    // What to do is known to the store alone.
    if (cause instanceof StoreUnreachable || cause instanceof StoreFull)
      return `${cause.message} The run goes on then.`;
    if ("code" in cause && typeof cause.code === "string" && codes[cause.code] !== undefined) return codes[cause.code];
  }
  return undefined;
}

/** How often and when a run is tried again. */
export interface RetryOptions {
  /** Attempts that count. */
  attempts: number;
  /** First and longest wait in milliseconds; it doubles in between. */
  firstMs: number;
  longestMs: number;
  /** A number from 0 to 1. */
  random: () => number;
}

export const usualRetry: RetryOptions = { attempts: 5, firstMs: 1000, longestMs: 60_000, random: Math.random };

/**
 * Milliseconds until a run is tried again after its `nth` attempt: exponential, with full jitter, so that what broke off
 * together does not come back together (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 */
export const backoffMs = ({ firstMs, longestMs, random }: RetryOptions, nth: number): number =>
  Math.ceil(random() * Math.min(longestMs, firstMs * 2 ** Math.max(0, nth - 1)));
