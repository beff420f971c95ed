import * as pulumi from "@pulumi/pulumi";
import type { DatabaseHost } from "../database-server/index.ts";
import { deletable } from "../protection.ts";
import { provides, stackTarget, type BuiltTarget, type Omitted, type TargetTable } from "../target.ts";
import { honour, type Unsupported } from "../unsupported.ts";
import { openstack } from "./openstack.ts";

export interface DatabaseArgs {
  /** The pipeline stack that it is for; database and user are named after it. */
  stack: string;
  /** The server that it is made in. */
  server: DatabaseHost;
  /** The user's password. */
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
    args: Omit<DatabaseArgs, "allowDataDeletion"> & { deletable: boolean },
    opts: pulumi.CustomResourceOptions,
  ): { owner: string; nodes: Record<string, pulumi.Resource> };
}

export const databaseTargets = {
  local: { omitted: "a `database` sink delivers to any Postgres that its secret names" },
  openstack,
} satisfies TargetTable<DatabaseTarget | Omitted>;

/** A database of its own in a Postgres, and a user who may use that one alone. */
export class Database extends pulumi.ComponentResource {
  /** As a `database` sink takes it, password and all: a secret. It says so where the connection is not encrypted. */
  readonly url: pulumi.Output<string>;
  readonly nodes: Record<string, pulumi.Resource>;

  constructor(name: string, args: DatabaseArgs, opts?: pulumi.ComponentResourceOptions) {
    super("cais:storage:Database", name, {}, opts);
    const target = args.target ?? stackTarget();
    const entry = databaseTargets[target];
    if (!provides(entry)) throw new pulumi.RunError(`${name}: ${target} has no database: ${entry.omitted}.`);
    honour(this, name, target, args, entry.unsupported);
    const { allowDataDeletion = false, ...rest } = args;
    const { owner, nodes } = entry.provision(
      name,
      { ...rest, deletable: deletable(this, name, allowDataDeletion) },
      { parent: this },
    );
    const { address, tls } = args.server;
    this.url = pulumi.secret(
      pulumi.interpolate`postgres://${owner}:${pulumi.output(args.password).apply(encodeURIComponent)}@${address}:5432/${owner}${tls ? "" : "?sslmode=disable"}`,
    );
    this.nodes = nodes;
    this.registerOutputs({ owner });
  }
}
