import { platformName } from "@cais/spec/names.ts";
import { Processor, type ProcessorArgs } from "../components/processor/index.ts";
import { Secret } from "../components/secret/index.ts";
import type { Settings } from "./keys.ts";
import type { SecretReader } from "./pipeline.ts";

/** What a shared and an isolated stack's processors differ in. */
type OwnArgs = Pick<ProcessorArgs, "tags" | "pipelines" | "cluster" | "image"> & { port: number; allowFrom: string[] };

/** A processor with what the config says of all; who lets others in asks them for the environment's token. */
export function processorOf(
  name: string,
  args: OwnArgs,
  { limits, allowPrivate = [], lineage }: Pick<Settings["platform"], "limits" | "allowPrivate" | "lineage">,
  secret: SecretReader,
): Processor {
  const { tags, allowFrom } = args;
  return new Processor(name, {
    ...args,
    ...(limits ? { limits } : {}),
    allowPrivate,
    lineage,
    token:
      allowFrom.length > 0 ? new Secret("api-token", { tags, value: secret(platformName, "api-token") }) : undefined,
  });
}
