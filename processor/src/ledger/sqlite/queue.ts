import { z } from "zod";
import type { Ledger } from "../index.ts";
import type { Connection } from "./connection.ts";
import type { Reads } from "./read.ts";

interface Parts {
  connection: Connection;
  reads: Reads;
  now: () => Date;
  monotonic: () => number;
  queued: () => void;
}

const CUT_OFF = "The processor stopped in the middle of the attempt.";

const Leased = z.object({ id: z.string(), worker: z.string(), beat: z.number(), lease_seconds: z.number() });

const Candidate = z.object({ id: z.string(), stack: z.string(), batchable: z.number(), bytes: z.number() });

/** Queued, and its retry time has come. A clock that shows an earlier time than when that was said has been set back. */
const DUE = "r.state = 'queued' AND (r.retry_at IS NULL OR r.retry_at <= :now OR r.retry_said_at > :now)";

/** Runs of whole files that were never tried. */
const CANDIDATE = `r.id, r.stack, s.bytes, r.kind IN ('load', 'rerun') AND r.attempts = 0 AND r.committed_at IS NULL AS batchable
  FROM runs r JOIN sources s ON s.root = r.root`;

/** A queue may be long and of one stack, so each stack costs one step into an index, whatever it has waiting. */
const OLDEST = `
  WITH RECURSIVE waiting (stack) AS (
    SELECT min(stack) FROM runs INDEXED BY runs_in_queue WHERE state = 'queued'
    UNION ALL
    SELECT (SELECT min(stack) FROM runs INDEXED BY runs_in_queue WHERE state = 'queued' AND stack > waiting.stack) FROM waiting
    WHERE waiting.stack IS NOT NULL
  ), heads (number) AS (
    SELECT (SELECT r.number FROM runs r WHERE ${DUE} AND r.stack = waiting.stack ORDER BY r.number LIMIT 1) FROM waiting
    WHERE waiting.stack IS NOT NULL AND waiting.stack NOT IN (SELECT value FROM json_each(:busy))
      AND waiting.stack NOT IN (SELECT stack FROM runs WHERE state = 'running')
  )
  SELECT ${CANDIDATE} WHERE r.number = (SELECT min(number) FROM heads)`;

const back = (set: string) => `UPDATE runs SET state = 'queued', worker = NULL, ${set} WHERE state = 'running' AND`;

/** Queues what a process that had the ledger before left running. Its lock is gone, so it is, too. */
export const releaseLeft = ({ sql, write }: Connection) => write(() => sql(`${back("error = ?")} true`).run(CUT_OFF));

/** How workers take runs from the queue and put them back. */
export function queue({
  connection: { sql, write },
  reads: { taken },
  now,
  monotonic,
  queued,
}: Parts): Pick<Ledger, "next" | "nextAt" | "renew" | "releaseAll" | "retry" | "putBack"> {
  /**
   * Leases of other workers as they were seen first. One runs out when it stayed the same for its time on the clock of
   * this process: neither that of another machine nor one that is set can end it.
   */
  const watched = new Map<string, { worker: string; beat: number; until: number }>();
  /** The time that `next` went by last: what fell due after it was not looked at. */
  let asked: string | undefined;

  function takeExpired(worker: string): void {
    const leased = sql("SELECT id, worker, beat, lease_seconds FROM runs WHERE state = 'running'")
      .all()
      .map((row) => Leased.parse(row))
      .filter((lease) => lease.worker !== worker);
    const ids = new Set(leased.map(({ id }) => id));
    for (const id of watched.keys()) if (!ids.has(id)) watched.delete(id);
    for (const lease of leased) {
      const seen = watched.get(lease.id);
      if (seen === undefined || seen.worker !== lease.worker || seen.beat !== lease.beat)
        watched.set(lease.id, { ...lease, until: monotonic() + lease.lease_seconds * 1000 });
      else if (seen.until <= monotonic()) sql(`${back("error = ?")} id = ?`).run(CUT_OFF, lease.id);
    }
  }

  function take(id: string, worker: string, leaseSeconds: number): void {
    sql(
      `UPDATE runs SET state = 'running', attempts = attempts + 1, worker = ?, lease_seconds = ?, beat = beat + 1,
         retry_at = NULL, retry_said_at = NULL, started_at = coalesce(started_at, ?)
       WHERE id = ?`,
    ).run(worker, leaseSeconds, now().toISOString(), id);
    // The steps shown are those of the attempt that counts; what is committed stays.
    sql(
      `DELETE FROM steps
       WHERE run = ?1 AND (name LIKE 'sinks/%' OR (SELECT committed_at FROM runs WHERE id = ?1) IS NULL)`,
    ).run(id);
  }

  return {
    next: (worker, { busyStacks, leaseSeconds, batch = { runs: 1, bytes: 0 } }) =>
      write(() => {
        takeExpired(worker);
        const time = (asked = now().toISOString());
        const oldest = sql(OLDEST).get({ now: time, busy: JSON.stringify(busyStacks) });
        if (oldest === undefined) return [];
        const first = Candidate.parse(oldest);
        const ids = [first.id];
        if (first.batchable === 1 && batch.runs > 1 && first.bytes < batch.bytes) {
          let { bytes } = first;
          const rows = sql(
            `SELECT ${CANDIDATE} WHERE ${DUE} AND r.stack = :stack ORDER BY r.number LIMIT 1, :limit`,
          ).all({ now: time, stack: first.stack, limit: batch.runs - 1 });
          for (const follower of rows.map((row) => Candidate.parse(row))) {
            bytes += follower.bytes;
            // They stay in order: none is taken before one that goes alone.
            if (follower.batchable === 0 || bytes > batch.bytes) break;
            ids.push(follower.id);
          }
        }
        for (const id of ids) take(id, worker, leaseSeconds);
        return ids.map((id) => taken(id));
      }),

    async nextAt() {
      const time = now();
      const retry = sql(
        "SELECT min(retry_at) AS at FROM runs INDEXED BY runs_to_retry WHERE state = 'queued' AND retry_at IS NOT NULL AND retry_at > ?",
      ).get(asked ?? time.toISOString())?.["at"];
      const times = [...watched.values()].map(({ until }) => time.getTime() + Math.max(0, until - monotonic()));
      if (typeof retry === "string") times.push(Date.parse(retry));
      return times.length === 0 ? undefined : new Date(Math.min(...times));
    },

    renew: (worker, leaseSeconds) =>
      write(() =>
        sql(
          "UPDATE runs SET beat = beat + 1, lease_seconds = ? WHERE state = 'running' AND worker = ? RETURNING id, number",
        )
          .all(leaseSeconds, worker)
          .toSorted((a, b) => Number(a["number"]) - Number(b["number"]))
          .map(({ id }) => String(id)),
      ),
    async releaseAll(worker) {
      const { changes } = await write(() => sql(`${back("error = ?")} worker = ?`).run(CUT_OFF, worker));
      if (changes > 0) queued();
    },
    async retry(id, { at, error, counts = true }) {
      await write(() =>
        sql(`${back("retry_at = ?, retry_said_at = ?, error = ?, attempts = attempts - ?")} id = ?`).run(
          at.toISOString(),
          now().toISOString(),
          error,
          counts ? 0 : 1,
          id,
        ),
      );
      queued();
    },
    async putBack(ids) {
      await write(() =>
        sql(`${back("attempts = attempts - 1")} id IN (SELECT value FROM json_each(?))`).run(JSON.stringify(ids)),
      );
      queued();
    },
  };
}
