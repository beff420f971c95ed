import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { DeliveryDelayed } from "../faults.ts";

/**
 * The limits of push datasets, which are counted per dataset, not per table or caller
 * (https://learn.microsoft.com/en-us/power-bi/developer/embedded/push-datasets-limitations).
 */
export const limits = {
  rowsAPost: 10_000,
  rowsAnHour: 1_000_000,
  postsAMinute: 120,
  /** From this many rows in a table on, `postsAnHour` counts instead. */
  largeTable: 250_000,
  postsAnHour: 120,
  pending: 5,
  columns: 75,
  rowsATable: 5_000_000,
  characters: 4_000,
};

const MINUTE = 60_000;
const HOUR = 3_600_000;

/** What was sent to a dataset. Times are milliseconds since 1970. */
const Sent = z.object({
  /** POSTs of the last hour, by when each was over. */
  posts: z.array(z.object({ at: z.number(), rows: z.number() })),
  /** Rows in each table, as far as they came from here. */
  tables: z.record(z.string(), z.number()),
  /** Nothing is sent before, as Power BI asked. */
  notBefore: z.number(),
  refreshedAt: z.number().nullable(),
});
type Sent = z.output<typeof Sent>;

/** Keeps the limits of one dataset. It never waits: who is too early is told how long to. */
export interface Limiter {
  /** Where its counts are kept. */
  readonly file: string;
  /**
   * Does a POST of rows and counts it, whatever becomes of it. Throws `DeliveryDelayed`, which counts as no attempt, if it is
   * too early for it.
   */
  post<T extends { status: number }>(table: string, rows: number, send: () => Promise<T>): Promise<T>;
  /** Power BI asks for nothing more for so many seconds. */
  pause(seconds: number): Promise<void>;
  /** Rows that a table holds, as far as they came from here. */
  rowsIn(table: string): number;
  emptied(table: string): Promise<void>;
  /** When the refresh began that was taken last, in milliseconds since 1970. */
  refreshedAt(): number | null;
  refreshed(at: number): Promise<void>;
}

/**
 * A limiter whose counts are kept in `file`, so that they hold over restarts. `now` tells the time in milliseconds. What
 * others send to the same dataset it cannot know: there Power BI's own 429 counts.
 */
export async function openLimiter(file: string, now: () => number): Promise<Limiter> {
  const sent = await read(file);
  const pending: number[] = [];
  let writing: Promise<void> = Promise.resolve();

  const save = () => (writing = writeAfter(writing));

  /** One after the other; what failed before was told to who asked for it. */
  async function writeAfter(before: Promise<void>): Promise<void> {
    await Promise.allSettled([before]);
    await write(file, sent);
  }

  /** Milliseconds until a POST of so many rows may be sent. */
  function waitMs(rows: number): number {
    const at = now();
    sent.posts = sent.posts.filter((post) => post.at > at - HOUR);
    const isLarge = Object.values(sent.tables).some((count) => count >= limits.largeTable);
    const window = isLarge ? HOUR : MINUTE;
    const most = (isLarge ? limits.postsAnHour : limits.postsAMinute) - pending.length;
    const room = limits.rowsAnHour - rows - pending.reduce((sum, of) => sum + of, 0);
    const waits = [sent.notBefore - at, untilRoom(sent.posts, room) - at];
    const recent = sent.posts.filter((post) => post.at > at - window);
    if (recent.length >= most) waits.push((recent.at(-most)?.at ?? at) + window - at);
    if (pending.length >= limits.pending) waits.push(1000);
    return Math.max(0, ...waits);
  }

  return {
    file,
    async post(table, rows, send) {
      const ms = waitMs(rows);
      if (ms > 0) {
        const seconds = Math.ceil(ms / 1000);
        throw new DeliveryDelayed(`Power BI takes no more of this dataset for ${seconds} seconds.`, {
          afterSeconds: seconds,
          counts: false,
        });
      }
      pending.push(rows);
      let status = 200;
      try {
        const answer = await send();
        ({ status } = answer);
        return answer;
      } finally {
        pending.splice(pending.indexOf(rows), 1);
        // The time at its end: it came to Power BI before, so its own window ends no later than ours.
        sent.posts.push({ at: now(), rows });
        // A POST without an answer may have been taken, and one that failed there, too.
        if (status < 400 || status >= 500) sent.tables[table] = (sent.tables[table] ?? 0) + rows;
        await save();
      }
    },
    async pause(seconds) {
      sent.notBefore = Math.max(sent.notBefore, now() + seconds * 1000);
      await save();
    },
    rowsIn: (table) => sent.tables[table] ?? 0,
    async emptied(table) {
      sent.tables[table] = 0;
      await save();
    },
    refreshedAt: () => sent.refreshedAt,
    async refreshed(at) {
      sent.refreshedAt = at;
      await save();
    },
  };
}

/** When the POSTs of the last hour hold no more than `room` rows. */
function untilRoom(posts: Sent["posts"], room: number): number {
  let rows = 0;
  for (const post of posts.toReversed()) {
    rows += post.rows;
    if (rows > room) return post.at + HOUR;
  }
  return 0;
}

async function read(file: string): Promise<Sent> {
  try {
    return Sent.parse(JSON.parse(await readFile(file, "utf8")));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      return { posts: [], tables: {}, notBefore: 0, refreshedAt: null };
    throw new Error(`What was sent to Power BI cannot be read from ${file}; delete it to count anew.`, {
      cause: error,
    });
  }
}

/** Replaces the file at once, so that a crash leaves the one before. */
async function write(file: string, sent: Sent): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(`${file}.new`, JSON.stringify(sent), { mode: 0o600 });
  await rename(`${file}.new`, file);
}
