import * as pulumi from "@pulumi/pulumi";
import type { Network } from "../network/index.ts";
import type { Tags } from "../tags.ts";
import { provides, stackTarget, type BuiltTarget, type Omitted, type TargetTable } from "../target.ts";
import { honour, type Unsupported } from "../unsupported.ts";
import { openstack } from "./openstack.ts";

/** One of the APIs behind a balancer. */
export interface Door {
  /** Port that callers use. */
  port: number;
  /** Who may call it (CIDRs). */
  allowFrom: string[];
  /** Port of the machine that calls are passed on to. */
  passTo: number;
}

export interface LoadBalancerArgs {
  tags: Tags;
  network: Network;
  /** Certificate and key with which it speaks TLS: the address of a secret in the provider's store (Barbican: PKCS #12). */
  certificate: string;
  /** The machine that calls are passed on to, over plain HTTP within the network. */
  machine: pulumi.Input<string>;
  /** What it is called for, by name. */
  doors: Record<string, Door>;
  /** What a machine that can take calls answers with 200. Default: /readyz. */
  healthPath?: string | undefined;
  /** Gives it a public address. Default: false. */
  publicAddress?: boolean | undefined;
  /** Default: what `cais:target` names. */
  target?: BuiltTarget | undefined;
}

export interface LoadBalancerTarget {
  readonly unsupported: Unsupported<LoadBalancerArgs>;
  provision(
    name: string,
    args: LoadBalancerArgs & { healthPath: string },
    opts: pulumi.CustomResourceOptions,
  ): { address: pulumi.Output<string>; nodes: Record<string, pulumi.Resource> };
}

export const loadBalancerTargets = {
  local: { omitted: "the processor listens on this machine's loopback" },
  openstack,
} satisfies TargetTable<LoadBalancerTarget | Omitted>;

/** Ends TLS in front of a machine's APIs, and lets in whom it is told to. */
export class LoadBalancer extends pulumi.ComponentResource {
  /** Where it is called: its public address, else the private one. */
  readonly address: pulumi.Output<string>;
  readonly nodes: Record<string, pulumi.Resource>;

  constructor(name: string, args: LoadBalancerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("cais:network:LoadBalancer", name, {}, opts);
    const target = args.target ?? stackTarget();
    const entry = loadBalancerTargets[target];
    if (!provides(entry)) throw new pulumi.RunError(`${name}: ${target} has no load balancer: ${entry.omitted}.`);
    honour(this, name, target, args, entry.unsupported, ["doors", "certificate"]);
    const healthPath = args.healthPath ?? "/readyz";
    const { address, nodes } = entry.provision(name, { ...args, healthPath }, { parent: this });
    this.address = address;
    this.nodes = nodes;
    this.registerOutputs({ address });
  }
}
