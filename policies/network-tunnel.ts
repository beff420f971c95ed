import { IkePolicy } from "@pulumi/openstack/vpnaas/ikePolicy.js";
import { IpSecPolicy } from "@pulumi/openstack/vpnaas/ipSecPolicy.js";
import { type ReportViolation, validateResourceOfType } from "@pulumi/policy";
import { ifKnown } from "./if-known.ts";
import type { ResourceRule } from "./rule.ts";

/** What RFC 8247 and RFC 8221 say should not be used. */
const weakGroups = new Set(["group2", "group5"]);
const weakCiphers = new Set(["3des"]);

/** Neutron's own defaults are `group5` and IKE `v1`: https://docs.openstack.org/api-ref/network/v2/#vpnaas-2-0-vpn-vpnservices-ikepolicies-ipsecpolicies-endpoint-groups-ipsec-site-connections */
function tellWeak(
  policy: { pfs?: string; encryptionAlgorithm?: string },
  { name }: { name: string },
  report: ReportViolation,
) {
  const group = ifKnown(() => policy.pfs ?? "group5");
  if (group !== undefined && weakGroups.has(group))
    report(`${name} must exchange keys in group14 or a stronger group, and does in ${group}.`);
  const cipher = ifKnown(() => policy.encryptionAlgorithm);
  if (cipher !== undefined && weakCiphers.has(cipher))
    report(`${name} must encrypt with AES, and does with ${cipher}.`);
}

export const requireStrongTunnel: ResourceRule = {
  name: "network-require-strong-tunnel",
  description: "A VPN must use algorithms that are still advised.",
  severity: "medium",
  remediationSteps: "Set ikeVersion to v2, pfs to group14 or stronger, and an AES cipher.",
  references: [
    { name: "RFC 8247", url: "https://www.rfc-editor.org/rfc/rfc8247" },
    { name: "RFC 8221", url: "https://www.rfc-editor.org/rfc/rfc8221" },
    { name: "RFC 9395", url: "https://www.rfc-editor.org/rfc/rfc9395" },
  ],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(IkePolicy, (policy, args, report) => {
      tellWeak(policy, args, report);
      const version = ifKnown(() => policy.ikeVersion ?? "v1");
      if (version === "v1") report(`${args.name} must use IKE v2, and uses v1, which is retired.`);
    }),
    validateResourceOfType(IpSecPolicy, tellWeak),
  ],
};
