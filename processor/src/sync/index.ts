import { readFile } from "node:fs/promises";
import type { Logger } from "pino";
import { z } from "zod";

/** What a machine writes when it has looked at what it is to run: `components/cluster/vm/sync.py`. */
const Told = z.object({ at: z.iso.datetime(), problems: z.number().int().nonnegative() });

/** How it is with the machine that the processor runs on. */
export interface Sync {
  /** Seconds since the machine last looked at what it is to run, or since this processor's start if it has not told. */
  ageSeconds: number;
  /** What it could not do then; null if it has not told. */
  problems: number | null;
}

/**
 * What the machine tells of its syncs in a file. That the file is not there, as before the first one, or holds something
 * else ends nothing: the age only grows.
 */
export function openSync(file: string, log: Logger, now = () => new Date()): () => Promise<Sync> {
  const started = now().getTime();
  return async () => {
    const told = await read(file).catch((error: unknown) => {
      log.error({ err: error }, "what the machine tells of its syncs not read");
      return undefined;
    });
    const since = told === undefined ? started : Date.parse(told.at);
    // The clock may have been set back since.
    return { ageSeconds: Math.max(0, (now().getTime() - since) / 1000), problems: told?.problems ?? null };
  };
}

async function read(file: string): Promise<z.output<typeof Told> | undefined> {
  try {
    return Told.parse(JSON.parse(await readFile(file, "utf8")));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new Error(`${file} does not tell of the machine's last sync; look at its console's log.`, { cause: error });
  }
}
