import { createHash } from "node:crypto";
import type { Logger } from "pino";
import { takesName } from "../formats/names.ts";
import type { Ledger } from "../ledger/index.ts";
import type { Metrics } from "../metrics/index.ts";
import type { ObjectHead, ObjectStore } from "../object-store/index.ts";
import type { OpenStack } from "../runs/stack.ts";

export interface TakeOptions {
  stack: OpenStack;
  ledger: Pick<Ledger, "claim" | "isClaimed" | "loose">;
  metrics: Pick<Metrics, "received">;
  log: Logger;
  /** Ends what is being read; nothing is claimed after that. */
  signal: AbortSignal;
}

/** Objects that are read at a time: enough for a store that answers slowly, and no more than a few buffers. */
const AHEAD = 4;

/** An object with what its content is. */
interface Read {
  object: ObjectHead;
  sha256: string;
  bytes: number;
}

/** Why a stack does not take an object; undefined: it does. */
export function problemOf({ config }: OpenStack, { key, bytes }: ObjectHead): string | undefined {
  const { formats, maxBytes } = config.stack.source.upload;
  if (!takesName(formats, nameOf(key))) return "its name has none of the endings that the stack takes";
  return bytes > maxBytes ? "it is larger than the stack's maxBytes" : undefined;
}

/**
 * Claims objects for their stack: the older first, as a later one may replace what an earlier one brought. Gives those
 * that are claimed; the others may be tried again. Never rejects: what fails is logged.
 */
export async function takeAll(objects: ObjectHead[], options: TakeOptions): Promise<ObjectHead[]> {
  const { log, signal } = options;
  const left = objects.toSorted((a, b) => a.modifiedAt.getTime() - b.modifiedAt.getTime() || (a.key < b.key ? -1 : 1));
  const reading: Promise<Read | undefined>[] = [];
  const taken: ObjectHead[] = [];
  const tried = async <Result>(work: () => Promise<Result>): Promise<Result | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!signal.aborted) log.error({ err: error }, "an object of the input store cannot be taken; it is tried again");
      return undefined;
    }
  };
  const readNext = () => {
    const object = left.shift();
    if (object !== undefined) reading.push(tried(() => readWhole(object, options)));
  };
  for (let n = 0; n < AHEAD; n++) readNext();
  for (let next = reading.shift(); next !== undefined; next = reading.shift()) {
    const read = await next;
    if (read !== undefined && !signal.aborted && (await tried(() => claim(read, options)))) taken.push(read.object);
    if (!signal.aborted) readNext();
  }
  return taken;
}

/** Undefined: it is not to be taken now, or not as it is. */
async function readWhole(object: ObjectHead, { stack, ledger, signal }: TakeOptions): Promise<Read | undefined> {
  const { key, version } = object;
  // An upload notes its key before the object can be listed, and forgets it with its claim.
  const loose = await ledger.loose.all({ stack: stack.config.stack.name, role: "input", key });
  if (loose.some((other) => other.version === undefined || other.version === version)) return undefined;
  const read = await readVersion(stack.input, object, signal);
  return read && { object, ...read };
}

/** What the content of an object is; undefined: this version of it is not there any more, or the signal ended it. */
export async function readVersion(
  input: Pick<ObjectStore, "get" | "head">,
  { key, version }: ObjectHead,
  signal?: AbortSignal,
): Promise<{ sha256: string; bytes: number } | undefined> {
  const body = await input.get(key);
  if (body === undefined) return undefined;
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of body) {
    if (signal?.aborted === true) return undefined;
    hash.update(chunk);
    bytes += chunk.length;
  }
  // What was read may be of another version, which the next look finds.
  if ((await input.head(key))?.version !== version) return undefined;
  return { sha256: hash.digest("hex"), bytes };
}

async function claim({ object, sha256, bytes }: Read, { stack, ledger, metrics, log }: TakeOptions): Promise<boolean> {
  const { key, version } = object;
  const { name } = stack.config.stack;
  const { run, created } = await ledger.claim(
    { stack: name, store: stack.input.id, key, version, name: nameOf(key), bytes, sha256 },
    { kept: true },
  );
  if (created) metrics.received(name, bytes);
  log.info({ run: run.id, bytes, created }, "object claimed");
  return true;
}

const nameOf = (key: string) => key.slice(key.lastIndexOf("/") + 1);
