import * as pulumi from "@pulumi/pulumi";
import type { Network } from "../network/index.ts";
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
  /** Kind of that disk, such as an encrypted one. Default: the provider's. */
  nodeDiskType?: string | undefined;
  /** Public key (OpenSSH) that the provider puts on the nodes, where it insists on one. Default: none. */
  publicKey?: string | undefined;
  /** Default: what `cais:target` names. */
  target?: BuiltTarget | undefined;
}

/** How a Kubernetes is called. */
export interface KubernetesHost {
  readonly kind: "kubernetes";
  /** Its administrator's: a secret. */
  readonly kubeconfig: pulumi.Output<string>;
  /** Address of its API. */
  readonly address: pulumi.Output<string>;
}

export interface KubernetesTarget {
  readonly unsupported: Unsupported<KubernetesArgs>;
  provision(
    name: string,
    args: KubernetesArgs & { nodes: number; nodeGB: number },
    opts: pulumi.CustomResourceOptions,
  ): { host: KubernetesHost; nodes: Record<string, pulumi.Resource> };
}

export const kubernetesTargets = {
  local: { omitted: "the processor is a process on this machine" },
  openstack,
} satisfies TargetTable<KubernetesTarget | Omitted>;

/** The cluster's other kind. The processor does not run on it yet: it is for what a stack's own `program.ts` makes. */
export class KubernetesCluster extends pulumi.ComponentResource {
  readonly host: KubernetesHost;
  readonly nodes: Record<string, pulumi.Resource>;

  constructor(name: string, args: KubernetesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("cais:compute:KubernetesCluster", name, {}, opts);
    const target = args.target ?? stackTarget();
    const entry = kubernetesTargets[target];
    if (!provides(entry)) throw new pulumi.RunError(`${name}: ${target} has no cluster: ${entry.omitted}.`);
    honour(this, name, target, args, entry.unsupported);
    const { host, nodes } = entry.provision(
      name,
      { ...args, nodes: args.nodes ?? 1, nodeGB: args.nodeGB ?? 20 },
      { parent: this },
    );
    this.host = host;
    this.nodes = nodes;
    this.registerOutputs({ address: host.address });
  }
}
