import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { Instance } from "@pulumi/openstack/compute/instance.js";
import { StackV1 } from "@pulumi/openstack/orchestration/stackV1.js";
import { parseDocument, stringify } from "yaml";

/** What the machine of a cluster is made of. */
export interface Machine {
  flavor: string;
  image: string;
  port: pulumi.Output<string>;
  stateVolume: pulumi.Output<string>;
  userData: pulumi.Output<string>;
  metadata: Record<string, string>;
}

/** The machine as a server of Nova. */
export function server(
  name: string,
  { flavor, image, port, stateVolume, userData, metadata }: Machine,
  opts: pulumi.CustomResourceOptions,
): Instance {
  return new Instance(
    name,
    {
      flavorName: flavor,
      imageId: image,
      networks: [{ port }],
      // The volume is part of the server and not attached afterwards, so that a stopping server unmounts it before it goes.
      blockDevices: [
        { sourceType: "image", uuid: image, destinationType: "local", bootIndex: 0, deleteOnTermination: true },
        {
          sourceType: "volume",
          uuid: stateVolume,
          destinationType: "volume",
          bootIndex: -1,
          deleteOnTermination: false,
        },
      ],
      stopBeforeDestroy: true,
      userData,
      metadata,
    },
    opts,
  );
}

/**
 * The same machine as a Heat stack, for who looks after a project by its stacks. Heat would make a new server before it
 * deletes the old one, and port and volume belong to one at a time: so a change replaces the stack as a whole.
 */
export function heatStack(
  name: string,
  { flavor, image, port, stateVolume, userData, metadata }: Machine,
  opts: pulumi.CustomResourceOptions,
): StackV1 {
  // What is known stands in the template, where the policies can read it: the environment is a secret as a whole.
  const template = parseDocument(readFileSync(new URL("vm/heat.yaml", import.meta.url), "utf8"));
  for (const [parameter, value] of Object.entries({ name, flavor, image, metadata }))
    template.setIn(["parameters", parameter, "default"], value);
  // Not by the argument `parameters`: the provider takes what Heat answers (******, where one is hidden) for what was asked, and
  // finds a change at every deployment. Without an environment it sends nothing at all.
  const parameters = pulumi
    .all([port, stateVolume, userData])
    .apply(([port, state_volume, user_data]) => stringify({ parameters: { port, state_volume, user_data } }));
  return new StackV1(
    name,
    {
      templateOpts: { Bin: template.toString({ lineWidth: 0 }) },
      environmentOpts: { Bin: parameters },
      // A stack that failed is looked at, and the next deployment replaces it.
      disableRollback: true,
      tags: Object.entries(metadata).map(([key, value]) => `${key}=${value}`),
    },
    { ...opts, replaceOnChanges: ["environmentOpts", "templateOpts"], ignoreChanges: ["parameters"] },
  );
}
