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
  /** Kind of that disk, such as an encrypted one. Default: the provider's. */
  diskType?: string | undefined;
  /** The first password of the user `cais`, who may do all in the database `cais`. Another one does not change the user. */
  password: pulumi.Input<string>;
  /** Whether connections are encrypted and the server's certificate is checked. Default: true. */
  tls?: boolean | undefined;
  /** First of the two switches for deleting the data; `cais:allowDataDeletion` is the second. Default: false. */
  allowDataDeletion?: boolean | undefined;
  /** Default: what `cais:target` names. */
  target?: BuiltTarget | undefined;
}

/** Where a database is, of this Pulumi stack or of the one that it refers to. */
export interface DatabaseHost {
  readonly address: pulumi.Output<string>;
  /** As `DatabaseArgs.tls`. */
  readonly tls: boolean;
}

export interface DatabaseTarget {
  readonly unsupported: Unsupported<DatabaseArgs>;
  provision(
    name: string,
    args: Omit<DatabaseArgs, "allowDataDeletion"> & { diskGB: number; owner: string; tls: boolean; deletable: boolean },
    opts: pulumi.CustomResourceOptions,
  ): { address: pulumi.Output<string>; nodes: Record<string, pulumi.Resource> };
}

export const databaseTargets = {
  local: { omitted: "a `database` sink delivers to any Postgres that its secret names" },
  openstack,
} satisfies TargetTable<DatabaseTarget | Omitted>;

/** Of the database and of its user. */
const owner = "cais";

/** A Postgres in the private network, for the pipeline stacks that take it: each has its schema. */
export class Database extends pulumi.ComponentResource {
  readonly host: DatabaseHost;
  readonly nodes: Record<string, pulumi.Resource>;

  constructor(name: string, args: DatabaseArgs, opts?: pulumi.ComponentResourceOptions) {
    super("cais:storage:Database", name, {}, opts);
    const target = args.target ?? stackTarget();
    const entry = databaseTargets[target];
    if (!provides(entry)) throw new pulumi.RunError(`${name}: ${target} has no database: ${entry.omitted}.`);
    honour(this, name, target, args, entry.unsupported);
    const { allowDataDeletion = false, tls = true, diskGB = 10, ...rest } = args;
    const { address, nodes } = entry.provision(
      name,
      { ...rest, diskGB, owner, tls, deletable: deletable(this, name, allowDataDeletion) },
      { parent: this },
    );
    this.host = { address, tls };
    this.nodes = nodes;
    this.registerOutputs({ address });
  }
}

/** The address as a `database` sink takes it, password and all: a secret. It says so where the connection is not encrypted. */
export const databaseUrl = ({ address, tls }: DatabaseHost, password: pulumi.Input<string>): pulumi.Output<string> =>
  pulumi.secret(
    pulumi
      .all([password, address])
      .apply(
        ([password, host]) =>
          `postgres://${owner}:${encodeURIComponent(password)}@${host}:5432/${owner}${tls ? "" : "?sslmode=disable"}`,
      ),
  );
