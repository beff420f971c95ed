import type * as pulumi from "@pulumi/pulumi";
import { Network } from "@pulumi/openstack/networking/network.js";
import { Router } from "@pulumi/openstack/networking/router.js";
import { RouterInterface } from "@pulumi/openstack/networking/routerInterface.js";
import { SecGroup } from "@pulumi/openstack/networking/secGroup.js";
import { SecGroupRule } from "@pulumi/openstack/networking/secGroupRule.js";
import { Subnet } from "@pulumi/openstack/networking/subnet.js";
import { tagList } from "../tags.ts";
import type { NetworkTarget } from "./index.ts";

export const openstack: NetworkTarget = {
  unsupported: {},
  provision(name, { tags: who, cidr, dnsServers, external, inbound = [] }, opts) {
    const tags = tagList(who);
    const network = new Network(name, { portSecurityEnabled: true, shared: false, tags }, opts);
    const subnet = new Subnet(
      `${name}-subnet`,
      { networkId: network.id, cidr, ipVersion: 4, ...(dnsServers ? { dnsNameservers: dnsServers } : {}), tags },
      opts,
    );
    const securityGroup = new SecGroup(
      `${name}-machines`,
      // Neutron gives a new group its own egress rules: without them the group holds what is written below, and only that.
      { description: "Out to anywhere; in only where a rule says so", deleteDefaultRules: true, tags },
      opts,
    );
    const nodes: Record<string, pulumi.Resource> = { network, subnet, securityGroup };
    for (const ethertype of ["IPv4", "IPv6"])
      nodes[`egress${ethertype}`] = new SecGroupRule(
        `${name}-egress-${ethertype.toLowerCase()}`,
        { direction: "egress", ethertype, securityGroupId: securityGroup.id },
        opts,
      );
    for (const { port, from } of inbound.flatMap(({ port, from }) => from.map((range) => ({ port, from: range }))))
      nodes[`ingress ${port} ${from}`] = new SecGroupRule(
        `${name}-ingress-${port}-${from.replaceAll(/[/:]/g, "-")}`,
        {
          direction: "ingress",
          ethertype: from.includes(":") ? "IPv6" : "IPv4",
          protocol: "tcp",
          portRangeMin: port,
          portRangeMax: port,
          remoteIpPrefix: from,
          securityGroupId: securityGroup.id,
        },
        opts,
      );
    const ready: pulumi.Resource[] = [];
    if (external) {
      const router = new Router(`${name}-router`, { externalNetworkId: external.id, tags }, opts);
      const uplink = new RouterInterface(`${name}-uplink`, { routerId: router.id, subnetId: subnet.id }, opts);
      Object.assign(nodes, { router, uplink });
      ready.push(uplink);
    }
    return {
      place: {
        networkId: network.id,
        subnetId: subnet.id,
        securityGroupId: securityGroup.id,
        external: external?.name,
        externalId: external?.id,
        cidr,
        ready,
      },
      nodes,
    };
  },
};
