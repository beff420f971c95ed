import { GroupV2 } from "@pulumi/openstack/firewall/groupV2.js";
import { Policy } from "@pulumi/openstack/firewall/policy.js";
import { PolicyV2 } from "@pulumi/openstack/firewall/policyV2.js";
import { Rule as FirewallRule } from "@pulumi/openstack/firewall/rule.js";
import { RuleV2 } from "@pulumi/openstack/firewall/ruleV2.js";
import { AddressScope } from "@pulumi/openstack/networking/addressScope.js";
import { Network } from "@pulumi/openstack/networking/network.js";
import { Port } from "@pulumi/openstack/networking/port.js";
import { PortSecGroupAssociate } from "@pulumi/openstack/networking/portSecGroupAssociate.js";
import { QosPolicy } from "@pulumi/openstack/networking/qosPolicy.js";
import { RbacPolicyV2 } from "@pulumi/openstack/networking/rbacPolicyV2.js";
import { SubnetPool } from "@pulumi/openstack/networking/subnetPool.js";
import { type ReportViolation, validateResourceOfType } from "@pulumi/policy";
import { ifKnown, knownItems } from "./if-known.ts";
import { disallowOpenIngress, disallowSensitivePorts, requireIngressPorts } from "./network-ingress.ts";
import { requireStrongTunnel } from "./network-tunnel.ts";
import { isWide, readRange } from "./range.ts";
import type { ResourceRule } from "./rule.ts";

export const requirePortSecurity: ResourceRule = {
  name: "network-require-port-security",
  description: "Neutron must hold every port to its own addresses and to its security groups.",
  severity: "high",
  remediationSteps:
    "Leave portSecurityEnabled on; a machine that forwards for others names their range in allowedAddressPairs.",
  references: [
    {
      name: "Neutron, port security",
      url: "https://docs.openstack.org/api-ref/network/v2/#port-security",
    },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Network, (network, { name }, report) => {
      if (ifKnown(() => network.portSecurityEnabled) === false)
        report(`${name} must not give its ports away unprotected, and its port security is off.`);
    }),
    validateResourceOfType(Port, (port, { name }, report) => {
      if (ifKnown(() => port.portSecurityEnabled) === false)
        report(`${name} must be held to its addresses and groups, and its port security is off.`);
    }),
  ],
};

export const disallowAnyAddress: ResourceRule = {
  name: "network-disallow-any-address",
  description: "A port must not send under every address.",
  severity: "high",
  remediationSteps:
    "Name the addresses that the machine forwards for in allowedAddressPairs, each range no wider than /8 (IPv6: /7).",
  references: [
    {
      name: "Neutron, allowed address pairs",
      url: "https://docs.openstack.org/api-ref/network/v2/#allowed-address-pairs",
    },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Port, (port, { name }, report) => {
      for (const pair of knownItems(() => port.allowedAddressPairs)) {
        const text = ifKnown(() => pair.ipAddress);
        const range = text === undefined ? undefined : readRange(text);
        if (range && isWide(range)) report(`${name} must not send under any address, and may under ${text}.`);
      }
    }),
  ],
};

export const requireSecurityGroup: ResourceRule = {
  name: "network-require-security-group",
  description:
    "A port must name its security groups: without any it gets the project's default group, which anyone may widen.",
  severity: "high",
  remediationSteps: "Name the groups in securityGroupIds.",
  references: [
    { name: "FSBP EC2.2", url: "https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-2" },
    {
      name: "Neutron, security groups",
      url: "https://docs.openstack.org/neutron/latest/admin/archives/adv-features.html#security-groups",
    },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Port, (port, { name }, report) => {
      // The ports of routers and of DHCP are Neutron's own and take no groups.
      if (ifKnown(() => port.deviceOwner)?.startsWith("network:")) return;
      if (ifKnown(() => port.noSecurityGroups)) {
        report(`${name} must be in a security group, and is kept out of all.`);
        return;
      }
      // Which groups they are may be unknown yet.
      if (ifKnown(() => (port.securityGroupIds ?? []).length) === 0)
        report(`${name} must name its security groups, and gets the project's default one.`);
    }),
    validateResourceOfType(PortSecGroupAssociate, (association, { name }, report) => {
      if (ifKnown(() => association.enforce === true && association.securityGroupIds?.length === 0))
        report(`${name} must leave its port in a security group, and takes it out of all.`);
    }),
  ],
};

const tellShared = (resource: { shared?: boolean }, { name }: { name: string }, report: ReportViolation) => {
  if (ifKnown(() => resource.shared)) report(`${name} must not be shared with every project.`);
};

export const disallowSharing: ResourceRule = {
  name: "network-disallow-sharing",
  description: "What a network is made of must not be open to every project of the cloud.",
  severity: "high",
  remediationSteps: "Leave `shared` and `external` off; share with one project by an RBAC policy that names it.",
  references: [{ name: "Neutron, RBAC", url: "https://docs.openstack.org/neutron/latest/admin/config-rbac.html" }],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Network, (network, args, report) => {
      tellShared(network, args, report);
      if (ifKnown(() => network.external))
        report(`${args.name} must not be external: every project could attach routers to it.`);
    }),
    validateResourceOfType(SubnetPool, tellShared),
    validateResourceOfType(AddressScope, tellShared),
    validateResourceOfType(QosPolicy, tellShared),
    validateResourceOfType(Policy, tellShared),
    validateResourceOfType(PolicyV2, tellShared),
    validateResourceOfType(RuleV2, tellShared),
    validateResourceOfType(GroupV2, tellShared),
    validateResourceOfType(RbacPolicyV2, (policy, { name }, report) => {
      if (ifKnown(() => policy.targetTenant) === "*")
        report(`${name} must name the project that it shares with, and shares with every one.`);
    }),
  ],
};

const tellDestination = (
  rule: { action?: string; enabled?: boolean; destinationIpAddress?: string },
  { name }: { name: string },
  report: ReportViolation,
) => {
  if (ifKnown(() => rule.action === "allow" && rule.enabled !== false && !rule.destinationIpAddress))
    report(`${name} must say what it leads to, and lets traffic through to everything.`);
};

export const requireFirewallDestination: ResourceRule = {
  name: "network-require-firewall-destination",
  description: "A firewall rule that lets traffic through must say where to.",
  severity: "medium",
  remediationSteps: "Name the range of the machines in destinationIpAddress.",
  references: [
    {
      name: "Checkov CKV_OPENSTACK_5",
      url: "https://www.checkov.io/5.Policy%20Index/terraform.html",
    },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(FirewallRule, tellDestination),
    validateResourceOfType(RuleV2, tellDestination),
  ],
};

export const rules = [
  disallowOpenIngress,
  disallowSensitivePorts,
  requireIngressPorts,
  requirePortSecurity,
  disallowAnyAddress,
  requireSecurityGroup,
  disallowSharing,
  requireFirewallDestination,
  requireStrongTunnel,
];
