import { describe, expect, it } from "vitest";
import { record, resolved, testArguments } from "../conformance.ts";
import { Network, type NetworkArgs, networkTargets } from "./index.ts";

const tags = { owner: "data-platform", stack: "platform", environment: "prod", costCentre: "cc-1" } as const;
const list = ["owner=data-platform", "stack=platform", "environment=prod", "cost-centre=cc-1"];
const args: NetworkArgs = { tags, external: { id: "external-id", name: "public" } };
const make = (args: NetworkArgs) => new Network("platform", { ...args, target: "openstack" });

describe("Network", () => {
  testArguments<NetworkArgs>(
    networkTargets,
    () => args,
    {
      tags: () => ({ tags: { ...tags, owner: "other" } }),
      cidr: () => ({ cidr: "10.30.0.0/24" }),
      dnsServers: () => ({ dnsServers: ["192.0.2.53"] }),
      external: () => ({ external: undefined }),
      inbound: () => ({ inbound: [{ port: 8080, from: ["10.0.0.0/8"] }] }),
    },
    (args) => new Network("platform", args).place.external,
  );

  it("lets machines out and nobody in", async () => {
    const { result, created } = await record(() => make(args));
    const neutron = "openstack:networking";
    expect(created).toEqual([
      {
        type: `${neutron}/network:Network`,
        name: "platform",
        inputs: { portSecurityEnabled: true, shared: false, tags: list },
      },
      ...["IPv4", "IPv6"].map((ethertype) => ({
        type: `${neutron}/secGroupRule:SecGroupRule`,
        name: `platform-egress-${ethertype.toLowerCase()}`,
        inputs: { direction: "egress", ethertype, securityGroupId: "id of platform-machines" },
      })),
      {
        type: `${neutron}/secGroup:SecGroup`,
        name: "platform-machines",
        inputs: { description: "Out to anywhere; in only where a rule says so", deleteDefaultRules: true, tags: list },
      },
      {
        type: `${neutron}/router:Router`,
        name: "platform-router",
        inputs: { externalNetworkId: "external-id", tags: list },
      },
      {
        type: `${neutron}/subnet:Subnet`,
        name: "platform-subnet",
        inputs: { networkId: "id of platform", cidr: "10.20.0.0/24", ipVersion: 4, tags: list },
      },
      {
        type: `${neutron}/routerInterface:RouterInterface`,
        name: "platform-uplink",
        inputs: { routerId: "id of platform-router", subnetId: "id of platform-subnet" },
      },
    ]);
    expect(result.place.ready).toEqual([result.nodes["uplink"]]);
    expect(await resolved(result.place.securityGroupId)).toBe("id of platform-machines");
  });

  it("opens a port to whom it is told, IPv4 and IPv6", async () => {
    const { created } = await record(() =>
      make({ ...args, inbound: [{ port: 8080, from: ["10.0.0.0/8", "fd00:1::/32"] }] }),
    );
    expect(created.filter(({ name }) => name.includes("-ingress-")).map(({ name, inputs }) => [name, inputs])).toEqual([
      ["platform-ingress-8080-10.0.0.0-8", rule("IPv4", "10.0.0.0/8")],
      ["platform-ingress-8080-fd00-1---32", rule("IPv6", "fd00:1::/32")],
    ]);
  });

  it("has no router when no external network is named", async () => {
    const { result, created } = await record(() => make({ tags }));
    expect(created.map(({ name }) => name)).not.toContain("platform-router");
    expect(result.place.ready).toEqual([]);
  });

  it("does not exist on local, and says what takes its place", async () => {
    await expect(record(() => new Network("platform", { tags, target: "local" }))).rejects.toThrow(
      "platform: local has no network: the processor listens on this machine's loopback.",
    );
  });
});

const rule = (ethertype: string, remoteIpPrefix: string) => ({
  direction: "ingress",
  ethertype,
  protocol: "tcp",
  portRangeMin: 8080,
  portRangeMax: 8080,
  remoteIpPrefix,
  securityGroupId: "id of platform-machines",
});
