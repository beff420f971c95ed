import * as pulumi from "@pulumi/pulumi";
import { Listener } from "@pulumi/openstack/loadbalancer/listener.js";
import { LoadBalancer } from "@pulumi/openstack/loadbalancer/loadBalancer.js";
import { Member } from "@pulumi/openstack/loadbalancer/member.js";
import { Monitor } from "@pulumi/openstack/loadbalancer/monitor.js";
import { Pool } from "@pulumi/openstack/loadbalancer/pool.js";
import { FloatingIp } from "@pulumi/openstack/networking/floatingIp.js";
import { tagList } from "../tags.ts";
import type { LoadBalancerTarget } from "./index.ts";

export const openstack: LoadBalancerTarget = {
  unsupported: {},
  provision(name, { tags: who, network, certificate, machine, doors, healthPath, publicAddress = false }, opts) {
    const { place } = network;
    if (publicAddress && place.external === undefined)
      throw new pulumi.RunError(
        `${name}: a public address needs the network's \`external\`; name it or drop publicAddress.`,
      );
    const tags = tagList(who);
    const balancer = new LoadBalancer(
      name,
      { description: "Ends TLS in front of the APIs", vipSubnetId: place.subnetId, tags },
      opts,
    );
    const nodes: Record<string, pulumi.Resource> = { balancer };
    for (const [door, { port, allowFrom, passTo }] of Object.entries(doors)) {
      // Octavia takes an empty list for everyone.
      if (allowFrom.length === 0)
        throw new pulumi.RunError(`${name}: allowFrom of ${door} is empty; name the ranges that may call it.`);
      const other = allowFrom.find((range) => range.includes(":"));
      if (other !== undefined)
        throw new pulumi.RunError(
          `${name}: allowFrom of ${door} has ${other}, and the balancer's address is of IPv4; leave out ranges of IPv6.`,
        );
      const listener = new Listener(
        `${name}-${door}-tls`,
        {
          loadbalancerId: balancer.id,
          protocol: "TERMINATED_HTTPS",
          protocolPort: port,
          defaultTlsContainerRef: certificate,
          allowedCidrs: allowFrom,
          // An upload may pause for as long as the processor lets it.
          timeoutClientData: 300_000,
          timeoutMemberData: 300_000,
          insertHeaders: { "X-Forwarded-For": "true", "X-Forwarded-Proto": "true" },
          tags,
        },
        opts,
      );
      const pool = new Pool(
        `${name}-${door}-machines`,
        { listenerId: listener.id, protocol: "HTTP", lbMethod: "LEAST_CONNECTIONS" },
        opts,
      );
      const member = new Member(
        `${name}-${door}-machine`,
        { poolId: pool.id, address: machine, protocolPort: passTo, subnetId: place.subnetId },
        opts,
      );
      const monitor = new Monitor(
        `${name}-${door}-watch`,
        {
          poolId: pool.id,
          type: "HTTP",
          httpMethod: "GET",
          urlPath: healthPath,
          expectedCodes: "200",
          delay: 10,
          timeout: 5,
          maxRetries: 3,
        },
        opts,
      );
      Object.assign(nodes, {
        [`listener ${door}`]: listener,
        [`pool ${door}`]: pool,
        [`member ${door}`]: member,
        [`monitor ${door}`]: monitor,
      });
    }
    if (!publicAddress || place.external === undefined) return { address: balancer.vipAddress, nodes };
    const publicIp = new FloatingIp(
      `${name}-address`,
      { pool: place.external, portId: balancer.vipPortId, tags },
      { ...opts, dependsOn: place.ready },
    );
    return { address: publicIp.address, nodes: { ...nodes, publicIp } };
  },
};
