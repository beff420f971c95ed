import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { cliVersion } from "../../../planner/recorded/cli.ts";
import { type Asker, asker } from "./ask.ts";
import { firstSync } from "./first-sync.ts";
import type { Cloud } from "./part.ts";
import { presence } from "./places.ts";
import { furnish, furnishDatabases, storeCertificate } from "./project.ts";
import {
  type Config,
  type Copy,
  copyProject,
  destroy,
  expectNoChanges,
  makeStack,
  resourcesOf,
  set,
  up,
} from "./pulumi.ts";
import { deployedOf, readRecord, serviceVersions, writeRecord } from "./record.ts";

const run = promisify(execFile);
const LONG = 1_200_000;
const shared = "prod-openstack";
const isolated = "prod-openstack.ivi";
const version = cliVersion();
const plugin = await run("pulumi-resource-openstack", ["--version"]).then(
  ({ stdout }) => stdout.trim(),
  () => undefined,
);
const here = version !== undefined && plugin !== undefined;

// One file: each step begins where the one before it ended.
describe.skipIf(!here)("pulumi up (skipped without pulumi and pulumi-resource-openstack on PATH)", () => {
  let cloud: Cloud;
  let demo: Asker;
  let admin: Asker;
  let copy: Copy;
  const found = async (stack: string) => presence(demo, cloud.demo.userId, await resourcesOf(copy, stack));
  const server = async () => {
    const { servers } = await demo.ask<{ servers: { id: string; status: string }[] }>(
      "compute",
      "GET",
      "/servers/detail",
    );
    return servers;
  };
  const volumes = async () => {
    const all = await demo.ask<{ volumes: { id: string; status: string; size: number }[] }>(
      "volumev3",
      "GET",
      "/volumes/detail",
    );
    return all.volumes;
  };

  beforeAll(async () => {
    cloud = JSON.parse(await readFile(process.env["CAIS_OPENSTACK"] ?? "", "utf8")) as Cloud;
    const { image, external, flavor } = await furnish(cloud);
    await furnishDatabases(cloud, image);
    demo = await asker(cloud, "demo");
    admin = await asker(cloud, "admin");
    const certificate = await storeCertificate(demo);
    copy = await copyProject("demo");
    // A Keystone that is busy drops a connection now and then, and the provider gives up at the first.
    const place = {
      "openstack:authUrl": cloud.keystone,
      "openstack:region": cloud.region,
      "openstack:maxRetries": 10,
    };
    const change = ({ "cais:platform": platform, ...config }: Config) => {
      const { cluster, network } = z
        .looseObject({ cluster: z.looseObject({}), network: z.looseObject({}) })
        .parse(platform);
      return {
        ...config,
        ...place,
        "cais:platform": {
          network: { ...network, external: { id: external, name: "public" } },
          cluster: { ...cluster, image, stateGB: 1 },
          api: { allowFrom: ["10.0.0.0/8"], loadBalancer: { certificate, publicAddress: true } },
          isolated: { ivi: { port: 8081, allowFrom: ["192.0.2.0/24", "198.51.100.0/24"] } },
          database: { version: "15", machine: flavor, diskGB: 1, diskType: "luks", tls: false },
        },
      } as Config;
    };
    await makeStack(copy, shared, change, {
      "cais:secrets.platform.api-token": "a-token-of-the-api-that-nobody-has",
      "cais:secrets.platform.database": "a-password-of-the-database",
    });
    await makeStack(copy, isolated, (config) => ({ ...config, ...place }), {
      "cais:secrets.platform.api-token": "a-token-of-the-api-that-nobody-has",
      "cais:secrets.ivi.powerbi-url": "https://bi.example.org/a-key",
      "cais:secrets.ivi.powerbi-app": '{"tenant":"t","client":"c","secret":"s"}',
    });
  }, LONG);
  afterAll(() => rm(copy.project, { recursive: true, force: true }));

  it("makes all that is planned, and the services have it", { timeout: LONG }, async () => {
    for (const stack of [shared, isolated]) {
      await up(copy, stack);
      const there = await found(stack);
      expect(Object.keys(there).length).toBeGreaterThan(5);
      expect(Object.entries(there).filter(([, isThere]) => !isThere)).toEqual([]);
    }
    expect(await server()).toEqual([expect.objectContaining({ status: "ACTIVE" })]);
    expect(await volumes()).toEqual([expect.objectContaining({ status: "in-use", size: 1 })]);
    await writeRecord({
      date: new Date().toISOString().slice(0, 10),
      versions: { pulumi: version ?? "", "pulumi-resource-openstack": plugin ?? "", ...(await serviceVersions()) },
      components: deployedOf([...(await resourcesOf(copy, shared)), ...(await resourcesOf(copy, isolated))]),
    });
  });

  it("made every component of which the matrix says so", async () => {
    const { components } = await readRecord();
    const made = deployedOf([...(await resourcesOf(copy, shared)), ...(await resourcesOf(copy, isolated))]);
    expect(components).toEqual(made);
  });

  it("finds nothing to do afterwards", { timeout: LONG }, async () => {
    for (const stack of [shared, isolated]) expect(await expectNoChanges(copy, stack)).toMatch(/ {4}\d+ unchanged/);
  });

  it("has a machine that finds its workloads and their secrets with what it is told at its first boot", async () => {
    const instance = (await resourcesOf(copy, shared)).find(
      ({ type }) => type === "openstack:compute/instance:Instance",
    );
    const { plaintext } = z.looseObject({ plaintext: z.string() }).parse(instance?.inputs["userData"]);
    await mkdir(".cais/tests", { recursive: true });
    const machine = await mkdtemp(path.resolve(".cais/tests/machine-"));
    try {
      const told = await firstSync(machine, JSON.parse(plaintext));
      expect(told.match(/^[\w-]+: applied/gm)?.toSorted()).toEqual(["ivi-processor: applied", "processor: applied"]);
      const secrets = path.join(machine, "run/cais/secrets/ivi-processor");
      expect((await readdir(secrets)).toSorted()).toEqual([
        "api-token",
        "ivi_powerbi-app",
        "ivi_powerbi-url",
        "store-credential.json",
      ]);
      expect(await readFile(path.join(secrets, "ivi_powerbi-url"), "utf8")).toBe("https://bi.example.org/a-key");
    } finally {
      await rm(machine, { recursive: true });
    }
  });

  it("has a balancer that is active, and lets in whom each API lets in", async () => {
    const lists = <Item>(kind: string) =>
      demo.ask<Record<string, Item[]>>("load-balancer", "GET", `/v2/lbaas/${kind}`).then((all) => all[kind] ?? []);
    const balancers = await lists<{ provisioning_status: string; vip_address: string }>("loadbalancers");
    expect(balancers).toEqual([
      expect.objectContaining({ provisioning_status: "ACTIVE", vip_address: expect.stringMatching(/^10\.20\.0\./) }),
    ]);
    const listeners = await lists<{ protocol: string; protocol_port: number; allowed_cidrs: string[] }>("listeners");
    const doors = listeners.map(({ protocol, protocol_port, allowed_cidrs }) => [
      protocol,
      protocol_port,
      allowed_cidrs.toSorted(),
    ]);
    expect(doors.toSorted()).toEqual([
      ["TERMINATED_HTTPS", 443, ["10.0.0.0/8"]],
      ["TERMINATED_HTTPS", 8081, ["192.0.2.0/24", "198.51.100.0/24"]],
    ]);
    const pools = await lists<{ id: string }>("pools");
    const machine = (await resourcesOf(copy, shared)).find(({ type }) => type.endsWith(":Port"));
    const { port } = await demo.ask<{ port: { fixed_ips: { ip_address: string }[] } }>(
      "network",
      "GET",
      `/v2.0/ports/${machine?.id}`,
    );
    const members = await Promise.all(
      pools.map(({ id }) =>
        demo.ask<{ members: { address: string; protocol_port: number }[] }>(
          "load-balancer",
          "GET",
          `/v2/lbaas/pools/${id}/members`,
        ),
      ),
    );
    const passed = members.flatMap((pool) =>
      pool.members.map(({ address, protocol_port }) => [address, protocol_port]),
    );
    const address = port.fixed_ips[0]?.ip_address;
    expect(passed.toSorted()).toEqual([
      [address, 8080],
      [address, 8081],
    ]);
  });

  it("has a database that is active, on a disk of its kind, made with its user", async () => {
    const { instances } = await demo.ask<{ instances: { id: string; status: string }[] }>(
      "database",
      "GET",
      "/instances",
    );
    expect(instances).toEqual([
      expect.objectContaining({
        status: "ACTIVE",
        datastore: { type: "postgresql", version: "15" },
        volume: expect.objectContaining({ size: 1 }),
        ip: [expect.stringMatching(/^10\.20\.0\./)],
      }),
    ]);
    const disks = await admin.ask<{ volumes: { name: string; volume_type: string }[] }>(
      "volumev3",
      "GET",
      "/volumes/detail?all_tenants=true",
    );
    const disk = disks.volumes.find(({ name }) => name === `trove-${instances[0]?.id}`);
    expect(disk).toMatchObject({ volume_type: "luks" });
    const told = await readFile(path.join(cloud.folder, "data", "trove", `${instances[0]?.id}.json`), "utf8");
    expect(JSON.parse(told)).toEqual({ databases: ["cais"], users: { cais: ["cais"] } });
  });

  it("changes the workload alone when the image changes", { timeout: LONG }, async () => {
    const [before] = await server();
    await set(copy, shared, "cais:image", `registry.example.org/cais/processor@sha256:${"1".repeat(64)}`);
    expect(await up(copy, shared)).toMatch(/Resources:\n +~ 2 updated\n +\d+ unchanged/);
    expect((await server()).map(({ id }) => id)).toEqual([before?.id]);
    await expectNoChanges(copy, shared);
  });

  it("lets Heat make the machine instead, which takes the volume along", { timeout: LONG }, async () => {
    const [volume] = await volumes();
    // As docs/openstack.md says: a new kind of resource is made before the old one goes, and both would want the port.
    const instance = (await resourcesOf(copy, shared)).find(
      ({ type }) => type === "openstack:compute/instance:Instance",
    );
    await destroy(copy, shared, instance?.urn);
    await set(copy, shared, "cais:platform.cluster.madeBy", "heat");
    await up(copy, shared);
    const { stacks } = await demo.ask<{ stacks: { stack_status: string }[] }>("orchestration", "GET", "/stacks");
    expect(stacks.map(({ stack_status }) => stack_status)).toEqual(["CREATE_COMPLETE"]);
    expect(await server()).toEqual([expect.objectContaining({ status: "ACTIVE" })]);
    expect(await volumes()).toEqual([expect.objectContaining({ id: volume?.id, status: "in-use" })]);
    expect(Object.entries(await found(shared)).filter(([, isThere]) => !isThere)).toEqual([]);
    await expectNoChanges(copy, shared);
  });

  it("deletes no data until both switches are on, and then leaves nothing", { timeout: LONG }, async () => {
    await expect(destroy(copy, isolated)).rejects.toThrow(/ivi-lake.* cannot be deleted/);
    await expect(destroy(copy, shared)).rejects.toThrow(/platform-state.* cannot be deleted/);
    for (const stack of [shared, isolated])
      expect(Object.entries(await found(stack)).filter(([, isThere]) => !isThere)).toEqual([]);
    for (const [stack, names] of [
      [isolated, ["ivi"]],
      [shared, ["platform", "inmet"]],
    ] as const) {
      await set(copy, stack, "cais:allowDataDeletion", "true");
      for (const [n, name] of names.entries()) await set(copy, stack, `cais:deletable[${n}]`, name);
      await up(copy, stack);
      await destroy(copy, stack);
      expect(await found(stack)).toEqual({});
    }
    expect([await server(), await volumes()]).toEqual([[], []]);
    const { loadbalancers } = await demo.ask<{ loadbalancers: unknown[] }>(
      "load-balancer",
      "GET",
      "/v2/lbaas/loadbalancers",
    );
    const { instances } = await demo.ask<{ instances: unknown[] }>("database", "GET", "/instances");
    expect([loadbalancers, instances]).toEqual([[], []]);
    const containers = await demo.ask<string>("object-store", "GET", "");
    expect(containers.trim()).toBe("");
  });
});
