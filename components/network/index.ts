import * as pulumi from "@pulumi/pulumi";
import type { Tags } from "../tags.ts";
import { provides, stackTarget, type BuiltTarget, type Omitted, type TargetTable } from "../target.ts";
import { honour, type Unsupported } from "../unsupported.ts";
import { openstack } from "./openstack.ts";

export interface NetworkArgs {
  tags: Tags;
  /** Private range of the machines. Default: 10.20.0.0/24. */
  cidr?: string | undefined;
  /** Resolvers that machines are told of. Default: the target's own. */
  dnsServers?: string[] | undefined;
  /** The provider's network that leads outside, by id and name. Without it nothing gets out. */
  external?: { id: string; name: string } | undefined;
  /** The ports that may be reached from outside the network, and by whom (CIDRs). Default: none. */
  inbound?: { port: number; from: string[] }[] | undefined;
  /** Default: what `cais:target` names. */
  target?: BuiltTarget | undefined;
}

/** The private range of a network whose program names none. */
export const privateRange = "10.20.0.0/24";

/** What a machine needs to be put into the network. */
export interface NetworkPlace {
  readonly networkId: pulumi.Output<string>;
  readonly subnetId: pulumi.Output<string>;
  readonly securityGroupId: pulumi.Output<string>;
  /** Name of the network that public addresses come from. */
  readonly external: string | undefined;
  /** That network's id. */
  readonly externalId: string | undefined;
  /** The network's private range. */
  readonly cidr: string;
  /** What must exist before a machine in it gets out. */
  readonly ready: pulumi.Resource[];
}

export interface NetworkTarget {
  readonly unsupported: Unsupported<NetworkArgs>;
  provision(
    name: string,
    args: NetworkArgs & { cidr: string },
    opts: pulumi.CustomResourceOptions,
  ): { place: NetworkPlace; nodes: Record<string, pulumi.Resource> };
}

export const networkTargets = {
  local: { omitted: "the processor listens on this machine's loopback" },
  openstack,
} satisfies TargetTable<NetworkTarget | Omitted>;

/** A private network that lets machines out and nobody in, but for the ports it is told to open. */
export class Network extends pulumi.ComponentResource {
  readonly place: NetworkPlace;
  readonly nodes: Record<string, pulumi.Resource>;

  constructor(name: string, args: NetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("cais:network:Network", name, {}, opts);
    const target = args.target ?? stackTarget();
    const entry = networkTargets[target];
    if (!provides(entry)) throw new pulumi.RunError(`${name}: ${target} has no network: ${entry.omitted}.`);
    honour(this, name, target, args, entry.unsupported, ["inbound"]);
    const { place, nodes } = entry.provision(name, { ...args, cidr: args.cidr ?? privateRange }, { parent: this });
    this.place = place;
    this.nodes = nodes;
    this.registerOutputs({ networkId: place.networkId });
  }
}
