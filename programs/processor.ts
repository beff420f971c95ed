import { platformName } from "@cais/spec/names.ts";
import * as pulumi from "@pulumi/pulumi";
import { type EventsArgs, eventsTargets } from "../components/events/index.ts";
import {
  listens,
  Processor,
  type ProcessorArgs,
  processorTargets,
  type RegistryLogin,
} from "../components/processor/index.ts";
import { Secret } from "../components/secret/index.ts";
import type { Tags } from "../components/tags.ts";
import { stackTarget } from "../components/target.ts";
import type { Settings } from "./keys.ts";
import { noEffect } from "./no-effect.ts";
import type { SecretReader } from "./pipeline.ts";

/** What a shared and an isolated stack's processors differ in. */
type OwnArgs = Pick<ProcessorArgs, "tags" | "pipelines" | "cluster" | "image"> & {
  port: number;
  allowFrom: string[];
  trustedProxies?: string[] | undefined;
};

type ProcessorSettings = Pick<Settings["platform"], "limits" | "registry" | "allowPrivate" | "lineage" | "events">;

const needsTeller = (kind: EventsArgs["kind"]) => kind === "webhook" || kind === "radosgw";

/** How the pipeline stacks of one processor hear of new files: all of them with one secret, `platform.events`. */
export function eventsOf({ events }: ProcessorSettings, tags: Tags, secret: SecretReader): EventsArgs {
  if (events === undefined) return {};
  const target = stackTarget();
  const instead = eventsTargets[target].unsupported.kind;
  if (instead !== undefined) throw noEffect("cais:platform.events", target, instead);
  if (!needsTeller(events)) return { kind: events };
  return { kind: events, secret: new Secret("events", { tags, value: secret(platformName, "events") }) };
}

/** A processor with what the config says of all; who lets others in asks them for the environment's token. */
export function processorOf(
  name: string,
  args: OwnArgs,
  { limits, registry, allowPrivate = [], lineage, events }: ProcessorSettings,
  secret: SecretReader,
): Processor {
  const { tags, allowFrom, cluster } = args;
  if (needsTeller(events) && allowFrom.length === 0)
    throw new pulumi.RunError(
      `${name}: events by ${events} come by the API, and nobody may call it; name who tells in cais:platform.api.allowFrom (of an isolated stack: cais:platform.isolated.<stack>.allowFrom).`,
    );
  return new Processor(name, {
    ...args,
    ...(limits ? { limits } : {}),
    allowPrivate,
    lineage,
    registry: loginOf(registry, tags, secret),
    token:
      allowFrom.length > 0 || listens(cluster)
        ? new Secret("api-token", { tags, value: secret(platformName, "api-token") })
        : undefined,
  });
}

/** How the image's registry is logged in to, with the secret `platform.registry`. */
function loginOf(registry: ProcessorSettings["registry"], tags: Tags, secret: SecretReader): RegistryLogin | undefined {
  if (registry === undefined) return undefined;
  const target = stackTarget();
  const { registry: instead } = processorTargets[target].unsupported;
  if (instead !== undefined) throw noEffect("cais:platform.registry", target, instead);
  return {
    username: registry.username,
    password: new Secret("registry", { tags, value: secret(platformName, "registry") }),
  };
}
