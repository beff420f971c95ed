import { join, resolve } from "node:path";
import type { StackConfig } from "@cais/spec/bindings.ts";
import { type ObjectStore, openObjectStore } from "../object-store/index.ts";
import { readSecret } from "../secret/index.ts";
import { openSinks, SecretMissing, type Sink } from "../sinks/index.ts";

/** How soon a delivery looks again for a secret that it lacks. */
const SECRET_SECONDS = 30;

/** A pipeline stack with its stores and sinks open. */
export interface OpenStack {
  config: StackConfig;
  input: ObjectStore;
  lake: ObjectStore;
  output: ObjectStore;
  /** In the stack's order. */
  sinks: Sink[];
  /** Reads a secret that the stack names. Throws `SecretMissing`, which says which file. */
  secret(name: string): Promise<string>;
}

export interface OpenStackOptions {
  /** The ledger has runs of the stack, so what they read and made must be there. A delivery can be made anew. */
  inUse?: boolean;
  /** Private addresses (CIDRs) that sinks may send to. */
  allowPrivate?: readonly string[];
}

export async function openStack(
  config: StackConfig,
  dataFolder: string,
  { inUse = false, allowPrivate = [] }: OpenStackOptions = {},
): Promise<OpenStack> {
  const { stack, stores, secrets } = config;
  const output = await openObjectStore(stores.output, dataFolder);
  return {
    config,
    input: await openObjectStore(stores.input, dataFolder, { inUse }),
    lake: await openObjectStore(stores.lake, dataFolder, { inUse }),
    output,
    sinks: openSinks(stack.sinks, { output, tables: stack.tables, folder: join(dataFolder, "sinks"), allowPrivate }),
    async secret(name) {
      const binding = secrets[name];
      if (binding === undefined)
        throw new SecretMissing(`The config binds no secret "${name}" of the stack "${stack.name}"; deploy it again.`, {
          counts: false,
          afterSeconds: SECRET_SECONDS,
        });
      try {
        return await readSecret(binding, dataFolder);
      } catch (error) {
        const file = resolve(dataFolder, binding.path);
        throw new SecretMissing(
          `The secret "${name}" cannot be read from ${file}: put it there, in a file that not everyone may read.`,
          { cause: error, counts: false, afterSeconds: SECRET_SECONDS },
        );
      }
    },
  };
}
