import { SecGroup } from "@pulumi/openstack/compute/secGroup.js";
import { Rule } from "@pulumi/openstack/firewall/rule.js";
import { RuleV2 } from "@pulumi/openstack/firewall/ruleV2.js";
import { Listener } from "@pulumi/openstack/loadbalancer/listener.js";
import { SecGroupRule } from "@pulumi/openstack/networking/secGroupRule.js";
import { type ReportViolation, type ResourceValidation, validateResourceOfType } from "@pulumi/policy";
import { ifKnown, knownItems } from "./if-known.ts";
import { at, itemsAt, later } from "./pod.ts";

/** Traffic that a resource lets in. */
export interface Opening {
  /** The resource, and which part of it where it opens several. */
  readonly subject: string;
  /** In lower case. Undefined: every protocol. */
  readonly protocol: string | undefined;
  /** Undefined: all of them. */
  readonly ports: { readonly min: number; readonly max: number } | undefined;
  /** The range that is let in. Undefined: none is named. */
  readonly from: string | undefined;
  /** Whether a security group is named whose machines are let in. */
  readonly group: boolean;
}

/**
 * Checks all that lets traffic in, whatever kind of resource says so; `check` answers with a sentence or nothing. What a
 * plan does not know yet opens nothing.
 */
export function validateOpenings(check: (opening: Opening) => string | undefined): ResourceValidation[] {
  const tell = (report: ReportViolation, openings: readonly Opening[] = []) => {
    for (const opening of openings) {
      const message = check(opening);
      if (message !== undefined) report(message);
    }
  };
  return [
    validateResourceOfType(SecGroupRule, (rule, { name }, report) => {
      const opening = ifKnown(() => ({
        subject: name,
        direction: rule.direction.toLowerCase(),
        protocol: protocolOf(rule.protocol),
        ports: portsOf(rule.portRangeMin, rule.portRangeMax),
        // Neutron takes an empty text for none.
        from: rule.remoteIpPrefix || undefined,
        // Which group it is may be unknown yet: only that there is one counts.
        group: "remoteGroupId" in rule && ifKnown(() => rule.remoteGroupId) !== "",
      }));
      if (opening?.direction === "ingress") tell(report, [opening]);
    }),
    validateResourceOfType(SecGroup, (group, { name }, report) => {
      const openings = knownItems(() => group.rules).map((rule, index) =>
        ifKnown(() => ({
          subject: `${name}'s rule ${index + 1}`,
          protocol: protocolOf(rule.ipProtocol),
          ports: portsOf(rule.fromPort, rule.toPort),
          from: rule.cidr || undefined,
          group: rule.self === true || ("fromGroupId" in rule && ifKnown(() => rule.fromGroupId) !== ""),
        })),
      );
      tell(
        report,
        openings.filter((opening) => opening !== undefined),
      );
    }),
    validateResourceOfType(Rule, (rule, { name }, report) => tell(report, ofFirewall(name, rule))),
    validateResourceOfType(RuleV2, (rule, { name }, report) => tell(report, ofFirewall(name, rule))),
    validateResourceOfType(Listener, (listener, { name }, report) =>
      tell(
        report,
        ifKnown(() => {
          const ports = portsOf(listener.protocolPort, listener.protocolPort);
          const ranges = listener.allowedCidrs?.length ? knownItems(() => listener.allowedCidrs) : [undefined];
          return ranges.map((from) => ({ subject: name, protocol: "tcp", ports, from, group: false }));
        }),
      ),
    ),
    ({ type, name, props }, report) => {
      if (type === "kubernetes:core/v1:Service") tell(report, ofService(name, props));
    },
  ];
}

/** A Service lets in from outside its cluster what its load balancer lets in, which without ranges is everyone. */
function ofService(name: string, props: object): Opening[] {
  const given = at(props, "spec", "loadBalancerSourceRanges");
  if (at(props, "spec", "type") !== "LoadBalancer" || given === later) return [];
  const ranges = Array.isArray(given) && given.length > 0 ? itemsAt(props, "spec", "loadBalancerSourceRanges") : [""];
  return itemsAt(props, "spec", "ports").flatMap((one, index, all) => {
    const [port, protocol = "TCP"] = [at(one, "port"), at(one, "protocol")];
    if (typeof port !== "number" || typeof protocol !== "string") return [];
    const subject = all.length === 1 ? name : `${name}'s port ${index + 1}`;
    const how = { subject, protocol: protocolOf(protocol), ports: portsOf(port, port), group: false };
    return ranges.map((from) => ({ ...how, from: typeof from === "string" && from ? from : undefined }));
  });
}

/** What both generations of firewall rules have in common. */
interface FirewallRule {
  action?: string;
  enabled?: boolean;
  protocol?: string;
  destinationPort?: string;
  sourceIpAddress?: string;
}

/** A firewall rule lets in what it allows; a range of ports is written `8000:8080`. */
function ofFirewall(subject: string, rule: FirewallRule): Opening[] | undefined {
  return ifKnown(() => {
    if (rule.action?.toLowerCase() !== "allow" || rule.enabled === false) return [];
    const [min, max = min] = (rule.destinationPort ?? "").split(":").map(Number);
    const ports = portsOf(min, max);
    return [
      { subject, protocol: protocolOf(rule.protocol), ports, from: rule.sourceIpAddress || undefined, group: false },
    ];
  });
}

/** Neutron takes names and IANA's numbers; `any`, 0 and nothing mean every protocol. */
const numbers: Record<string, string> = {
  "1": "icmp",
  "6": "tcp",
  "17": "udp",
  "33": "dccp",
  "58": "ipv6-icmp",
  "132": "sctp",
  "136": "udplite",
};

function protocolOf(text: string | undefined): string | undefined {
  // A program may give a number, which the provider takes for one of IANA's.
  const protocol = text === undefined ? undefined : String(text).toLowerCase();
  return protocol === undefined || ["", "any", "0"].includes(protocol) ? undefined : (numbers[protocol] ?? protocol);
}

/** Nova writes -1 where every port is meant; the provider leaves out 0. */
const portsOf = (min: number | undefined, max: number | undefined): Opening["ports"] =>
  min && max && min > 0 ? { min, max } : undefined;
