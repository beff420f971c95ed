import * as pulumi from "@pulumi/pulumi";
import type { SecretBinding } from "@cais/spec/bindings.ts";
import type { Tags } from "../tags.ts";
import { stackTarget, type BuiltTarget, type TargetTable } from "../target.ts";
import { honour, type Unsupported } from "../unsupported.ts";
import { local } from "./local.ts";
import { openstack } from "./openstack.ts";

export interface SecretArgs {
  tags: Tags;
  /** The secret itself, as the stack's config holds it (encrypted). */
  value?: pulumi.Input<string> | undefined;
  /** Default: what `cais:target` names. */
  target?: BuiltTarget;
}

export interface SecretTarget {
  readonly unsupported: Unsupported<SecretArgs>;
  provision(name: string, args: SecretArgs, opts: pulumi.CustomResourceOptions): ProvisionedSecret;
}

export interface ProvisionedSecret {
  readonly binding: SecretBinding;
  /** Where the target keeps it, for whoever places the file. */
  readonly reference?: pulumi.Output<string>;
  /** The secret itself, for a cluster that keeps a copy. */
  readonly value?: pulumi.Output<string>;
  readonly nodes: Record<string, pulumi.Resource>;
}

/** The component's name of a stack's own secret. Neither name has a _, so no two secrets get the same one. */
export const stackSecret = (stack: string, name: string) => `${stack}_${name}`;

export const secretTargets = { local, openstack } satisfies TargetTable<SecretTarget>;

/** A value that reaches the processor as a file which only it can read. */
export class Secret extends pulumi.ComponentResource {
  readonly binding: SecretBinding;
  readonly reference: pulumi.Output<string> | undefined;
  readonly value: pulumi.Output<string> | undefined;
  readonly nodes: Record<string, pulumi.Resource>;

  constructor(name: string, args: SecretArgs, opts?: pulumi.ComponentResourceOptions) {
    super("cais:security:Secret", name, {}, opts);
    const target = args.target ?? stackTarget();
    const { unsupported, provision } = secretTargets[target];
    honour(this, name, target, args, unsupported, ["value"]);
    const { binding, reference, value, nodes } = provision(name, args, { parent: this });
    this.binding = binding;
    this.reference = reference;
    this.value = value;
    this.nodes = nodes;
    this.registerOutputs({ binding });
  }
}
