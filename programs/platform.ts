import { platformName } from "@cais/spec/names.ts";
import * as pulumi from "@pulumi/pulumi";
import { Cluster, clusterTargets } from "../components/cluster/index.ts";
import { Network, type NetworkArgs } from "../components/network/index.ts";
import type { Pipeline, Processor } from "../components/processor/index.ts";
import type { Tags } from "../components/tags.ts";
import { provides, stackTarget } from "../components/target.ts";
import type { SecretReader } from "./pipeline.ts";
import { processorOf } from "./processor.ts";
import { apiPort, opened, type Settings } from "./keys.ts";

/** What an environment's stacks share. */
interface Shared {
  /** What serves them all; absent when each pipeline stack of the environment is isolated. */
  processor: Processor | undefined;
  /** Where containers run, on a target that has clusters. */
  cluster: Cluster | undefined;
}

/** The tags of what an environment's stacks share. */
export const platformTags = ({ owner, costCentre = owner, environment }: Settings): Tags => ({
  owner,
  stack: platformName,
  environment,
  costCentre,
});

/** Where containers run, and the processor of all pipeline stacks that are not `isolated`, of which there are this many. */
export function platform(settings: Settings, pipelines: Pipeline[], secret: SecretReader, isolated: number): Shared {
  const { image } = settings;
  const { api: { port = apiPort, allowFrom = [] } = {} } = settings.platform;
  const tags = platformTags(settings);
  const cluster = clusterOf(settings, tags, [
    { port, from: allowFrom },
    ...Object.values(opened(settings)).map((isolated) => ({ port: isolated.port, from: isolated.allowFrom })),
  ]);
  if (pipelines.length === 0 && isolated > 0) return { processor: undefined, cluster };
  const args = { tags, pipelines, cluster, image, port, allowFrom };
  return { processor: processorOf("processor", args, settings.platform, secret), cluster };
}

/** What only a target with clusters can make use of. */
const ofClusters = ["network", "cluster"] as const;

function clusterOf(settings: Settings, tags: Tags, inbound: NetworkArgs["inbound"]): Cluster | undefined {
  const target = stackTarget();
  const entry = clusterTargets[target];
  const { network, cluster } = settings.platform;
  if (!provides(entry)) {
    const key = ofClusters.find((name) => settings.platform[name] !== undefined);
    if (key !== undefined)
      throw new pulumi.RunError(
        `cais:platform.${key} has no effect on ${target}: ${entry.omitted}; remove it with: pulumi config rm --path 'cais:platform.${key}'`,
      );
    return undefined;
  }
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
