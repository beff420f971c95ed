import { platformName } from "@cais/spec/names.ts";
import * as pulumi from "@pulumi/pulumi";
import { chosenCluster, clusterKinds } from "../components/cluster/chosen.ts";
import { clusterTargets } from "../components/cluster/index.ts";
import { type Door, LoadBalancer } from "../components/load-balancer/index.ts";
import { Network, privateRange } from "../components/network/index.ts";
import type { Pipeline, Processor } from "../components/processor/index.ts";
import { type Runner, runnerOn } from "../components/processor/runner.ts";
import type { Tags } from "../components/tags.ts";
import { provides, stackTarget } from "../components/target.ts";
import { noEffect } from "./no-effect.ts";
import type { SecretReader } from "./pipeline.ts";
import { processorOf } from "./processor.ts";
import { apiPort, balancerPort, opened, type Settings } from "./keys.ts";

/** One machine, or a cluster of the other kind. */
type AnyCluster = Awaited<ReturnType<typeof chosenCluster>>;

/** What an environment's stacks share, but for the processor. */
interface Shared {
  /** Where containers run, on a target that has clusters. */
  cluster: AnyCluster | undefined;
  /** What runs them there. */
  runner: Runner | undefined;
  /** What stands before their APIs. */
  balancer: LoadBalancer | undefined;
  /** What they are in. */
  network: Network | undefined;
}

/** The tags of what an environment's stacks share. */
export const platformTags = ({ owner, costCentre = owner, environment }: Settings): Tags => ({
  owner,
  stack: platformName,
  environment,
  costCentre,
});

/** Where containers run, and what stands before their APIs, of which the shared processor's is one or not. */
export async function platform(settings: Settings, hasProcessor: boolean): Promise<Shared> {
  const tags = platformTags(settings);
  const doors = doorsOf(settings, hasProcessor);
  const network = networkOf(settings, tags, doors);
  const cluster = network && (await clusterOf(settings, tags, network));
  const balancer = network && cluster && balancerOf(settings, tags, { network, cluster, doors });
  return { network, cluster, balancer, runner: cluster && (await runnerOn(cluster.host)) };
}

/** The processor of all pipeline stacks that are not `isolated`. */
export function sharedProcessor(
  settings: Settings,
  pipelines: Pipeline[],
  secret: SecretReader,
  runner: Runner | undefined,
): Processor {
  const { image } = settings;
  const { port = apiPort, allowFrom = [] } = settings.platform.api ?? {};
  const trustedProxies = trustedProxiesOf(settings);
  const args = { tags: platformTags(settings), pipelines, cluster: runner, image, port, allowFrom, trustedProxies };
  return processorOf("processor", args, settings.platform, secret);
}

/** The APIs that others may call: the shared processor's, and each isolated stack's by its name. */
function doorsOf(settings: Settings, hasProcessor: boolean): Record<string, Door> {
  const { port = apiPort, allowFrom = [], loadBalancer } = settings.platform.api ?? {};
  const own = { port: loadBalancer?.port ?? balancerPort, allowFrom, passTo: port };
  return {
    ...(hasProcessor && allowFrom.length > 0 && { [platformName]: own }),
    ...Object.fromEntries(
      Object.entries(opened(settings)).map(([name, { port, allowFrom }]) => [name, { port, allowFrom, passTo: port }]),
    ),
  };
}

/** A balancer calls from an address of its own in the network, which nobody but it and the machine is in. */
const balancersRange = ({ platform: { api, network } }: Settings): string[] | undefined =>
  api?.loadBalancer && [network?.cidr ?? privateRange];

/** Who is believed in saying who calls the APIs, if anybody is. */
export function trustedProxiesOf(settings: Settings): string[] | undefined {
  const ranges = [...(balancersRange(settings) ?? []), ...(settings.platform.api?.trustedProxies ?? [])];
  return ranges.length > 0 ? ranges : undefined;
}

/** What only a target with clusters can make use of. */
const ofClusters = ["network", "cluster", "database"] as const;

/** The network that the machine is in; none on a target without clusters. */
function networkOf(settings: Settings, tags: Tags, doors: Record<string, Door>): Network | undefined {
  const target = stackTarget();
  const entry = clusterTargets[target];
  const { network, api, cluster } = settings.platform;
  if (!provides(entry)) {
    const key = api?.loadBalancer
      ? "api.loadBalancer"
      : ofClusters.find((name) => settings.platform[name] !== undefined);
    if (key !== undefined) throw noEffect(`cais:platform.${key}`, target, entry.omitted);
    return undefined;
  }
  // A cluster of pods opens its own machines, to balancers that it makes itself.
  if (cluster?.kind === clusterKinds.pods) return new Network("platform", { ...network, tags });
  const calls = balancersRange(settings);
  const inbound = Object.values(doors).map(({ passTo, allowFrom }) => ({ port: passTo, from: calls ?? allowFrom }));
  return new Network("platform", { ...network, tags, inbound });
}

function clusterOf(settings: Settings, tags: Tags, network: Network): Promise<AnyCluster> {
  const { cluster } = settings.platform;
  if (cluster === undefined)
    throw new pulumi.RunError(
      "cais:platform.cluster is missing; say what the containers run on, beginning with: pulumi config set --path 'cais:platform.cluster.kind' vm",
    );
  return chosenCluster("platform", {
    ...cluster,
    tags,
    network,
    allowDataDeletion: settings.deletable.includes(platformName),
  });
}

function balancerOf(
  { platform }: Settings,
  tags: Tags,
  { network, cluster, doors }: { network: Network; cluster: AnyCluster; doors: Record<string, Door> },
): LoadBalancer | undefined {
  if (platform.api?.loadBalancer === undefined) return undefined;
  if (Object.keys(doors).length === 0)
    throw new pulumi.RunError(
      "cais:platform.api.loadBalancer stands before an API that nobody may call; name who may with: pulumi config set --path 'cais:platform.api.allowFrom[0]' <range>",
    );
  const { host } = cluster;
  if (host.kind !== clusterKinds.machine)
    throw new pulumi.RunError(
      `cais:platform.api.loadBalancer stands before a machine, and cais:platform.cluster.kind is ${host.kind}, which makes a balancer of its own; remove it with: pulumi config rm --path 'cais:platform.api.loadBalancer'`,
    );
  const { certificate, publicAddress } = platform.api.loadBalancer;
  return new LoadBalancer("api", {
    tags,
    network,
    machine: host.privateAddress,
    certificate,
    doors,
    publicAddress,
  });
}
