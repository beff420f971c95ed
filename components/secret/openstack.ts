import * as pulumi from "@pulumi/pulumi";
import { SecretV1 } from "@pulumi/openstack/keymanager/secretV1.js";
import { tagMap } from "../tags.ts";
import type { SecretTarget } from "./index.ts";
import { mountedSecrets } from "./mount.ts";

export const openstack: SecretTarget = {
  unsupported: {},
  provision(name, { tags, value }, opts) {
    if (value === undefined) throw new pulumi.RunError(`${name}: a secret needs its value on openstack.`);
    const payload = pulumi.secret(value);
    const secret = new SecretV1(
      name,
      {
        secretType: "opaque",
        payload,
        payloadContentType: "text/plain",
        metadata: tagMap(tags),
      },
      opts,
    );
    return {
      binding: { driver: "file", path: `${mountedSecrets}/${name}` },
      reference: secret.secretRef,
      value: payload,
      nodes: { secret },
    };
  },
};
