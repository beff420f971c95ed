import type { Logger } from "pino";
import { readVersion } from "../events/take.ts";
import { type Asked, IdempotencyConflict, type Ledger, type LooseObject, ReplayRefused } from "../ledger/index.ts";
import type { Metrics } from "../metrics/index.ts";
import { StoreUnreachable } from "../object-store/index.ts";
import { archivedRoot } from "./after.ts";
import type { OpenStack } from "./stack.ts";

export interface FinishOptions {
  ledger: Pick<Ledger, "loose" | "claim" | "requeue" | "source" | "run" | "moved">;
  stacks: ReadonlyMap<string, OpenStack>;
  metrics: Pick<Metrics, "received">;
  log: Logger;
}

/**
 * Ends what the process before, or the one that a restored ledger is of, had begun with files in the input stores. What is
 * loose there may have been acknowledged after the ledger was copied, and nothing in it or in a log need show that. So a
 * file that is there whole is taken as its sender asked: who was not answered sends it again, and it is known by its content
 * or its key. One is deleted only where it is, or its content, is somewhere else. Only while nobody uploads. Throws
 * StoreUnreachable; what else fails is logged and left to the next start.
 */
export async function finishUploads({ stacks, log, ...outside }: FinishOptions): Promise<void> {
  for (const object of await outside.ledger.loose.all()) {
    const stack = stacks.get(object.stack);
    // The objects of a stack that is not deployed now are out of reach; they wait.
    if (object.role !== "input" || stack === undefined) continue;
    const child = log.child({ stack: object.stack });
    try {
      await finish({ ...outside, stack, log: child }, object);
    } catch (error) {
      if (error instanceof StoreUnreachable) throw error;
      child.error(
        { err: error },
        "what was begun with a file of the input store is not ended; the next start tries again",
      );
    }
  }
}

type One = Omit<FinishOptions, "stacks"> & { stack: OpenStack };

async function finish(one: One, object: LooseObject): Promise<void> {
  const { ledger, stack } = one;
  const { input } = stack;
  const { key, version, asked = askedOf(key) } = object;
  if (version !== undefined) {
    // It was moved from here, or its stack asked to delete it. Others may have written another version since.
    if ((await input.head(key))?.version === version) await input.delete(key);
  } else {
    const root = archivedRoot(key);
    if (root !== undefined && (await isArchived(one, root, key))) return;
    if (asked !== undefined && root === undefined) await take(one, key, asked);
    // What the ledger has taken is not loose any more.
    if ((await ledger.loose.all(object)).length > 0) await input.delete(key);
  }
  await ledger.loose.forget(object);
}

/** Ledgers of before did not note it. A correction is of a run that they did not note either. */
const askedOf = (key: string): Asked | undefined =>
  key.startsWith("corrections/")
    ? undefined
    : { kind: "load", again: false, name: key.slice(key.lastIndexOf("/") + 1) };

/** Does what was asked for with a file that has come whole. */
async function take({ ledger, stack, metrics, log }: One, key: string, asked: Asked): Promise<void> {
  const { input, config } = stack;
  const head = await input.head(key);
  const read = head && (await readVersion(input, head));
  if (head === undefined || read === undefined) return;
  const { sha256, bytes } = read;
  try {
    if (asked.kind === "replay") {
      const run = await ledger.requeue({ ...asked, correction: { key, sha256, bytes } });
      return log.info({ run: run.id, bytes }, "a correction that was cut off after it had come is replayed");
    }
    const { kind: _, again, ...sent } = asked;
    const { name } = config.stack;
    const claim = { ...sent, stack: name, store: input.id, key, version: head.version, bytes, sha256 };
    const { run, created } = await ledger.claim(claim, { again });
    if (created) metrics.received(name, bytes);
    log.info({ run: run.id, bytes, created }, "an upload that was cut off after it had come is claimed");
  } catch (error) {
    // Its sender was told so, or will be.
    if (!(error instanceof ReplayRefused || error instanceof IdempotencyConflict)) throw error;
    log.info({ reason: error.name }, "an upload that was cut off is refused");
  }
}

/** Whether a copy in the archive is all there is of a file: then it is where the file lies now. */
async function isArchived({ ledger, stack, log }: One, root: string, key: string): Promise<boolean> {
  const { input } = stack;
  const source = await ledger.source(root);
  const run = await ledger.run(root);
  const copy = await input.head(key);
  if (copy === undefined || source === undefined || source.version === null || source.deleted) return false;
  if ((await input.head(source.key))?.version === source.version) return false;
  if ((await readVersion(input, copy))?.sha256 !== run?.file.sha256) return false;
  await ledger.moved(root, key);
  await ledger.loose.forget({
    stack: stack.config.stack.name,
    role: "input",
    key: source.key,
    version: source.version,
  });
  log.info({ run: root }, "a file whose archiving was cut off is in the archive");
  return true;
}
