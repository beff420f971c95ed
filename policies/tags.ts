import type { ResourceValidationArgs } from "@pulumi/policy";
import { ifKnown } from "./if-known.ts";
import type { ResourceRule } from "./rule.ts";

/** Where each type of resource holds tags: a map by key, or a list of `key=value`. A type that is not here holds none. */
export const tagInputs: Readonly<Record<string, "metadata" | "tags">> = {
  "openstack:blockstorage/volume:Volume": "metadata",
  "openstack:blockstorage/volumeV1:VolumeV1": "metadata",
  "openstack:blockstorage/volumeV2:VolumeV2": "metadata",
  "openstack:compute/instance:Instance": "metadata",
  "openstack:identity/project:Project": "tags",
  "openstack:images/image:Image": "tags",
  "openstack:keymanager/secretV1:SecretV1": "metadata",
  "openstack:loadbalancer/listener:Listener": "tags",
  "openstack:loadbalancer/loadBalancer:LoadBalancer": "tags",
  "openstack:networking/floatingIp:FloatingIp": "tags",
  "openstack:networking/network:Network": "tags",
  "openstack:networking/port:Port": "tags",
  "openstack:networking/qosPolicy:QosPolicy": "tags",
  "openstack:networking/router:Router": "tags",
  "openstack:networking/secGroup:SecGroup": "tags",
  "openstack:networking/subnet:Subnet": "tags",
  "openstack:networking/subnetPool:SubnetPool": "tags",
  "openstack:networking/trunk:Trunk": "tags",
  "openstack:objectstorage/container:Container": "metadata",
  "openstack:objectstorage/containerObject:ContainerObject": "metadata",
  "openstack:orchestration/stackV1:StackV1": "tags",
  "openstack:sharedfilesystem/share:Share": "metadata",
};

const required = ["owner", "stack", "environment", "cost-centre"];

/** A resource's tags by key, those that a plan does not know yet with no value. Undefined: its type holds none. */
export function tagsOf({ type, props }: Pick<ResourceValidationArgs, "type" | "props">) {
  const input = tagInputs[type];
  if (input === undefined) return undefined;
  const held: unknown = ifKnown(() => props[input]);
  const tags = new Map<string, string | undefined>();
  if (typeof held !== "object" || held === null) return input in props && held === undefined ? undefined : tags;
  for (const name of Object.keys(held)) {
    const value: unknown = ifKnown(() => Reflect.get(held, name));
    const known = typeof value === "string" ? value : undefined;
    if (!Array.isArray(held)) tags.set(name, known);
    else if (known !== undefined) {
      const [key = "", ...rest] = known.split("=");
      tags.set(key, rest.join("="));
    }
  }
  return tags;
}

export const requireOwner: ResourceRule = {
  name: "tags-require-owner",
  description: "Everything that can hold tags must say whose it is, where it belongs and who pays for it.",
  severity: "medium",
  remediationSteps: `Give it the tags ${required.join(", ")}: as metadata where it has some, else as tags of the form key=value.`,
  references: [
    {
      name: "Well-Architected COST03-BP02",
      url: "https://docs.aws.amazon.com/wellarchitected/latest/framework/cost_monitor_usage_org_information.html",
    },
    { name: "Neutron tags", url: "https://docs.openstack.org/api-ref/network/v2/#standard-attributes-tag-extension" },
  ],
  enforcementLevel: "mandatory",
  validateResource(resource, report) {
    const tags = tagsOf(resource);
    if (tags === undefined) return;
    const missing = required.filter((tag) => !tags.has(tag) || tags.get(tag) === "");
    if (missing.length > 0)
      report(`${resource.name} must carry the tags ${required.join(", ")}, and lacks ${missing.join(", ")}.`);
  },
};

export const rules = [requireOwner];
