import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { cliVersion } from "../../../planner/recorded/cli.ts";
import { type Asker, asker } from "./ask.ts";
import type { Cloud } from "./part.ts";
import { presence } from "./places.ts";
import { furnish } from "./project.ts";
import { type Copy, copyProject, destroy, expectNoChanges, makeStack, resourcesOf, set, up } from "./pulumi.ts";
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
    const { image, external } = await furnish(cloud);
    demo = await asker(cloud, "demo");
    copy = await copyProject("demo");
    // A Keystone that is busy drops a connection now and then, and the provider gives up at the first.
    const place = {
      "openstack:authUrl": cloud.keystone,
      "openstack:region": cloud.region,
      "openstack:maxRetries": 10,
    };
    await makeStack(copy, shared, ({ "cais:platform": platform, ...config }) => {
      const { cluster, network } = z
        .looseObject({ cluster: z.looseObject({}), network: z.looseObject({}) })
        .parse(platform);
      return {
        ...config,
        ...place,
        "cais:platform": {
          network: { ...network, external: { id: external, name: "public" } },
          cluster: { ...cluster, image, stateGB: 1 },
        },
      } as typeof config;
    });
    await makeStack(copy, isolated, (config) => ({ ...config, ...place }), {
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
    const instance = (await resourcesOf(copy, shared)).find(({ type }) => type.endsWith(":Instance"));
    const { plaintext } = z.looseObject({ plaintext: z.string() }).parse(instance?.inputs["userData"]);
    const Files = z.looseObject({ write_files: z.array(z.looseObject({ path: z.string(), content: z.string() })) });
    const { write_files } = Files.parse(parse(JSON.parse(plaintext)));
    await mkdir(".cais/tests", { recursive: true });
    const machine = await mkdtemp(path.resolve(".cais/tests/machine-"));
    try {
      for (const { path: file, content } of write_files) {
        await mkdir(path.join(machine, path.dirname(file)), { recursive: true });
        await writeFile(path.join(machine, file), content);
      }
      await mkdir(path.join(machine, "bin"));
      await writeFile(path.join(machine, "bin", "systemctl"), "#!/bin/sh\n");
      await chmod(path.join(machine, "bin", "systemctl"), 0o755);
      const env = { PATH: `${path.join(machine, "bin")}:/usr/bin:/bin`, PYTHONDONTWRITEBYTECODE: "1" };
      const { stdout } = await run("python3", [path.join(machine, "usr/local/lib/cais/sync.py"), machine], { env });
      expect(stdout.match(/^[\w-]+: applied/gm)?.toSorted()).toEqual(["ivi-processor: applied", "processor: applied"]);
      const secrets = path.join(machine, "run/cais/secrets/ivi-processor");
      expect((await readdir(secrets)).toSorted()).toEqual([
        "ivi_powerbi-app",
        "ivi_powerbi-url",
        "store-credential.json",
      ]);
      expect(await readFile(path.join(secrets, "ivi_powerbi-url"), "utf8")).toBe("https://bi.example.org/a-key");
    } finally {
      await rm(machine, { recursive: true });
    }
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
    const instance = (await resourcesOf(copy, shared)).find(({ type }) => type.endsWith(":Instance"));
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
    const containers = await demo.ask<string>("object-store", "GET", "");
    expect(containers.trim()).toBe("");
  });
});
