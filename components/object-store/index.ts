import * as pulumi from "@pulumi/pulumi";
import type { ObjectStoreBinding } from "@cais/spec/bindings.ts";
import type { Bound } from "../bound.ts";
import { deletable } from "../protection.ts";
import type { Secret } from "../secret/index.ts";
import type { Tags } from "../tags.ts";
import { stackTarget, type BuiltTarget, type TargetTable } from "../target.ts";
import { honour, type Unsupported } from "../unsupported.ts";
import { local } from "./local.ts";
import { openstack } from "./openstack.ts";

export interface ObjectStoreArgs {
  tags: Tags;
  /** What it holds, such as `input`: tells a stack's stores apart. */
  role: string;
  /** Keeps what an overwrite or a deletion replaces, and never lets it go. Default: true. */
  versioned?: boolean;
  /** Has the store's proxy tell of each new object, where its operator lets it. Default: false. */
  announced?: boolean;
  /**
   * Signs addresses with which files go to the store and from it without passing through the processor; its operator sets the
   * same on the store. Default: there are no such addresses.
   */
  tempUrlKey?: Secret | undefined;
  /** First of the two switches for deleting the store with all it holds; `cais:allowDataDeletion` is the second. Default: false. */
  allowDataDeletion?: boolean;
  /** Default: what `cais:target` names. */
  target?: BuiltTarget;
}

export interface ObjectStoreTarget {
  readonly unsupported: Unsupported<ObjectStoreArgs>;
  provision(
    name: string,
    args: {
      tags: Tags;
      role: string;
      versioned: boolean;
      announced: boolean;
      deletable: boolean;
      tempUrlKey: Secret | undefined;
    },
    opts: pulumi.CustomResourceOptions,
  ): { binding: Bound<ObjectStoreBinding>; nodes: Record<string, pulumi.Resource> };
}

export const objectStoreTargets = { local, openstack } satisfies TargetTable<ObjectStoreTarget>;

/** A private store of objects addressed by key. */
export class ObjectStore extends pulumi.ComponentResource {
  readonly binding: Bound<ObjectStoreBinding>;
  readonly nodes: Record<string, pulumi.Resource>;

  constructor(name: string, args: ObjectStoreArgs, opts?: pulumi.ComponentResourceOptions) {
    super("cais:storage:ObjectStore", name, {}, opts);
    const target = args.target ?? stackTarget();
    const { unsupported, provision } = objectStoreTargets[target];
    honour(this, name, target, args, unsupported);
    const { binding, nodes } = provision(
      name,
      {
        tags: args.tags,
        role: args.role,
        versioned: args.versioned ?? true,
        announced: args.announced ?? false,
        tempUrlKey: args.tempUrlKey,
        deletable:
          unsupported.allowDataDeletion === undefined && deletable(this, name, args.allowDataDeletion ?? false),
      },
      { parent: this },
    );
    this.binding = binding;
    this.nodes = nodes;
    this.registerOutputs({ binding });
  }
}
