import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";

/** Most events that wait; then the oldest are dropped, which the log tells. */
const MOST = 10_000;
const ANSWER_MS = 10_000;
/** First and longest wait before an endpoint that fails is asked again. It doubles in between. */
const WAIT_MS = { first: 1000, longest: 300_000 };

export interface OutboxOptions {
  folder: string;
  url: string;
  /** Bearer token. */
  token: string | undefined;
  log: Logger;
  most?: number;
  firstMs?: number;
}

/** Events that wait on the disk, one file each, until an endpoint took them in their order. */
export interface Outbox {
  /** Keeps an event; it is sent some time later. */
  add(event: object): Promise<void>;
  /** Ends what is being sent; what waits is sent after the next start. */
  stop(): Promise<void>;
}

/** Opens the outbox in a folder and sends what an earlier process left there. */
export async function openOutbox(options: OutboxOptions): Promise<Outbox> {
  const { folder, url, token, log, most = MOST, firstMs = WAIT_MS.first } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const waiting = (await readdir(folder)).filter((name) => /^\d{16}\.json$/.test(name)).toSorted();
  let last = Number.parseInt(waiting.at(-1) ?? "0", 10);
  const stopping = new AbortController();
  const stopped = new Promise<void>((resolve) => stopping.signal.addEventListener("abort", () => resolve()));
  let sending: Promise<void> | undefined;

  function wake(): void {
    if (!stopping.signal.aborted) sending ??= send().finally(() => (sending = undefined));
  }

  /** Sends until nothing waits. Never rejects. */
  async function send(): Promise<void> {
    let wait = firstMs;
    for (let name = waiting[0]; name !== undefined && !stopping.signal.aborted; name = waiting[0])
      try {
        const status = await post(await readFile(join(folder, name), "utf8"));
        if (status === 408 || status === 429 || status >= 500) throw new Error(`It answered ${status}.`);
        // Refused for good: it would only hold up those after it.
        if (status >= 300) log.error({ status }, "a lineage event was refused and is dropped");
        await drop(name);
        wait = firstMs;
      } catch (error) {
        if (stopping.signal.aborted) return;
        log.warn({ err: error, wait, waiting: waiting.length }, "lineage events cannot be sent; it is tried again");
        await Promise.race([pause(wait, undefined, { ref: false }), stopped]);
        wait = Math.min(wait * 2, WAIT_MS.longest);
      }
  }

  async function post(body: string): Promise<number> {
    const answer = await fetch(url, {
      method: "POST",
      body,
      headers: { "content-type": "application/json", ...(token !== undefined && { authorization: `Bearer ${token}` }) },
      redirect: "manual",
      signal: AbortSignal.any([stopping.signal, AbortSignal.timeout(ANSWER_MS)]),
    });
    await answer.body?.cancel();
    return answer.status;
  }

  async function drop(name: string): Promise<void> {
    await rm(join(folder, name), { force: true });
    const at = waiting.indexOf(name);
    if (at >= 0) waiting.splice(at, 1);
  }

  wake();
  return {
    async add(event) {
      last += 1;
      const name = `${String(last).padStart(16, "0")}.json`;
      const file = join(folder, name);
      await writeFile(`${file}.new`, JSON.stringify(event), { mode: 0o600 });
      await rename(`${file}.new`, file);
      waiting.push(name);
      const [oldest] = waiting;
      if (waiting.length > most && oldest !== undefined) {
        log.error({ most }, "too many lineage events wait; the oldest is dropped");
        await drop(oldest);
      }
      wake();
    },
    async stop() {
      stopping.abort();
      await sending;
    },
  };
}
