import { describe, expect, it } from "vitest";
import { Network } from "../network/index.ts";
import { record, resolved, testArguments } from "../conformance.ts";
import type { BuiltTarget } from "../target.ts";
import { Cluster, type ClusterArgs, clusterTargets } from "./index.ts";

const tags = { owner: "data-platform", stack: "platform", environment: "prod", costCentre: "cc-1" } as const;
const metadata = { owner: "data-platform", stack: "platform", environment: "prod", "cost-centre": "cc-1" };
const external = { id: "external-id", name: "public" };
const network = (target: BuiltTarget = "openstack") => new Network("platform", { tags, external, target });
const args = (): ClusterArgs => ({
  tags,
  kind: "vm",
  network: network(),
  machine: "m1.large",
  image: "image-id",
  target: "openstack",
});

describe("Cluster", () => {
  testArguments<Omit<ClusterArgs, "kind">>(
    clusterTargets,
    args,
    {
      tags: () => ({ tags: { ...tags, owner: "other" } }),
      network: () => ({ network: new Network("other", { tags, external, target: "openstack" }) }),
      machine: () => ({ machine: "m1.small" }),
      image: () => ({ image: "other-image" }),
      madeBy: () => ({ madeBy: "heat" }),
      stateGB: () => ({ stateGB: 100 }),
      stateDiskType: () => ({ stateDiskType: "luks" }),
      publicAddress: () => ({ publicAddress: true }),
      allowDataDeletion: () => ({ allowDataDeletion: true, stateGB: 51 }),
    },
    (args) => new Cluster("platform", { ...args, kind: "vm" }).host,
  );

  it("is one machine without a key or a public address, and a disk that outlives it", async () => {
    const { result, created } = await record(() => new Cluster("platform", args()));
    const own = created.filter(({ type }) => !/network:Network|subnet|secGroup|router/i.test(type));
    expect(own.map(({ type, name }) => [type, name])).toEqual([
      ["openstack:compute/instance:Instance", "platform"],
      ["openstack:identity/applicationCredential:ApplicationCredential", "platform-identity"],
      ["openstack:networking/port:Port", "platform-port"],
      ["openstack:blockstorage/volume:Volume", "platform-state"],
      ["openstack:objectstorage/container:Container", "platform-workloads"],
    ]);
    const inputs = Object.fromEntries(own.map(({ name, inputs }) => [name, inputs]));
    expect(inputs["platform"]).toEqual({
      flavorName: "m1.large",
      imageId: "image-id",
      networks: [{ port: "id of platform-port" }],
      blockDevices: [
        { sourceType: "image", uuid: "image-id", destinationType: "local", bootIndex: 0, deleteOnTermination: true },
        {
          sourceType: "volume",
          uuid: "id of platform-state",
          destinationType: "volume",
          bootIndex: -1,
          deleteOnTermination: false,
        },
      ],
      stopBeforeDestroy: true,
      userData: { secret: expect.stringMatching(/^#cloud-config\n/) },
      metadata,
    });
    expect(inputs["platform-port"]).toEqual({
      networkId: "id of platform",
      fixedIps: [{ subnetId: "id of platform-subnet" }],
      securityGroupIds: ["id of platform-machines"],
      portSecurityEnabled: true,
      tags: ["owner=data-platform", "stack=platform", "environment=prod", "cost-centre=cc-1"],
    });
    expect(inputs["platform-state"]).toEqual({
      description: "State of the workloads; outlives the machine",
      size: 50,
      enableOnlineResize: true,
      metadata,
    });
    expect(inputs["platform-workloads"]).toEqual({ metadata: { ...metadata, role: "workloads" }, forceDestroy: true });
    expect(await resolved(result.host)).toEqual({
      kind: "vm",
      workloads: "platform-workloads-1a2b3c4",
      address: "10.20.0.7",
      privateAddress: "10.20.0.7",
    });
  });

  it("is the same machine when Heat makes it, and goes before another takes its port and volume", async () => {
    const { created } = await record(() => new Cluster("platform", { ...args(), madeBy: "heat" }));
    const stack = created.find(({ type }) => type === "openstack:orchestration/stackV1:StackV1");
    expect(created.filter(({ type }) => type.includes("instance"))).toEqual([]);
    expect(stack?.inputs).toEqual({
      // In the open, as the policies judge it; what is an unknown or a secret is the environment's.
      templateOpts: {
        Bin: expect.stringMatching(
          /^heat_template_version: 2018-08-31\n[^]*  name: { type: string, default: platform }\n  flavor: { type: string, default: m1\.large }\n  image: { type: string, default: image-id }\n[^]*stack: platform/,
        ),
      },
      environmentOpts: {
        secret: {
          Bin: expect.stringMatching(
            /^parameters:\n  port: id of platform-port\n  state_volume: id of platform-state\n  user_data: /,
          ),
        },
      },
      disableRollback: true,
      tags: ["owner=data-platform", "stack=platform", "environment=prod", "cost-centre=cc-1"],
    });
  });

  it("may read its workloads and secrets, and nothing else", async () => {
    const { created } = await record(() => new Cluster("platform", args()));
    expect(created.find(({ name }) => name === "platform-identity")?.inputs).toEqual({
      description: "What the machine may read: its workloads and the secrets they name",
      unrestricted: false,
      accessRules: [
        { service: "object-store", method: "GET", path: "/v1/AUTH_*/platform-workloads-1a2b3c4" },
        { service: "object-store", method: "GET", path: "/v1/AUTH_*/platform-workloads-1a2b3c4/*" },
        { service: "key-manager", method: "GET", path: "/v1/secrets/*/payload" },
      ],
    });
  });

  it("has a public address only when it is asked for, and then needs the external network", async () => {
    const { result, created } = await record(() => new Cluster("platform", { ...args(), publicAddress: true }));
    expect(created.find(({ type }) => type === "openstack:networking/floatingIp:FloatingIp")).toEqual({
      type: "openstack:networking/floatingIp:FloatingIp",
      name: "platform-address",
      inputs: {
        pool: "public",
        portId: "id of platform-port",
        tags: ["owner=data-platform", "stack=platform", "environment=prod", "cost-centre=cc-1"],
      },
    });
    expect(await resolved(result.host.address)).toBe("203.0.113.7");
    await expect(
      record(
        () =>
          new Cluster("platform", {
            ...args(),
            network: new Network("platform", { tags, target: "openstack" }),
            publicAddress: true,
          }),
      ),
    ).rejects.toThrow("platform: a public address needs the network's `external`; name it or drop publicAddress.");
  });

  it("warns that a machine without a way out can do nothing, and names the key", async () => {
    const { warnings } = await record(
      () => new Cluster("platform", { ...args(), network: new Network("platform", { tags, target: "openstack" }) }),
    );
    expect(warnings).toEqual([
      "platform: the network leads nowhere, so the machine can neither install Docker nor fetch its workloads; name the provider's external network with: pulumi config set --path 'cais:platform.network.external.id' <id>, and external.name.",
    ]);
    expect((await record(() => new Cluster("platform", args()))).warnings).toEqual([]);
  });

  it("does not exist on local, and says what takes its place", async () => {
    await expect(record(() => new Cluster("platform", { ...args(), target: "local" }))).rejects.toThrow(
      "platform: local has no cluster: the processor is a process on this machine.",
    );
  });
});
