import { platformName } from "@cais/spec/names.ts";
import * as pulumi from "@pulumi/pulumi";
import { Cluster, clusterTargets } from "../components/cluster/index.ts";
import { Network } from "../components/network/index.ts";
import { Processor, type Pipeline } from "../components/processor/index.ts";
import { Secret } from "../components/secret/index.ts";
import type { Tags } from "../components/tags.ts";
import { provides, stackTarget } from "../components/target.ts";
import type { SecretReader } from "./pipeline.ts";
import type { Settings } from "./settings.ts";

/** What an environment's stacks share: where containers run, and the processor that serves them all. */
export function platform(settings: Settings, pipelines: Pipeline[], secret: SecretReader): Processor {
  const { owner, costCentre = owner, environment, image } = settings;
  const { api: { port = 8080, allowFrom = [] } = {}, limits, allowPrivate = [], lineage } = settings.platform;
  const tags: Tags = { owner, stack: platformName, environment, costCentre };
  return new Processor("processor", {
    tags,
    pipelines,
    cluster: cluster(settings, tags, { port, from: allowFrom }),
    image,
    ...(limits ? { limits } : {}),
    port,
    allowFrom,
    allowPrivate,
    lineage,
    token:
      allowFrom.length > 0 ? new Secret("api-token", { tags, value: secret(platformName, "api-token") }) : undefined,
  });
}

function cluster(settings: Settings, tags: Tags, inbound: { port: number; from: string[] }): Cluster | undefined {
  if (!provides(clusterTargets[stackTarget()])) return undefined;
  const { network, cluster } = settings.platform;
  if (cluster === undefined)
    throw new pulumi.RunError(
      "cais:platform.cluster is missing; say what the containers run on, beginning with: pulumi config set --path 'cais:platform.cluster.kind' vm",
    );
  return new Cluster("platform", {
    ...cluster,
    tags,
    network: new Network("platform", { ...network, tags, inbound }),
    allowDataDeletion: settings.deletable.includes(platformName),
  });
}
