import { SecGroupRule } from "@pulumi/openstack/networking/secGroupRule.js";
import { type ResourceValidationPolicy, validateResourceOfType } from "@pulumi/policy";

/** Wider than the widest private range: 10.0.0.0/8 (RFC 1918), fc00::/7 (RFC 4193). */
function isOpen(cidr: string): boolean {
  const [address = "", bits] = cidr.split("/");
  if (bits === undefined) return false;
  return Number(bits) < (address.includes(":") ? 7 : 8);
}

export const disallowOpenIngress: ResourceValidationPolicy = {
  name: "network-disallow-open-ingress",
  description: "Machines must not be reachable from everywhere.",
  severity: "high",
  remediationSteps: "Name the ranges that may call in cais:platform.api.allowFrom, each no wider than /8 (IPv6: /7).",
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(SecGroupRule, (rule, { name }, report) => {
      if (rule.direction !== "ingress") return;
      const { remoteIpPrefix } = rule;
      // Without a range or a group Neutron lets everyone in. What the group is may be unknown yet, so it is not read.
      if (remoteIpPrefix === undefined && !("remoteGroupId" in rule))
        report(`${name} must say whom it lets in, and names neither a range nor a group.`);
      else if (remoteIpPrefix !== undefined && isOpen(remoteIpPrefix))
        report(`${name} must not let in everyone, and its range is ${remoteIpPrefix}.`);
    }),
  ],
};
