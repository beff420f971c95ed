import * as pulumi from "@pulumi/pulumi";
import type { Network } from "../network/index.ts";
import { deletable } from "../protection.ts";
import { provides, stackTarget, type BuiltTarget, type Omitted, type TargetTable } from "../target.ts";
import { honour, type Unsupported } from "../unsupported.ts";
import { openstack } from "./openstack.ts";

export interface DatabaseServerArgs {
  network: Network;
  /** Version of Postgres, as the provider names it, such as `16`. */
  version: string;
  /** The machine's size by its id: the provider's database service takes no name. */
  machine: string;
  /** Size of its disk. Default: 10. */
  diskGB?: number | undefined;
  /** Kind of that disk, such as an encrypted one. Default: the provider's. */
  diskType?: string | undefined;
  /** Whether connections are encrypted and the server's certificate is checked. Default: true. */
  tls?: boolean | undefined;
  /** First of the two switches for deleting the data; `cais:allowDataDeletion` is the second. Default: false. */
  allowDataDeletion?: boolean | undefined;
  /** Default: what `cais:target` names. */
  target?: BuiltTarget | undefined;
}

/** Where databases are made, in this Pulumi stack or by the one that it refers to. */
export interface DatabaseHost {
  /** The provider's id of the server. */
  readonly id: pulumi.Output<string>;
  /** Where it is reached within its network. */
  readonly address: pulumi.Output<string>;
  /** As `DatabaseServerArgs.tls`. */
  readonly tls: boolean;
}

export interface DatabaseServerTarget {
  readonly unsupported: Unsupported<DatabaseServerArgs>;
  provision(
    name: string,
    args: Omit<DatabaseServerArgs, "allowDataDeletion"> & { diskGB: number; tls: boolean; deletable: boolean },
    opts: pulumi.CustomResourceOptions,
  ): { host: DatabaseHost; nodes: Record<string, pulumi.Resource> };
}

export const databaseServerTargets = {
  local: { omitted: "a `database` sink delivers to any Postgres that its secret names" },
  openstack,
} satisfies TargetTable<DatabaseServerTarget | Omitted>;

/** A Postgres in the private network, empty: a `Database` is what a pipeline stack has in it. */
export class DatabaseServer extends pulumi.ComponentResource {
  readonly host: DatabaseHost;
  readonly nodes: Record<string, pulumi.Resource>;

  constructor(name: string, args: DatabaseServerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("cais:storage:DatabaseServer", name, {}, opts);
    const target = args.target ?? stackTarget();
    const entry = databaseServerTargets[target];
    if (!provides(entry)) throw new pulumi.RunError(`${name}: ${target} has no database: ${entry.omitted}.`);
    honour(this, name, target, args, entry.unsupported);
    const { allowDataDeletion = false, tls = true, diskGB = 10, ...rest } = args;
    const { host, nodes } = entry.provision(
      name,
      { ...rest, diskGB, tls, deletable: deletable(this, name, allowDataDeletion) },
      { parent: this },
    );
    this.host = host;
    this.nodes = nodes;
    this.registerOutputs({ address: host.address });
  }
}
