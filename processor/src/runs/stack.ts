import { join, resolve } from "node:path";
import type { StackConfig } from "@cais/spec/bindings.ts";
import { cached } from "../object-store/cache.ts";
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
  /** Where files of tables are kept that are read again and again, and how many bytes of them. Default: nowhere. */
  cache?: { folder: string; bytes: number };
}

export async function openStack(
  config: StackConfig,
  dataFolder: string,
  { inUse = false, allowPrivate = [], cache }: OpenStackOptions = {},
): Promise<OpenStack> {
  const { stack, stores, secrets } = config;
  const output = await openObjectStore(stores.output, dataFolder);
  const lake = await openObjectStore(stores.lake, dataFolder, { inUse });
  // From a folder a file is fetched by a second name, which no cache is faster than.
  const isFar = stores.lake.driver !== "fs";
  return {
    config,
    input: await openObjectStore(stores.input, dataFolder, { inUse }),
    lake: isFar && cache !== undefined ? cached(lake, { ...cache, isFixed: isTableFile }) : lake,
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

/** Data files of a table are never written again, whoever wrote them: by the protocol each has a name of its own. */
const isTableFile = (key: string): boolean => key.endsWith(".parquet") && !key.includes("/_delta_log/");
