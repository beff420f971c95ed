import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import { takesName } from "../formats/names.ts";
import type { Ledger } from "../ledger/index.ts";
import type { Metrics } from "../metrics/index.ts";
import type { ObjectHead } from "../object-store/index.ts";
import type { OpenStack } from "../runs/stack.ts";

export interface MonitorOptions {
  stack: OpenStack;
  /** Time between the end of a scan and the beginning of the next. */
  intervalSeconds: number;
  ledger: Pick<Ledger, "claim" | "isClaimed" | "loose">;
  metrics: Pick<Metrics, "received" | "ignored">;
  log: Logger;
  /** The time of day in ms. */
  now?: () => number;
}

/** Lists a stack's input store again and again, and claims what others put there. */
export interface Monitor {
  /** Ends the scan that runs. */
  stop(): Promise<void>;
}

/** What Cais keeps in an input store beside the files it received. */
const OWN = /^(archive|corrections)\//;

/**
 * Starts the monitor of a stack. It takes an object when its version is older than the interval, or was the same one
 * scan before: a file that is copied into a folder can be seen before it is whole. The listing of a store in which nothing
 * changed is all that a scan costs.
 */
export function startMonitor({ stack, intervalSeconds, ledger, metrics, ...options }: MonitorOptions): Monitor {
  const { log: parent, now = Date.now } = options;
  const { input } = stack;
  const { name: stackName, source } = stack.config.stack;
  const log = parent.child({ stack: stackName });
  const stopping = new AbortController();
  const { signal } = stopping;
  /** Versions with which there is nothing to do any more, and those that may still be written, by key. */
  let settled = new Map<string, string>();
  let fresh = new Map<string, string>();

  /** Never rejects. */
  async function run(): Promise<void> {
    while (!signal.aborted) {
      try {
        await scan();
      } catch (error) {
        if (!signal.aborted) log.error({ err: error }, "the input store cannot be listed; it is tried again");
      }
      await pause(intervalSeconds * 1000, undefined, { signal }).catch(endedBy(signal));
    }
  }

  async function scan(): Promise<void> {
    const seen = { settled: new Map<string, string>(), fresh: new Map<string, string>() };
    for await (const object of input.list("")) {
      if (signal.aborted) return;
      const { key, version } = object;
      if (OWN.test(key)) continue;
      if (settled.get(key) === version || (await isSettled(object, seen.fresh))) seen.settled.set(key, version);
    }
    // What was deleted meanwhile is forgotten with this.
    ({ settled, fresh } = seen);
  }

  async function isSettled(object: ObjectHead, young: Map<string, string>): Promise<boolean> {
    const { key, version, bytes, modifiedAt } = object;
    const problem = problemOf(object);
    if (problem !== undefined) {
      metrics.ignored(stackName);
      log.warn({ bytes }, `an object in the input store is left alone: ${problem}`);
      return true;
    }
    try {
      if (await ledger.isClaimed({ store: input.id, key, version })) return true;
      const age = now() - modifiedAt.getTime();
      // A time to come is of a clock that was set.
      if (fresh.get(key) !== version && age < intervalSeconds * 1000) {
        young.set(key, version);
        return false;
      }
      return await take(object);
    } catch (error) {
      if (!signal.aborted) log.error({ err: error }, "an object of the input store cannot be taken; it is tried again");
      return false;
    }
  }

  function problemOf({ key, bytes }: ObjectHead): string | undefined {
    const { formats, maxBytes } = source.upload;
    if (!takesName(formats, nameOf(key))) return "its name has none of the endings that the stack takes";
    return bytes > maxBytes ? "it is larger than the stack's maxBytes" : undefined;
  }

  async function take({ key, version }: ObjectHead): Promise<boolean> {
    // An upload notes its key before the object can be listed, and forgets it with its claim.
    const loose = await ledger.loose.all({ stack: stackName, role: "input", key });
    if (loose.some((object) => object.version === undefined || object.version === version)) return false;
    const body = await input.get(key);
    if (body === undefined) return false;
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const chunk of body) {
      if (signal.aborted) return false;
      hash.update(chunk);
      bytes += chunk.length;
    }
    // What was read may be of another version, which the next scan finds.
    if ((await input.head(key))?.version !== version) return false;
    const sha256 = hash.digest("hex");
    const object = { stack: stackName, store: input.id, key, version, name: nameOf(key), bytes, sha256 };
    const { run, created } = await ledger.claim(object, { kept: true });
    if (created) metrics.received(stackName, bytes);
    log.info({ run: run.id, bytes, created }, "object claimed");
    return true;
  }

  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

const nameOf = (key: string) => key.slice(key.lastIndexOf("/") + 1);

/** Passes an error on unless it is that of the signal. */
const endedBy = (signal: AbortSignal) => (error: unknown) => {
  if (!signal.aborted) throw error;
};
