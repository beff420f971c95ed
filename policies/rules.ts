import { rules as identity } from "./identity.ts";
import { rules as network } from "./network.ts";
import { rules as objectStore } from "./object-store.ts";
import { rules as processor } from "./processor.ts";
import type { Rule } from "./rule.ts";

/** Every rule of the pack, by noun. Reading them starts nothing; `index.ts` makes them a pack. */
export const rulesByNoun = {
  "object-store": objectStore,
  identity,
  network,
  processor,
} satisfies Record<string, readonly Rule[]>;

export const rules: readonly Rule[] = Object.values(rulesByNoun).flat();
