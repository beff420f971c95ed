import { describe, expect, it } from "vitest";
import { record, resolved, testArguments } from "../conformance.ts";
import { Network } from "../network/index.ts";
import { LoadBalancer, type LoadBalancerArgs, loadBalancerTargets } from "./index.ts";

const tags = { owner: "data-platform", stack: "platform", environment: "prod", costCentre: "cc-1" } as const;
const list = ["owner=data-platform", "stack=platform", "environment=prod", "cost-centre=cc-1"];
const external = { id: "external-id", name: "public" };
const network = (name = "platform") => new Network(name, { tags, external, target: "openstack" });
const certificate = "https://barbican.test/v1/secrets/certificate";
const args = (): LoadBalancerArgs => ({
  tags,
  network: network(),
  certificate,
  machine: "10.20.0.7",
  doors: { processor: { port: 443, allowFrom: ["10.0.0.0/8"], passTo: 8080 } },
  target: "openstack",
});

const closed = () => new Network("platform", { tags, target: "openstack" });

describe("LoadBalancer", () => {
  testArguments<LoadBalancerArgs>(
    loadBalancerTargets,
    args,
    {
      tags: () => ({ tags: { ...tags, owner: "other" } }),
      network: () => ({ network: network("other") }),
      certificate: () => ({ certificate: "https://barbican.test/v1/secrets/other" }),
      machine: () => ({ machine: "10.20.0.70" }),
      doors: () => ({ doors: { processor: { port: 443, allowFrom: ["192.0.2.0/24"], passTo: 8080 } } }),
      healthPath: () => ({ healthPath: "/healthz" }),
      publicAddress: () => ({ publicAddress: true }),
    },
    (args) => new LoadBalancer("api", args).address,
  );

  it("ends TLS, lets in whom it is told to, and watches the machine it passes calls on to", async () => {
    const { result, created } = await record(() => new LoadBalancer("api", args()));
    const octavia = created.filter(({ type }) => type.startsWith("openstack:loadbalancer/"));
    expect(octavia.map(({ name, inputs }) => [name, inputs])).toEqual([
      ["api", { description: "Ends TLS in front of the APIs", vipSubnetId: "id of platform-subnet", tags: list }],
      [
        "api-processor-machine",
        {
          poolId: "id of api-processor-machines",
          address: "10.20.0.7",
          protocolPort: 8080,
          subnetId: "id of platform-subnet",
        },
      ],
      [
        "api-processor-machines",
        { listenerId: "id of api-processor-tls", protocol: "HTTP", lbMethod: "LEAST_CONNECTIONS" },
      ],
      [
        "api-processor-tls",
        {
          loadbalancerId: "id of api",
          protocol: "TERMINATED_HTTPS",
          protocolPort: 443,
          defaultTlsContainerRef: certificate,
          allowedCidrs: ["10.0.0.0/8"],
          timeoutClientData: 300_000,
          timeoutMemberData: 300_000,
          insertHeaders: { "X-Forwarded-For": "true", "X-Forwarded-Proto": "true" },
          tags: list,
        },
      ],
      [
        "api-processor-watch",
        {
          poolId: "id of api-processor-machines",
          type: "HTTP",
          httpMethod: "GET",
          urlPath: "/readyz",
          expectedCodes: "200",
          delay: 10,
          timeout: 5,
          maxRetries: 3,
        },
      ],
    ]);
    expect(await resolved(result.address)).toBe("10.20.0.8");
  });

  it("has a listener, a machine and a watch of its own for each door", async () => {
    const ivi = { port: 8081, allowFrom: ["192.0.2.0/24"], passTo: 8081 };
    const { created } = await record(() => new LoadBalancer("api", { ...args(), doors: { ...args().doors, ivi } }));
    const made = created.filter(({ name, type }) => name.startsWith("api-ivi") && type.includes("loadbalancer"));
    expect(made.map(({ name }) => name)).toEqual([
      "api-ivi-machine",
      "api-ivi-machines",
      "api-ivi-tls",
      "api-ivi-watch",
    ]);
    expect(made.map(({ inputs }) => inputs)).toEqual([
      expect.objectContaining({ poolId: "id of api-ivi-machines", address: "10.20.0.7", protocolPort: 8081 }),
      expect.objectContaining({ listenerId: "id of api-ivi-tls" }),
      expect.objectContaining({ protocolPort: 8081, allowedCidrs: ["192.0.2.0/24"] }),
      expect.objectContaining({ poolId: "id of api-ivi-machines" }),
    ]);
  });

  it("has a public address only when it is asked for, and then needs the external network", async () => {
    const { result } = await record(() => new LoadBalancer("api", { ...args(), publicAddress: true }));
    expect(await resolved(result.address)).toBe("203.0.113.7");
    await expect(
      record(() => new LoadBalancer("api", { ...args(), network: closed(), publicAddress: true })),
    ).rejects.toThrow("api: a public address needs the network's `external`; name it or drop publicAddress.");
  });

  it("does not take nobody for everyone, as Octavia would", async () => {
    const doors = { processor: { port: 443, allowFrom: [], passTo: 8080 } };
    await expect(record(() => new LoadBalancer("api", { ...args(), doors }))).rejects.toThrow(
      "api: allowFrom of processor is empty; name the ranges that may call it.",
    );
  });

  it("tells of a range of IPv6, which Octavia would refuse", async () => {
    const doors = { ivi: { port: 443, allowFrom: ["10.0.0.0/8", "fd00::/8"], passTo: 8080 } };
    await expect(record(() => new LoadBalancer("api", { ...args(), doors }))).rejects.toThrow(
      "api: allowFrom of ivi has fd00::/8, and the balancer's address is of IPv4; leave out ranges of IPv6.",
    );
  });

  it("does not exist on local, and says what takes its place", async () => {
    await expect(record(() => new LoadBalancer("api", { ...args(), target: "local" }))).rejects.toThrow(
      "api: local has no load balancer: the processor listens on this machine's loopback.",
    );
  });
});
