import * as pulumi from "@pulumi/pulumi";
import { ApplicationCredential } from "@pulumi/openstack/identity/applicationCredential.js";
import { SecretV1 } from "@pulumi/openstack/keymanager/secretV1.js";
import { ProcessorConfig } from "@cais/spec/bindings.ts";
import { keystone } from "../keystone.ts";
import type { Secret } from "../secret/index.ts";
import { storeCredential } from "../secret/mount.ts";
import { tagMap } from "../tags.ts";
import { pinned } from "./image.ts";
import type { ProcessorTarget } from "./index.ts";
import type { MountedSecret } from "./runner.ts";

/** What the processor does with the objects of each store. It lists every store; only the lake's files are ever deleted. */
const methods = {
  // A file that was sent twice is not kept twice, and a stack may ask that it goes after its load.
  input: ["GET", "HEAD", "PUT", "DELETE"],
  lake: ["GET", "HEAD", "PUT", "DELETE"],
  output: ["GET", "HEAD", "PUT"],
};

export const openstack: ProcessorTarget = {
  unsupported: {},
  provision(name, { tags, pipelines, cluster, image, registry, limits, port, allowFrom = [], token, config }, opts) {
    if (cluster === undefined)
      throw new pulumi.RunError(`${name}: on openstack a processor needs a cluster to run on.`);
    // Keystone takes an empty list of access rules for no restriction at all.
    if (pipelines.length === 0)
      throw new pulumi.RunError(
        `${name}: no stack asks for the environment ${tags.environment}, so there is nothing to serve; add it to \`environments\` in a stacks/<name>/stack.yaml.`,
      );
    const pinnedImage = pinned(name, image);

    const credential = new ApplicationCredential(
      `${name}-stores`,
      {
        description: "What the processor may do: the objects of its stacks' stores",
        unrestricted: false,
        accessRules: pipelines.flatMap(({ stores }) =>
          (["input", "lake", "output"] as const).flatMap((role) => {
            const { binding } = stores[role];
            if (binding.driver !== "swift")
              throw new pulumi.RunError(`${name}: the ${role} store is ${binding.driver}, and openstack has swift.`);
            const path = pulumi.interpolate`/v1/AUTH_*/${binding.container}`;
            return [
              { service: "object-store", method: "GET", path },
              ...methods[role].map((method) => ({
                service: "object-store",
                method,
                path: pulumi.interpolate`${path}/**`,
              })),
              // What a large file that was replaced was made of, and what an upload that broke off left.
              ...(role === "output"
                ? [{ service: "object-store", method: "DELETE", path: pulumi.interpolate`${path}/.cais-segments/**` }]
                : []),
            ];
          }),
        ),
      },
      opts,
    );
    const payload = pulumi.secret(pulumi.jsonStringify({ id: credential.id, secret: credential.secret }));
    const secret = new SecretV1(
      `${name}-stores`,
      {
        secretType: "opaque",
        payload,
        payloadContentType: "text/plain",
        metadata: tagMap(tags),
      },
      opts,
    );
    const stores = { file: storeCredential, value: payload, reference: secret.secretRef };
    // Stacks may share one.
    const used = new Set(
      [token ?? [], ...pipelines.map(({ events, secrets }) => [events.secret ?? [], Object.values(secrets)])].flat(2),
    );
    const nodes = cluster.run(
      {
        name,
        tags,
        image: pinnedImage,
        login: registry && { username: registry.username, password: mounted(registry.password) },
        memoryBytes: limits.memoryBytes,
        cpus: limits.cpus,
        port,
        allowFrom,
        config: pulumi.output(config).apply((known) => ProcessorConfig.parse(known)),
        secrets: [stores, ...[...used].map(mounted)],
        authorities: keystone().ca,
      },
      opts,
    );
    return { nodes: { credential, secret, ...nodes } };
  },
};

function mounted({ binding, value, reference }: Secret): MountedSecret {
  const file = fileName(binding.path);
  if (value === undefined || reference === undefined)
    throw new pulumi.RunError(`${file}: on openstack a secret is kept by Barbican, and this one is not.`);
  return { file, value, reference };
}

const fileName = (path: string) => path.slice(path.lastIndexOf("/") + 1);
