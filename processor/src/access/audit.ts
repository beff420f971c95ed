import { type FileHandle, open } from "node:fs/promises";
import type { DatabaseSync } from "node:sqlite";
import { type Audit, AuditEntry } from "@cais/spec/access.ts";
import { transaction } from "../sqlite/transaction.ts";
import { tryToWrite } from "./database.ts";

export type NewEntry = Omit<AuditEntry, "id" | "at" | "times">;

/** Who did what on what, when, from where, and with which outcome. No secret, and nothing of what a file holds. */
export interface AuditLog {
  /**
   * Adds an entry. When the promise resolves the entry is in the operating system's hands and outlives the process; it is
   * on the disk within a second. The same refusal within a minute is counted, not added.
   */
  note(entry: NewEntry): Promise<void>;
  /** Newest first; `before` is an entry's id. */
  page(filter: { since?: string; before?: number; limit: number }): Audit;
  /** Throws if entries could not be written and still cannot be. */
  check(): void;
  /** Resolves when everything is on the disk. */
  close(): Promise<void>;
}

export interface AuditOptions {
  now: () => Date;
  /** How long an entry is kept. */
  days: number;
  /** How many changes are kept at most, and how many refusals. */
  entries: { changes: number; refusals: number };
  /** Hears what goes wrong after the promises are settled. */
  onError: (error: unknown) => void;
}

const DAY_MS = 86_400_000;
const FLUSH_MS = 1000;
const PRUNE_MS = 3_600_000;
/** The same refusal within this time is one entry: who knocks again and again must not push others' entries out. */
const SAME_MS = 60_000;
const MOST_SAME = 10_000;

/** A status by which a request is refused for who asks, or how often. */
export const isRefusal = (status: number) => status === 401 || status === 403 || status === 429;

export function openAudit(database: DatabaseSync, file: string, options: AuditOptions): AuditLog {
  const { now, days, entries, onError } = options;
  const insert = database.prepare(
    `INSERT INTO audit (at, by, token, "from", what, stack, "on", status, problem, times, refused)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?)`,
  );
  const again = database.prepare("UPDATE audit SET times = times + 1 WHERE id = ?");
  let waiting: { entry: NewEntry; resolve: () => void; reject: (error: unknown) => void }[] = [];
  const recent = new Map<string, { id: number; until: number }>();
  let added = 0;
  let isFailing = false;

  function add(entry: NewEntry): void {
    const { by, token, from, what, stack, on, status, problem } = entry;
    const refused = isRefusal(status);
    const key = refused ? JSON.stringify([by, token, from, what, stack, on, status, problem]) : undefined;
    const same = key === undefined ? undefined : recent.get(key);
    if (same !== undefined && performance.now() < same.until) {
      again.run(same.id);
      return;
    }
    const at = now().toISOString();
    const { lastInsertRowid } = insert.run(at, by, token, from, what, stack, on, status, problem, Number(refused));
    added++;
    if (key === undefined) return;
    recent.delete(key);
    recent.set(key, { id: Number(lastInsertRowid), until: performance.now() + SAME_MS });
    const [oldest] = recent.keys();
    if (recent.size > MOST_SAME && oldest !== undefined) recent.delete(oldest);
  }

  /** One transaction for all that came in the same turn of the event loop. */
  function write(): void {
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) return;
    try {
      transaction(database, () => batch.forEach(({ entry }) => add(entry)));
      for (const { resolve } of batch) resolve();
      dirty = true;
      isFailing = false;
    } catch (error) {
      isFailing = true;
      // Their rows were rolled back, so nothing may be counted there.
      recent.clear();
      for (const { reject } of batch) reject(error);
    }
    if (added >= Math.max(1000, entries.changes / 100)) pruneIfPossible();
  }

  function prune(): void {
    added = 0;
    recent.clear();
    transaction(database, () => {
      const oldest = new Date(now().getTime() - days * DAY_MS).toISOString();
      database.prepare("DELETE FROM audit WHERE at < ?").run(oldest);
      const beyond = database.prepare(
        `DELETE FROM audit WHERE refused = ?1 AND id <=
           (SELECT id FROM audit WHERE refused = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)`,
      );
      beyond.run(0, entries.changes);
      beyond.run(1, entries.refusals);
    });
  }

  /** Nobody waits for it, and a full disk is no reason to end. */
  function pruneIfPossible(): void {
    try {
      prune();
    } catch (error) {
      onError(error);
    }
  }

  // SQLite would wait for the disk at every commit, and the whole process with it. The WAL holds what is not in the file
  // yet, so syncing it from a thread of its own does the same. It holds no locks that closing it could end.
  let dirty = false;
  let wal: FileHandle | undefined;
  let flushing: Promise<void> = Promise.resolve();
  async function flush(): Promise<void> {
    if (!dirty) return;
    dirty = false;
    try {
      wal ??= await open(`${file}-wal`, "r+");
      await wal.datasync();
    } catch (error) {
      dirty = true;
      isFailing = true;
      onError(error);
    }
  }
  const flushed = () => (flushing = flushing.then(flush));
  const timers = [setInterval(flushed, FLUSH_MS), setInterval(pruneIfPossible, PRUNE_MS)];
  for (const timer of timers) timer.unref();
  prune();

  return {
    note(entry) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      if (waiting.length === 0) setImmediate(write);
      waiting.push({ entry, resolve, reject });
      return promise;
    },
    page({ since, before, limit }) {
      const found = database
        .prepare(
          `SELECT id, at, by, token, "from", what, stack, "on", status, problem, times FROM audit
           WHERE at >= ? AND id < ? ORDER BY id DESC LIMIT ?`,
        )
        .all(since ?? "", before ?? Number.MAX_SAFE_INTEGER, limit + 1)
        .map((row) => AuditEntry.parse(row));
      const page = found.slice(0, limit);
      return { entries: page, next: found.length > limit ? (page.at(-1)?.id ?? null) : null };
    },
    check() {
      if (!isFailing) return;
      tryToWrite(database);
      // What a flush could not bring to the disk it brings there with this.
      dirty = true;
      isFailing = false;
    },
    async close() {
      for (const timer of timers) clearInterval(timer);
      write();
      await flushed();
      await wal?.close();
    },
  };
}
