import { isIP } from "node:net";
import { SecGroupRule } from "@pulumi/openstack/networking/secGroupRule.js";
import { validateResourceOfType } from "@pulumi/policy";
import { ifKnown } from "./if-known.ts";
import type { ResourceRule } from "./rule.ts";

/** Whether a range is wider than the widest private one: 10.0.0.0/8 (RFC 1918), fc00::/7 (RFC 4193). Undefined: it is no range. */
function isOpen(range: string): boolean | undefined {
  const [address = "", bits, ...rest] = range.split("/");
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return undefined;
  if (bits === undefined) return false;
  return /^\d+$/.test(bits) ? Number(bits) < (version === 6 ? 7 : 8) : undefined;
}

export const disallowOpenIngress: ResourceRule = {
  name: "network-disallow-open-ingress",
  description: "Machines must not be reachable from everywhere.",
  severity: "high",
  remediationSteps: "Name the ranges that may call in cais:platform.api.allowFrom, each no wider than /8 (IPv6: /7).",
  references: [
    { name: "FSBP EC2.18", url: "https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-18" },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(SecGroupRule, (rule, { name }, report) => {
      if (rule.direction !== "ingress") return;
      const { remoteIpPrefix } = rule;
      // What the group is may be unknown yet: only that there is one counts.
      const group = "remoteGroupId" in rule && ifKnown(() => rule.remoteGroupId) !== "";
      // Without a range or a group Neutron lets everyone in; an empty text names neither.
      if (!remoteIpPrefix) {
        if (!group) report(`${name} must say whom it lets in, and names neither a range nor a group.`);
        return;
      }
      const open = isOpen(remoteIpPrefix);
      if (open === undefined)
        report(`${name} must let in a range such as 10.0.0.0/8 or one full address, and has ${remoteIpPrefix}.`);
      else if (open) report(`${name} must not let in everyone, and its range is ${remoteIpPrefix}.`);
    }),
  ],
};

export const rules = [disallowOpenIngress];
