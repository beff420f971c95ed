import type { Ledger, LooseObject } from "../ledger/index.ts";
import type { OpenStack } from "./stack.ts";

/**
 * Deletes the loose objects that `which` picks: replaced files, and what a failed run or a crash left behind. Only for
 * objects that no one is writing.
 */
export async function sweep(
  ledger: Ledger,
  stacks: ReadonlyMap<string, OpenStack>,
  which: (object: LooseObject) => boolean,
): Promise<void> {
  for (const object of (await ledger.loose.all()).filter(which)) {
    const stack = stacks.get(object.stack);
    // The objects of a stack that is not deployed now are out of reach; they wait.
    if (stack === undefined) continue;
    const store = stack[object.role];
    // Others may have written another version to this key since.
    const isThis = object.version === undefined || (await store.head(object.key))?.version === object.version;
    if (isThis) await store.delete(object.key);
    await ledger.loose.forget(object);
  }
}
