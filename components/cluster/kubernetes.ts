import * as pulumi from "@pulumi/pulumi";
import type { Network } from "../network/index.ts";
import { deletable } from "../protection.ts";
import type { KubernetesHost } from "./host.ts";
import { provides, stackTarget, type BuiltTarget, type Omitted, type TargetTable } from "../target.ts";
import { honour, type Unsupported } from "../unsupported.ts";
import { openstack } from "./openstack-kubernetes.ts";

export interface KubernetesArgs {
  /** A Kubernetes that the provider runs. */
  kind: "kubernetes";
  network: Network;
  /** Size of each node, as the provider calls it (a flavor's name). */
  machine: string;
  /** The nodes' image by its id: one that the provider's Kubernetes is made for (Magnum: Fedora CoreOS). */
  image: string;
  /** Version of Kubernetes as the provider's images have it, such as `v1.34.1`. */
  version: string;
  /** Nodes that run workloads. Default: 1. */
  nodes?: number | undefined;
  /** Size of each node's disk for images and containers. Default: 20. */
  nodeGB?: number | undefined;
  /** Kind of that disk and of the one with the cluster's own data, secrets among them, such as an encrypted one. Default: the provider's. */
  nodeDiskType?: string | undefined;
  /** Size of the disk that keeps each workload's state. Default: 50. */
  stateGB?: number | undefined;
  /** Kind of that disk. Default: the provider's. */
  stateDiskType?: string | undefined;
  /** Public key (OpenSSH) that the provider puts on the nodes, where it insists on one. Default: none. */
  publicKey?: string | undefined;
  /** First of the two switches for deleting the state, and the cluster with it; `cais:allowDataDeletion` is the second. Default: false. */
  allowDataDeletion?: boolean | undefined;
  /** Default: what `cais:target` names. */
  target?: BuiltTarget | undefined;
}

export interface KubernetesTarget {
  readonly unsupported: Unsupported<KubernetesArgs>;
  provision(
    name: string,
    args: Omit<KubernetesArgs, "allowDataDeletion" | "stateGB"> & { nodes: number; nodeGB: number; deletable: boolean },
    opts: pulumi.CustomResourceOptions,
  ): {
    host: Omit<KubernetesHost, "state"> & { state: Pick<KubernetesHost["state"], "provisioner" | "parameters"> };
    /** Of its API. */
    address: pulumi.Output<string>;
    nodes: Record<string, pulumi.Resource>;
  };
}

export const kubernetesTargets = {
  local: { omitted: "the processor is a process on this machine" },
  openstack,
} satisfies TargetTable<KubernetesTarget | Omitted>;

/** The cluster's other kind: containers run in pods. Adding or changing a workload never changes it. */
export class KubernetesCluster extends pulumi.ComponentResource {
  readonly host: KubernetesHost;
  /** Address of its API. */
  readonly address: pulumi.Output<string>;
  readonly nodes: Record<string, pulumi.Resource>;

  constructor(name: string, args: KubernetesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("cais:compute:KubernetesCluster", name, {}, opts);
    const target = args.target ?? stackTarget();
    const entry = kubernetesTargets[target];
    if (!provides(entry)) throw new pulumi.RunError(`${name}: ${target} has no cluster: ${entry.omitted}.`);
    honour(this, name, target, args, entry.unsupported);
    const { allowDataDeletion = false, stateGB = 50, nodes: count = 1, nodeGB = 20, ...rest } = args;
    const { host, address, nodes } = entry.provision(
      name,
      { ...rest, nodes: count, nodeGB, deletable: deletable(this, name, allowDataDeletion) },
      { parent: this },
    );
    this.host = { ...host, state: { ...host.state, gb: stateGB, allowDataDeletion } };
    this.address = address;
    this.nodes = nodes;
    this.registerOutputs({ address });
  }
}
