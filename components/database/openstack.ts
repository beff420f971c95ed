import * as pulumi from "@pulumi/pulumi";
import { Instance } from "@pulumi/openstack/database/instance.js";
import type { DatabaseTarget } from "./index.ts";

export const openstack: DatabaseTarget = {
  unsupported: {},
  provision(name, { network, version, machine, diskGB, owner, password, deletable }, opts) {
    const instance = new Instance(
      name,
      {
        datastore: { type: "postgresql", version },
        flavorId: machine,
        size: diskGB,
        networks: [{ uuid: network.place.networkId }],
        databases: [{ name: owner }],
        users: [{ name: owner, password: pulumi.secret(password), databases: [owner] }],
      },
      { ...opts, protect: !deletable },
    );
    return {
      address: instance.addresses.apply((addresses) => addresses[0] ?? ""),
      nodes: { instance },
    };
  },
};
