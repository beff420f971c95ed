import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { ContainerObject } from "@pulumi/openstack/objectstorage/containerObject.js";
import type { MachineHost } from "../cluster/host.ts";
import { tagMap } from "../tags.ts";
import { registryOf } from "./image.ts";
import { type Runner, uid, type Workload } from "./runner.ts";
import { unit } from "./unit.ts";

/** What hands workloads to a machine: two objects each, for `cluster/vm/sync.py`. */
export function runnerOn(host: MachineHost): Runner {
  return { kind: host.kind, run: (workload, opts) => run(host, workload, opts) };
}

function run(
  { workloads }: MachineHost,
  { name, tags, image, login, memoryBytes, cpus, port, allowFrom, config, secrets, authorities }: Workload,
  opts: pulumi.CustomResourceOptions,
): Record<string, pulumi.Resource> {
  // Two objects, so that a plan shows the unit whole: what is in the other one is only known after the deployment.
  const text = unit({
    name,
    image,
    uid,
    memoryBytes,
    cpus,
    hasAuthorities: authorities !== undefined,
    hasLogin: login !== undefined,
    ...(allowFrom.length > 0 ? { publish: port } : {}),
  });
  const object = { containerName: workloads, metadata: tagMap(tags) };
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
        config,
        secrets: secrets.map(({ file, reference }) => ({ file, reference })),
        ...(authorities && { ca: authorities.join("") }),
        ...(login && {
          registry: {
            server: registryOf(image),
            username: login.username,
            password: login.password.reference,
          },
        }),
      }),
    },
    { ...opts, dependsOn: service },
  );
  return { service, workload };
}
