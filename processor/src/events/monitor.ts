import { setImmediate as breathe, setTimeout as pause } from "node:timers/promises";
import type { EventsBinding } from "@cais/spec/bindings.ts";
import type { Logger } from "pino";
import type { Ledger } from "../ledger/index.ts";
import type { FullScan } from "@cais/spec/api.ts";
import type { Metrics } from "../metrics/index.ts";
import type { ObjectHead } from "../object-store/index.ts";
import type { OpenStack } from "../runs/stack.ts";
import { announced } from "./announced.ts";
import { foldersOfDays } from "./days.ts";
import { type Mark, markOf, seen, type Seen } from "./seen.ts";
import { problemOf, takeAll } from "./take.ts";

export interface MonitorOptions {
  stack: OpenStack;
  events: Exclude<EventsBinding, { driver: "in-process" }>;
  ledger: Pick<Ledger, "claim" | "isClaimed" | "loose">;
  metrics: Pick<Metrics, "received" | "ignored" | "fullScan">;
  log: Logger;
  /** The time of day in ms. */
  now?: () => number;
}

/** Finds what others put into a stack's input store, and claims it. */
export interface Monitor {
  /**
   * Looks at an object soon: someone told of it. Nothing that they say is believed, and an object that is known is left
   * as it is. Where too many wait already, the next full scan comes early instead.
   */
  announce(key: string): void;
  /** What the last full scan found; undefined before the first has ended. */
  fullScan(): FullScan | undefined;
  /** Ends the scan that runs. */
  stop(): Promise<void>;
}

/** Objects that may still be written: version by key. */
type Young = ReadonlyMap<string, string>;

/** What a look gives to the next one of the same kind. */
interface Looked {
  young: Young;
  /** Until then. */
  pauseMs: number;
}

/** What Cais keeps in an input store beside the files it received. */
const OWN = /^(archive|corrections|\.cais-segments)\//;
/** Objects that are put in the order of their times, and between which others get their turn. */
const BATCH = 1000;
/** Unless told otherwise, full scans take a tenth of the time at most. */
const SHARE = 10;
/** Announcements that wait, and that are looked at together. */
const WAITING = 10_000;
const TOGETHER = 100;
/** Longest pause before an announced object that could not be taken is tried again, and how often that is done. */
const RETRY_MS = 60_000;
const TRIES = 30;
/** Node takes a longer pause for none at all: https://nodejs.org/api/timers.html#settimeoutcallback-delay-args */
const LONGEST_MS = 2 ** 31 - 1;
/** How old a file in a folder must be that was not seen before, unless an interval says so. */
const YOUNG_SECONDS = 5;

/**
 * Starts the monitor of a stack. Folders of these days are listed at each interval, which stays cheap however much lies in
 * others; a full scan beside it finds the rest: what came late, was renamed, or of which nobody told. An object is known
 * by its key and version, so an overwritten one is found as well. In a folder of the file system an object is taken when
 * it is older than the interval, or was the same one look before: a file that is copied there can be seen before it is whole.
 */
