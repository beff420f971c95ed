import * as pulumi from "@pulumi/pulumi";
import { Instance } from "@pulumi/openstack/database/instance.js";
import type { DatabaseTarget } from "./index.ts";

export const openstack: DatabaseTarget = {
  unsupported: {},
  provision(name, { network, version, machine, diskGB, diskType, owner, password, tls, deletable }, opts) {
    if (tls)
      throw new pulumi.RunError(
        `${name}: Trove sets up no TLS in its databases; if the private network may carry what is sent in the clear, say so with: pulumi config set --path cais:platform.database.tls false`,
      );
    const { place } = network;
    if (place.external === undefined)
      void pulumi.log.warn(
        `${name}: the network has no router, and Trove as a rule makes no database in such a one; name the provider's external network with: pulumi config set --path 'cais:platform.network.external.id' <id>, and external.name.`,
        opts.parent,
      );
    const instance = new Instance(
      name,
      {
        datastore: { type: "postgresql", version },
        flavorId: machine,
        size: diskGB,
        networks: [{ uuid: place.networkId }],
        // Only here: Trove's calls for databases and users are for MySQL and MariaDB alone.
        databases: [{ name: owner }],
        users: [{ name: owner, password: pulumi.secret(password), databases: [owner] }],
      },
      {
        ...opts,
        ...diskOf(diskType),
        // Trove looks for the router before it makes the port.
        dependsOn: place.ready,
        // Another password would be another server, without the data.
        ignoreChanges: ["users"],
        protect: !deletable,
      },
    );
    return { address: instance.addresses.apply((addresses) => addresses[0] ?? ""), nodes: { instance } };
  },
};

/**
 * The provider (a build with terraform-provider-openstack 3.4) wants it beside `size`, and the SDK of 3.15.2 drops it, as it
 * does not know of it. What a transformation adds, it does not see.
 */
const diskOf = (volumeType: string | undefined): pulumi.CustomResourceOptions =>
  volumeType === undefined
    ? {}
    : { transformations: [({ props, opts }) => ({ props: { ...props, volumeType }, opts })] };
