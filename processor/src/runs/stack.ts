import type { StackConfig } from "@cais/spec/bindings.ts";
import { type ObjectStore, openObjectStore } from "../object-store/index.ts";

/** A pipeline stack with its stores open. */
export interface OpenStack {
  config: StackConfig;
  input: ObjectStore;
  lake: ObjectStore;
  output: ObjectStore;
}

/** `inUse`: the ledger has runs of the stack, so what they read and made must be there. A delivery can be made anew. */
export async function openStack(config: StackConfig, dataFolder: string, inUse = false): Promise<OpenStack> {
  const { input, lake, output } = config.stores;
  return {
    config,
    input: await openObjectStore(input, dataFolder, { inUse }),
    lake: await openObjectStore(lake, dataFolder, { inUse }),
    output: await openObjectStore(output, dataFolder),
  };
}
