import { ifKnown } from "./if-known.ts";
import { textOf } from "./inputs.ts";
import type { ResourceRule } from "./rule.ts";
import { environment, policySettings } from "./settings.ts";

/** Which inputs of each type name the size of a machine: a flavor, by name or id. */
export const machineInputs: Readonly<Record<string, readonly string[]>> = {
  "openstack:compute/instance:Instance": ["flavorName", "flavorId"],
  "openstack:containerinfra/cluster:Cluster": ["flavor", "masterFlavor"],
  "openstack:containerinfra/clusterTemplate:ClusterTemplate": ["flavor", "masterFlavor"],
  "openstack:containerinfra/nodeGroup:NodeGroup": ["flavorId"],
  "openstack:database/instance:Instance": ["flavorId"],
};

/** Which inputs of each type say how large a disk is, in GB. */
export const diskInputs: Readonly<Record<string, readonly string[]>> = {
  "openstack:blockstorage/volume:Volume": ["size"],
  "openstack:blockstorage/volumeV1:VolumeV1": ["size"],
  "openstack:blockstorage/volumeV2:VolumeV2": ["size"],
  "openstack:containerinfra/cluster:Cluster": ["dockerVolumeSize"],
  "openstack:containerinfra/clusterTemplate:ClusterTemplate": ["dockerVolumeSize"],
  "openstack:containerinfra/nodeGroup:NodeGroup": ["dockerVolumeSize"],
  "openstack:database/instance:Instance": ["size"],
  "openstack:sharedfilesystem/share:Share": ["size"],
};

const references = [
  {
    name: "Well-Architected COST02-BP05",
    url: "https://docs.aws.amazon.com/wellarchitected/latest/framework/cost_govern_usage_controls.html",
  },
] as const;

export const disallowUnlistedMachine: ResourceRule = {
  name: "size-disallow-unlisted-machine",
  description: "Machines must be of a size that the environment allows, and production must say which those are.",
  severity: "medium",
  remediationSteps:
    "Choose an allowed size, or allow this one: pulumi config set --path 'cais:policies.machines[0]' <flavor>, with the next free number where there are some; m1.* stands for all that begin so.",
  references,
  enforcementLevel: "mandatory",
  validateResource({ type, name, props }, report) {
    const { machines } = policySettings();
    for (const input of machineInputs[type] ?? []) {
      const size = textOf(props, input);
      if (size === undefined) continue;
      if (machines === undefined) {
        if (environment() === "prod")
          report(`${name} must be of a size that prod allows, and cais:policies.machines names none.`);
        return;
      }
      if (!machines.some((allowed) => fits(size, allowed)))
        report(`${name} must be of a size that is allowed (${machines.join(", ")}), and its ${input} is ${size}.`);
    }
  },
};

export const disallowLargeDisk: ResourceRule = {
  name: "size-disallow-large-disk",
  description: "Disks must be no larger than the environment allows.",
  severity: "medium",
  remediationSteps: "Ask for less, or raise cais:policies.diskGB.",
  references,
  enforcementLevel: "mandatory",
  validateResource({ type, name, props }, report) {
    const { diskGB } = policySettings();
    if (diskGB === undefined) return;
    const sizes = (diskInputs[type] ?? []).map((input) => [input, ifKnown((): unknown => props[input])] as const);
    const blockDevices: unknown =
      type === "openstack:compute/instance:Instance" && ifKnown(() => props["blockDevices"]);
    if (Array.isArray(blockDevices))
      for (const index of blockDevices.keys())
        sizes.push([
          `blockDevices[${index}].volumeSize`,
          ifKnown((): unknown => Reflect.get(blockDevices[index], "volumeSize")),
        ]);
    for (const [input, size] of sizes)
      if (typeof size === "number" && size > diskGB)
        report(`${name} must have at most ${diskGB} GB, and its ${input} is ${size}.`);
  },
};

/** `*` stands for any characters. */
const fits = (size: string, allowed: string) =>
  new RegExp(`^${allowed.replaceAll(/[^\w*]/g, "\\$&").replaceAll("*", ".*")}$`).test(size);

export const rules = [disallowUnlistedMachine, disallowLargeDisk];