export function startMonitor({ stack, events, ledger, metrics, log: parent, now = Date.now }: MonitorOptions): Monitor {
  const { input } = stack;
  const { name } = stack.config.stack;
  const log = parent.child({ stack: name });
  const stopping = new AbortController();
  const { signal } = stopping;
  const grows = stack.config.stores.input.driver === "fs";
  const intervalMs = (events.driver === "monitor" ? events.intervalSeconds : YOUNG_SECONDS) * 1000;
  const waiting = announced(WAITING);
  /** Versions with which there is nothing to do any more, and those that the full scan under way found to be so. */
  let settled = seen();
  let found: Seen | undefined;
  /** What the full scan before took. */
  let lastMs = Number.POSITIVE_INFINITY;
  /** When the next one is due, by `performance.now()`, and the pause before one that comes early. */
  let due = 0;
  let restMs = intervalMs;
  let lastScan: FullScan | undefined;
  /** Whether someone told of objects that only a full scan finds. */
  let isMissed = false;
  /** How often announced objects could not be taken that are tried again. */
  const tries = new Map<string, number>();
  /** Keys that are being read: an announcement and a scan may meet. */
  const taking = new Set<string>();

  function settle(mark: Mark): void {
    settled.add(mark);
    found?.add(mark);
  }

  /** Claims what is new among objects. Gives how many there were and are never taken, and what may still be written: key and version. */
  async function look(objects: AsyncIterable<ObjectHead>, before: Young) {
    const young = new Map<string, string>();
    let fresh: ObjectHead[] = [];
    let count = 0;
    let ignored = 0;
    for await (const object of objects) {
      if (signal.aborted) break;
      if (OWN.test(object.key)) continue;
      if (++count % BATCH === 0) await breathe();
      const problem = problemOf(stack, object);
      if (problem !== undefined) {
        ignored++;
        ignore(object, problem);
        continue;
      }
      if (!(await isNew(object))) continue;
      const age = now() - object.modifiedAt.getTime();
      // A time to come is of a clock that was set.
      if (grows && before.get(object.key) !== object.version && age < intervalMs) young.set(object.key, object.version);
      else if (fresh.push(object) === BATCH) {
        await take(fresh);
        fresh = [];
      }
    }
    await take(fresh);
    return { young, count, ignored };
  }

  /** Tells once of what is never taken. */
  function ignore(object: Pick<ObjectHead, "key" | "version"> & { bytes?: number }, problem: string): void {
    const mark = markOf(object);
    if (!settled.has(mark)) {
      metrics.ignored(name);
      log.warn({ bytes: object.bytes }, `an object in the input store is left alone: ${problem}`);
    }
    settle(mark);
  }

  async function isNew(object: ObjectHead): Promise<boolean> {
    const mark = markOf(object);
    if (settled.has(mark)) {
      found?.add(mark);
      return false;
    }
    if (!(await ledger.isClaimed({ store: input.id, key: object.key, version: object.version }))) return true;
    settle(mark);
    return false;
  }

  /** Gives those of which nothing is left to do. */
  async function take(objects: ObjectHead[]): Promise<ObjectHead[]> {
    // What was new when it was listed may have been taken since: both looks list some folders.
    const { known = [], left = [] } = Object.groupBy(objects, (object) =>
      settled.has(markOf(object)) ? "known" : "left",
    );
    for (const object of known) settle(markOf(object));
    const mine = left.filter(({ key }) => !taking.has(key));
    for (const { key } of mine) taking.add(key);
    try {
      const taken = await takeAll(mine, { stack, ledger, metrics, log, signal });
      for (const object of taken) settle(markOf(object));
      return [...known, ...taken];
    } finally {
      for (const { key } of mine) taking.delete(key);
    }
  }

  /** Lists all there is, if it is due or something was missed. */
  async function scanAll(before: Young): Promise<Looked> {
    const started = performance.now();
    if (started < due && !isMissed) return { young: before, pauseMs: Math.min(restMs, due - started) };
    let missed = isMissed;
    isMissed = false;
    const marks = (found = seen());
    try {
      let foreign = 0;
      const onOther = (key: string) => {
        foreign++;
        ignore({ key, version: "" }, "its name is no key, or it is a link");
      };
      const { young, count, ignored } = await look(input.list("", onOther), before);
      if (signal.aborted) return { young, pauseMs: 0 };
      // What was deleted meanwhile is forgotten with this.
      settled = marks;
      const tookMs = performance.now() - started;
      // One that met an outage says nothing of the next.
      const usualMs = Math.min(tookMs, lastMs);
      lastMs = tookMs;
      metrics.fullScan(name, tookMs / 1000, count);
      const finishedAt = new Date(now()).toISOString();
      lastScan = { finishedAt, seconds: tookMs / 1000, objects: count + foreign, ignored: ignored + foreign };
      log[tookMs > intervalMs ? "info" : "debug"]({ objects: count, seconds: tookMs / 1000 }, "input store scanned");
      missed &&= young.size > 0;
      restMs = Math.max(intervalMs, SHARE * usualMs);
      const givenMs = events.fullScanSeconds === undefined ? restMs : events.fullScanSeconds * 1000;
      due = performance.now() + givenMs;
      return { young, pauseMs: Math.min(restMs, givenMs) };
    } finally {
      found = undefined;
      isMissed ||= missed;
    }
  }

  async function* ofDays(): AsyncIterable<ObjectHead> {
    for (const folder of foldersOfDays(now())) yield* input.list(folder);
  }

  /** Does work again and again, with the pause that it asks for. Never rejects. */
  async function repeat(work: (before: Young) => Promise<Looked>): Promise<void> {
    let young: Young = new Map();
    while (!signal.aborted) {
      let pauseMs = intervalMs;
      try {
        ({ young, pauseMs } = await work(young));
      } catch (error) {
        if (!signal.aborted) log.error({ err: error }, "the input store cannot be looked through; it is tried again");
      }
      await pause(Math.min(LONGEST_MS, pauseMs), undefined, { signal }).catch(endedBy(signal));
    }
  }

  /** Looks at what was announced. Never rejects. */
  async function listen(): Promise<void> {
    while (!signal.aborted) {
      const keys = (await waiting.next(TOGETHER, signal).catch(endedBy(signal))) ?? [];
      const again = new Set(await lookAt(keys));
      for (const key of keys)
        if (again.has(key)) later(key);
        else tries.delete(key);
    }
  }

  /** Has an announced object looked at again after a while. */
  function later(key: string): void {
    const count = (tries.get(key) ?? 0) + 1;
    tries.set(key, count);
    if (count > TRIES) {
      tries.delete(key);
      log.warn({ tries: TRIES }, "an announced object cannot be taken; it is left to the next full scan");
    } else
      pause(Math.min(RETRY_MS, 1000 * 2 ** count), undefined, { signal, ref: false }).then(
        () => void waiting.add(key),
        endedBy(signal),
      );
  }

  /** Gives the keys that are to be looked at again. */
  async function lookAt(keys: string[]): Promise<string[]> {
    const again = new Set(keys);
    const fresh: ObjectHead[] = [];
    const problems: unknown[] = [];
    for (const key of keys)
      try {
        const object = OWN.test(key) ? undefined : await input.head(key);
        const problem = object && problemOf(stack, object);
        if (object !== undefined && problem !== undefined) ignore(object, problem);
        if (object !== undefined && problem === undefined && (await isNew(object))) fresh.push(object);
        else again.delete(key);
      } catch (error) {
        problems.push(error);
      }
    if (problems.length > 0 && !signal.aborted)
      log.error(
        { err: problems[0], objects: problems.length },
        "announced objects cannot be looked at; it is tried again",
      );
    for (const { key } of await take(fresh)) again.delete(key);
    return [...again];
  }

  const loops = [repeat(scanAll), listen()];
  if (events.driver === "monitor")
    loops.push(repeat(async (young) => ({ ...(await look(ofDays(), young)), pauseMs: intervalMs })));
  return {
    announce(key) {
      if (tries.size >= WAITING || !waiting.add(key)) isMissed = true;
    },
    fullScan: () => lastScan,
    async stop() {
      stopping.abort();
      await Promise.all(loops);
    },
  };
}

/** Passes an error on unless it is that of the signal. */
const endedBy = (signal: AbortSignal) => (error: unknown) => {
  if (!signal.aborted) throw error;
};
