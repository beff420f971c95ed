import { Container } from "@pulumi/openstack/objectstorage/container.js";
import { keystone } from "../keystone.ts";
import { mountedAuthorities, mountedSecrets, storeCredential } from "../secret/mount.ts";
import { tagMap } from "../tags.ts";
import type { ObjectStoreTarget } from "./index.ts";

export const openstack: ObjectStoreTarget = {
  unsupported: {},
  provision(name, { tags, role, versioned, announced, deletable, tempUrlKey }, opts) {
    const container = new Container(
      name,
      {
        versioning: versioned,
        forceDestroy: deletable,
        // operators/swift-webhook tells of the containers that say so.
        metadata: { ...tagMap(tags), role, ...(announced ? { webhook: "on" } : {}) },
      },
      { ...opts, protect: !deletable },
    );
    const { ca, ...cloud } = keystone();
    return {
      binding: {
        driver: "swift",
        ...cloud,
        ...(ca && { ca: mountedAuthorities }),
        container: container.name,
        credential: { driver: "file", path: `${mountedSecrets}/${storeCredential}` },
        ...(tempUrlKey && { tempUrlKey: tempUrlKey.binding }),
      },
      nodes: { container },
    };
  },
};
