import * as pulumi from "@pulumi/pulumi";
import type { Network } from "../network/index.ts";
import type { MachineHost } from "./host.ts";
import { deletable } from "../protection.ts";
import type { Tags } from "../tags.ts";
import { provides, stackTarget, type BuiltTarget, type Omitted, type TargetTable } from "../target.ts";
import { honour, type Unsupported } from "../unsupported.ts";
import { openstack } from "./openstack.ts";

/** What can make a machine. */
export const machineMakers = ["server", "heat"] as const;
export type MachineMaker = (typeof machineMakers)[number];

export interface ClusterArgs {
  tags: Tags;
  /** What runs the containers: one machine with Docker. `kubernetes.ts` has the other kind. */
  kind: "vm";
  network: Network;
  /** The machine's size, as the provider calls it (a flavor's name). */
  machine: string;
  /** The machine's image by its id, so that it cannot change unseen: Debian 12 or Ubuntu 22.04 or later, with cloud-init. */
  image: string;
  /** What makes the machine: the provider's API itself, or its orchestration (Heat), as a stack of its own. Default: server. */
  madeBy?: MachineMaker | undefined;
  /** Size of the disk that keeps state when the machine is replaced. Default: 50. It can grow; the machine uses it from its next start. */
  stateGB?: number | undefined;
  /** Kind of that disk, such as an encrypted one. Default: the provider's. */
  stateDiskType?: string | undefined;
  /** Gives the machine a public address. Default: false. */
  publicAddress?: boolean | undefined;
  /** First of the two switches for deleting the state; `cais:allowDataDeletion` is the second. Default: false. */
  allowDataDeletion?: boolean | undefined;
  /** Default: what `cais:target` names. */
  target?: BuiltTarget | undefined;
}

/** How a workload is handed to the cluster, and where that is. */
export interface ClusterHost extends MachineHost {
  /** Where the machine is reached: its public address, else the private one. */
  readonly address: pulumi.Output<string>;
  /** Where it is reached within its network. */
  readonly privateAddress: pulumi.Output<string>;
}

export interface ClusterTarget {
  readonly unsupported: Unsupported<ClusterArgs>;
  provision(
    name: string,
    args: Omit<ClusterArgs, "allowDataDeletion"> & { madeBy: MachineMaker; stateGB: number; deletable: boolean },
    opts: pulumi.CustomResourceOptions,
  ): { host: ClusterHost; nodes: Record<string, pulumi.Resource> };
}

export const clusterTargets = {
  local: { omitted: "the processor is a process on this machine" },
  openstack,
} satisfies TargetTable<ClusterTarget | Omitted>;

/** Where containers run. Adding or changing a workload never replaces it. */
export class Cluster extends pulumi.ComponentResource {
  readonly host: ClusterHost;
  readonly nodes: Record<string, pulumi.Resource>;

  constructor(name: string, args: ClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("cais:compute:Cluster", name, {}, opts);
    const target = args.target ?? stackTarget();
    const entry = clusterTargets[target];
    if (!provides(entry)) throw new pulumi.RunError(`${name}: ${target} has no cluster: ${entry.omitted}.`);
    honour(this, name, target, args, entry.unsupported);
    const { allowDataDeletion = false, ...rest } = args;
    const { host, nodes } = entry.provision(
      name,
      {
        ...rest,
        madeBy: args.madeBy ?? "server",
        stateGB: args.stateGB ?? 50,
        deletable: deletable(this, name, allowDataDeletion),
      },
      { parent: this },
    );
    this.host = host;
    this.nodes = nodes;
    this.registerOutputs({ address: host.address });
  }
}
