import type { StackConfig } from "@cais/spec/bindings.ts";
import { type ObjectStore, openObjectStore } from "../object-store/index.ts";

/** A pipeline stack with its stores open. */
export interface OpenStack {
  config: StackConfig;
  input: ObjectStore;
  lake: ObjectStore;
  output: ObjectStore;
}

export async function openStack(config: StackConfig, dataFolder: string): Promise<OpenStack> {
  const { input, lake, output } = config.stores;
  return {
    config,
    input: await openObjectStore(input, dataFolder),
    lake: await openObjectStore(lake, dataFolder),
    output: await openObjectStore(output, dataFolder),
  };
}
