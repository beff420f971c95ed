import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { ApplicationCredential } from "@pulumi/openstack/identity/applicationCredential.js";
import { SecretV1 } from "@pulumi/openstack/keymanager/secretV1.js";
import { ContainerObject } from "@pulumi/openstack/objectstorage/containerObject.js";
import { ProcessorConfig } from "@cais/spec/bindings.ts";
import { keystone } from "../keystone.ts";
import { storeCredential } from "../secret/mount.ts";
import { tagMap } from "../tags.ts";
import type { ProcessorTarget } from "./index.ts";
import { unit } from "./unit.ts";

/** The user in the container. No user of the machine has this id. */
const uid = 10_001;

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
    if (image === undefined || !/^[\w.:/-]+@sha256:[0-9a-f]{64}$/.test(image))
      throw new pulumi.RunError(
        `${name}: the image is ${image ?? "missing"}; name one with its digest: pulumi config set cais:image <registry>/<name>@sha256:<64 hex digits>`,
      );

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
    const secret = new SecretV1(
      `${name}-stores`,
      {
        secretType: "opaque",
        payload: pulumi.secret(pulumi.jsonStringify({ id: credential.id, secret: credential.secret })),
        payloadContentType: "text/plain",
        metadata: tagMap(tags),
      },
      opts,
    );
    const secrets = [{ file: storeCredential, reference: secret.secretRef }];
    // Stacks may share one.
    const used = new Set(
      [token ?? [], ...pipelines.map(({ events, secrets }) => [events.secret ?? [], Object.values(secrets)])].flat(2),
    );
    for (const { binding, reference } of used) if (reference) secrets.push({ file: fileName(binding.path), reference });

    const { ca } = keystone();
    // Two objects, so that a plan shows the unit whole: what is in the other one is only known after the deployment.
    const text = unit({
      name,
      image,
      uid,
      memoryBytes: limits.memoryBytes,
      cpus: limits.cpus,
      hasAuthorities: ca !== undefined,
      hasLogin: registry !== undefined,
      ...(allowFrom.length > 0 ? { publish: port } : {}),
    });
    const object = { containerName: cluster.host.workloads, metadata: tagMap(tags) };
    const service = new ContainerObject(
      `${name}-unit`,
      { ...object, name: `${name}.service`, contentType: "text/plain", content: text },
      opts,
    );
    const workload = new ContainerObject(
      name,
      {
        ...object,
        name: `${name}.json`,
        contentType: "application/json",
        content: pulumi.jsonStringify({
          version: 1,
          unitSha256: createHash("sha256").update(text).digest("hex"),
          uid,
          config: pulumi.output(config).apply((known) => ProcessorConfig.parse(known)),
          secrets,
          ...(ca && { ca: ca.join("") }),
          ...(registry && {
            registry: {
              server: registryOf(image),
              username: registry.username,
              password: registry.password.reference,
            },
          }),
        }),
      },
      { ...opts, dependsOn: service },
    );
    return { nodes: { credential, secret, service, workload } };
  },
};

/**
 * As Docker's config calls the registry of an image:
 * https://pkg.go.dev/github.com/distribution/reference#ParseNormalizedNamed
 */
function registryOf(image: string): string {
  const [first = "", ...rest] = image.split("/");
  return rest.length > 0 && /[.:]|^localhost$/.test(first) ? first : "https://index.docker.io/v1/";
}

const fileName = (path: string) => path.slice(path.lastIndexOf("/") + 1);
