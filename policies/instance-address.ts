import { FloatingIp as ComputeFloatingIp } from "@pulumi/openstack/compute/floatingIp.js";
import { FloatingIpAssociate as ComputeAssociate } from "@pulumi/openstack/compute/floatingIpAssociate.js";
import { Instance } from "@pulumi/openstack/compute/instance.js";
import { LoadBalancer } from "@pulumi/openstack/loadbalancer/loadBalancer.js";
import { FloatingIp } from "@pulumi/openstack/networking/floatingIp.js";
import { FloatingIpAssociate } from "@pulumi/openstack/networking/floatingIpAssociate.js";
import { Port } from "@pulumi/openstack/networking/port.js";
import { PortForwardingV2 } from "@pulumi/openstack/networking/portForwardingV2.js";
import { Router } from "@pulumi/openstack/networking/router.js";
import type { PolicyResource } from "@pulumi/policy";
import { ifKnown, knownItems } from "./if-known.ts";
import type { StackRule } from "./rule.ts";

const leadsTo = (resource: PolicyResource, input: string) => resource.propertyDependencies[input] ?? [];

/** Whether an input is there: written in the program, or made of what other resources give. */
const has = (resource: PolicyResource, input: string, read: () => string | undefined) =>
  leadsTo(resource, input).length > 0 || Boolean(ifKnown(read));

const isBalanced = (resource: PolicyResource, input: string) =>
  leadsTo(resource, input).some((owner) => owner.isType(LoadBalancer));

/** Whether a resource gives a machine a public address. One of a load balancer leads to its listeners only. */
function givesAddress(resource: PolicyResource): boolean {
  const address = resource.asType(FloatingIp) ?? resource.asType(FloatingIpAssociate);
  if (address) return has(resource, "portId", () => address.portId) && !isBalanced(resource, "portId");
  if (resource.isType(PortForwardingV2)) return !isBalanced(resource, "internalPortId");
  const instance = resource.asType(Instance);
  if (instance)
    return (
      has(resource, "floatingIp", () => instance.floatingIp) ||
      leadsTo(resource, "networks").some((other) => other.isType(FloatingIp) || other.isType(ComputeFloatingIp)) ||
      knownItems(() => instance.networks).some((network) => Boolean(ifKnown(() => network.floatingIp)))
    );
  return resource.isType(ComputeAssociate);
}

/** Names and ids of the networks that lead outside: where routers lead to, and addresses come from. */
const outsideOf = (resources: readonly PolicyResource[]): ReadonlySet<string> =>
  new Set(
    resources
      .flatMap((resource) => [
        ifKnown(() => resource.asType(Router)?.externalNetworkId) ?? [],
        ifKnown(() => resource.asType(FloatingIp)?.pool) ?? [],
        ifKnown(() => resource.asType(ComputeFloatingIp)?.pool) ?? [],
      ])
      .flat(),
  );

/** The networks that a machine or a port is put into, by name and id, as far as a plan knows them. */
function networksOf(resource: PolicyResource): string[] {
  const id = ifKnown(() => resource.asType(Port)?.networkId);
  const own = knownItems(() => resource.asType(Instance)?.networks).flatMap((network) => [
    ifKnown(() => network.name) ?? [],
    ifKnown(() => network.uuid) ?? [],
  ]);
  return [...(id === undefined ? [] : [id]), ...own.flat()];
}

export const disallowPublicAddress: StackRule = {
  name: "instance-disallow-public-address",
  description: "Machines must have private addresses only.",
  severity: "high",
  remediationSteps:
    "Reach the machine by a VPN or put a load balancer before it: its public address may lead to listeners. Else ask for an exemption.",
  references: [
    { name: "FSBP EC2.9", url: "https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-9" },
  ],
  enforcementLevel: "mandatory",
  validateStack({ resources }, report) {
    const outside = outsideOf(resources);
    for (const resource of resources) {
      if (givesAddress(resource)) report(`${resource.name} must not give a machine a public address.`, resource.urn);
      const network = networksOf(resource).find((name) => outside.has(name));
      if (network !== undefined)
        report(
          `${resource.name} must be in a private network, and is in ${network}, which leads outside.`,
          resource.urn,
        );
    }
  },
};
