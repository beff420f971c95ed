import type { Asked, Ledger } from "../ledger/index.ts";
import type { StoredObject } from "../object-store/index.ts";
import type { OpenStack } from "../runs/stack.ts";

/** A file in the input store that no run has yet. */
export interface Kept extends StoredObject {
  key: string;
  /** Removes it again. */
  drop(): Promise<void>;
}

/**
 * Puts a file into a stack's input store. Until a run has it, it is loose, with what was asked for: a crash leaves nothing
 * that is not known, and the next start does that if the file has come whole.
 */
export async function keep(
  ledger: Pick<Ledger, "loose">,
  { input, config }: OpenStack,
  key: string,
  body: AsyncIterable<Uint8Array>,
  asked: Asked,
): Promise<Kept> {
  const loose = { stack: config.stack.name, role: "input", key, asked } as const;
  async function drop(): Promise<void> {
    await input.delete(key);
    await ledger.loose.forget(loose);
  }
  await ledger.loose.note(loose);
  try {
    return { ...(await input.put(key, body, { ifAbsent: true })), key, drop };
  } catch (error) {
    // Even a write that failed at its end may have left an object. If this fails too, the next start looks at it.
    await drop();
    throw error;
  }
}
