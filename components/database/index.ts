import * as pulumi from "@pulumi/pulumi";
import type { Network } from "../network/index.ts";
import { deletable } from "../protection.ts";
import { provides, stackTarget, type BuiltTarget, type Omitted, type TargetTable } from "../target.ts";
import { honour, type Unsupported } from "../unsupported.ts";
import { openstack } from "./openstack.ts";

export interface DatabaseArgs {
  network: Network;
  /** Version of Postgres, as the provider names it, such as `16`. */
  version: string;
  /** The machine's size by its id: the provider's database service takes no name. */
  machine: string;
  /** Size of its disk. Default: 10. */
  diskGB?: number | undefined;
  /** Name of the database, and of the user who owns it. Default: cais. */
  owner?: string | undefined;
  /** That user's password. */
  password: pulumi.Input<string>;
  /** First of the two switches for deleting the data; `cais:allowDataDeletion` is the second. Default: false. */
  allowDataDeletion?: boolean | undefined;
  /** Default: what `cais:target` names. */
  target?: BuiltTarget | undefined;
}

export interface DatabaseTarget {
  readonly unsupported: Unsupported<DatabaseArgs>;
  provision(
    name: string,
    args: Omit<DatabaseArgs, "allowDataDeletion"> & { diskGB: number; owner: string; deletable: boolean },
    opts: pulumi.CustomResourceOptions,
  ): { address: pulumi.Output<string>; nodes: Record<string, pulumi.Resource> };
}

export const databaseTargets = {
  local: { omitted: "a `database` sink delivers to any Postgres that its secret names" },
  openstack,
} satisfies TargetTable<DatabaseTarget | Omitted>;

/** A Postgres in the private network. For what a stack's own `program.ts` makes: give `url` to a secret that a sink names. */
export class Database extends pulumi.ComponentResource {
  /** As a `database` sink takes it, password and all: a secret. */
  readonly url: pulumi.Output<string>;
  readonly nodes: Record<string, pulumi.Resource>;

  constructor(name: string, args: DatabaseArgs, opts?: pulumi.ComponentResourceOptions) {
    super("cais:storage:Database", name, {}, opts);
    const target = args.target ?? stackTarget();
    const entry = databaseTargets[target];
    if (!provides(entry)) throw new pulumi.RunError(`${name}: ${target} has no database: ${entry.omitted}.`);
    honour(this, name, target, args, entry.unsupported);
    const { allowDataDeletion = false, owner = "cais", ...rest } = args;
    const { address, nodes } = entry.provision(
      name,
      { ...rest, owner, diskGB: args.diskGB ?? 10, deletable: deletable(this, name, allowDataDeletion) },
      { parent: this },
    );
    this.url = pulumi.secret(
      pulumi
        .all([args.password, address])
        .apply(([password, host]) => `postgres://${owner}:${encodeURIComponent(password)}@${host}:5432/${owner}`),
    );
    this.nodes = nodes;
    this.registerOutputs({ address });
  }
}
