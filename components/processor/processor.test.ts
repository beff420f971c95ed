import { createHash } from "node:crypto";
import { ProcessorConfig } from "@cais/spec/bindings.ts";
import { Stack } from "@cais/spec/stack.ts";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { Cluster } from "../cluster/index.ts";
import { Events } from "../events/index.ts";
import { Network } from "../network/index.ts";
import { ObjectStore } from "../object-store/index.ts";
import { authority, config, record, resolved, testArguments } from "../conformance.ts";
import { Secret } from "../secret/index.ts";
import { type BuiltTarget, builtTargets } from "../target.ts";
import { runnerOn } from "./machine.ts";
import { type Pipeline, Processor, type ProcessorArgs, processorTargets } from "./index.ts";
import type { Runner } from "./runner.ts";

const tags = { owner: "data-platform", stack: "platform", environment: "prod", costCentre: "cc-1" } as const;
const image = `registry.test/cais@sha256:${"0123456789abcdef".repeat(4)}`;

const valueOn = (target: BuiltTarget) => (target === "local" ? {} : { value: "x" });

function pipeline(target: BuiltTarget, name = "inmet"): Pipeline {
  const of = { owner: "meteorologia", stack: name, environment: "prod", costCentre: "cc-7" } as const;
  const store = (role: string) => new ObjectStore(`${name}-${role}`, { tags: of, role, target });
  return {
    stack: Stack.parse({
      name,
      owner: "meteorologia",
      environments: ["prod"],
      source: { upload: {} },
      contract: { columns: [{ name: "DATA", type: "date" }] },
      tables: [{ name: "rain", layer: "silver", sql: "clean.sql", disposition: "append" }],
    }),
    sql: { "clean.sql": "SELECT * FROM input" },
    stores: { input: store("input"), lake: store("lake"), output: store("output") },
    events: new Events(name, { target }),
    secrets: { "hook-key": new Secret(`${name}_hook-key`, { tags: of, target, ...valueOn(target) }) },
  };
}

function cluster(name: string): Runner {
  const network = new Network(name, { tags, target: "openstack" });
  return runnerOn(new Cluster(name, { tags, kind: "vm", network, machine: "m", image: "i", target: "openstack" }).host);
}

// Made in every recording, so that only its use can make a difference.
let spare: Runner | undefined;
function base(target: BuiltTarget): ProcessorArgs {
  spare = cluster("spare");
  const hosted = target === "openstack" ? { cluster: cluster("platform"), image } : {};
  return { tags, pipelines: [pipeline(target)], ...hosted, target };
}
const token = (target: BuiltTarget) => new Secret("api-token", { tags, target, ...valueOn(target) });
const registry = (target: BuiltTarget) => ({
  username: "robot",
  password: new Secret("registry", { tags, target, ...valueOn(target) }),
});

describe.each(builtTargets)("Processor on %s", (target) => {
  it("has the very config that the processor reads", async () => {
    const { result } = await record(() => new Processor("processor", { ...base(target), token: token(target) }));
    const read = await resolved(result.config);
    expect(ProcessorConfig.parse(read)).toEqual(read);
    expect(read).toMatchObject({ environment: "prod", target, api: { host: "127.0.0.1", port: 8080 } });
    expect(Object.keys(read.stacks)).toEqual(["inmet"]);
  });
});

/** What the machine is given of a processor. */
const workloadOf = async (change: () => Partial<ProcessorArgs>, settings: Record<string, string> = config) => {
  const { created, result } = await record(
    () => new Processor("processor", { ...base("openstack"), ...change() }),
    settings,
  );
  const content = z.object({ content: z.string() });
  const of = (name: string) =>
    content.parse(created.find((found) => found.name === name && "content" in Object(found.inputs))?.inputs).content;
  return {
    workload: z.looseObject({}).parse(JSON.parse(of("processor"))),
    unit: of("processor-unit"),
    config: await resolved(result.config),
  };
};

describe("Processor", () => {
  testArguments<ProcessorArgs>(
    processorTargets,
    (target) => ({ ...base(target), ...(target === "openstack" ? { token: token(target) } : {}) }),
    {
      tags: () => ({ tags: { ...tags, environment: "staging" } }),
      pipelines: (target) => ({ pipelines: [pipeline(target, "other")] }),
      cluster: () => ({ cluster: spare }),
      image: () => ({ image: image.replace("cais", "other") }),
      registry: (target) => ({ registry: registry(target) }),
      limits: () => ({ limits: { memoryBytes: 4e9, cpus: 4, tempBytes: 1e9 } }),
      port: () => ({ port: 8443 }),
      allowFrom: () => ({ allowFrom: ["10.0.0.0/8"] }),
      trustedProxies: () => ({ trustedProxies: ["10.20.0.0/24"] }),
      lineage: () => ({ lineage: { driver: "file", path: "lineage.ndjson" } }),
      allowPrivate: () => ({ allowPrivate: ["10.9.0.0/16"] }),
      token: (target) => ({ token: target === "local" ? token(target) : undefined }),
    },
    (args) => new Processor("processor", args).config,
  );

  it("makes nothing on local", async () => {
    const { created } = await record(() => new Processor("processor", { tags, pipelines: [], target: "local" }));
    expect(created).toEqual([]);
  });

  it("may use the objects of its stacks' stores on openstack, and deletes what is delivered nowhere", async () => {
    const { created } = await record(() => new Processor("processor", base("openstack")));
    const credential = created.find(
      ({ type, name }) => name === "processor-stores" && type.endsWith("ApplicationCredential"),
    );
    expect(credential?.inputs).toEqual({
      description: "What the processor may do: the objects of its stacks' stores",
      unrestricted: false,
      accessRules: [
        ...readAndWrite("input"),
        rule("input", "DELETE"),
        ...readAndWrite("lake"),
        rule("lake", "DELETE"),
        ...readAndWrite("output"),
        rule("output", "DELETE", "/.cais-segments/**"),
      ],
    });
  });

  it("reaches the machine as a unit, a workload and a secret, none of which holds the secret in the open", async () => {
    const { result, created } = await record(
      () => new Processor("processor", { ...base("openstack"), token: token("openstack"), allowFrom: ["10.0.0.0/8"] }),
    );
    const inputs = (name: string, type: RegExp) => created.find((r) => r.name === name && type.test(r.type))?.inputs;
    const object = {
      containerName: "platform-workloads-1a2b3c4",
      metadata: { owner: "data-platform", stack: "platform", environment: "prod", "cost-centre": "cc-1" },
    };
    expect(inputs("processor-stores", /SecretV1$/)).toMatchObject({
      payload: { secret: '{"id":"id of processor-stores","secret":"secret of processor-stores"}' },
    });
    const unit = inputs("processor-unit", /ContainerObject$/);
    const text = unit && typeof unit === "object" && "content" in unit ? String(unit.content) : "";
    expect(unit).toEqual({ ...object, name: "processor.service", contentType: "text/plain", content: text });
    expect(text).toContain("--publish 8080:8080");

    const workload = inputs("processor", /ContainerObject$/);
    const content = workload && typeof workload === "object" && "content" in workload ? String(workload.content) : "";
    expect(workload).toEqual({ ...object, name: "processor.json", contentType: "application/json", content });
    expect(JSON.parse(content)).toEqual({
      version: 1,
      unitSha256: createHash("sha256").update(text).digest("hex"),
      uid: 10_001,
      config: await resolved(result.config),
      secrets: [
        { file: "store-credential.json", reference: "https://barbican.test/v1/secrets/processor-stores" },
        { file: "api-token", reference: "https://barbican.test/v1/secrets/api-token" },
        { file: "inmet_hook-key", reference: "https://barbican.test/v1/secrets/inmet_hook-key" },
      ],
    });
    expect(content + text).not.toContain("secret of");
    expect(JSON.parse(content).config.api).toEqual({
      host: "0.0.0.0",
      port: 8080,
      token: { driver: "file", path: "/run/cais/secrets/api-token" },
    });
    expect(JSON.parse(content).config.stacks.inmet.secrets).toEqual({
      "hook-key": { driver: "file", path: "/run/cais/secrets/inmet_hook-key" },
    });
  });

  it.each([
    [image, "registry.test"],
    [image.replace("registry.test", "localhost:5000"), "localhost:5000"],
    [image.replace("registry.test", "someone"), "https://index.docker.io/v1/"],
    [image.replace("registry.test/", ""), "https://index.docker.io/v1/"],
    [image.replace("registry.test", "docker.io/someone"), "https://index.docker.io/v1/"],
  ])("lets the machine fetch %s with a login for %s, of which the container gets nothing", async (image, server) => {
    const { workload, unit } = await workloadOf(() => ({ image, registry: registry("openstack") }));
    expect(workload["registry"]).toEqual({
      server,
      username: "robot",
      password: "https://barbican.test/v1/secrets/registry",
    });
    expect(JSON.stringify(workload["secrets"])).not.toContain("registry");
    expect(unit).toContain("DOCKER_CONFIG=/run/cais/registry/processor\n");
  });

  it("trusts the authorities that the provider is told to trust", async () => {
    const {
      workload,
      unit,
      config: read,
    } = await workloadOf(() => ({}), { ...config, "openstack:cacertFile": authority });
    expect(workload["ca"]).toBe(authority);
    expect(unit).toContain("dst=/etc/cais/ca.pem,readonly");
    expect(read.stacks["inmet"]?.stores).toMatchObject({
      input: { ca: "/etc/cais/ca.pem" },
      lake: { ca: "/etc/cais/ca.pem" },
      output: { ca: "/etc/cais/ca.pem" },
    });
    const without = await workloadOf(() => ({}));
    expect([without.workload["ca"], without.config.stacks["inmet"]?.stores.input]).toEqual([
      undefined,
      expect.not.objectContaining({ ca: expect.anything() }),
    ]);
  });

  it.each([
    [
      "an image without a digest",
      { image: "registry.test/cais:latest" },
      "processor: the image is registry.test/cais:latest; name one with its digest: pulumi config set cais:image <registry>/<name>@sha256:<64 hex digits>",
    ],
    ["an image that would end its line", { image: `x\nExecStartPre=/bin/evil ${image}` }, "processor: the image is x"],
    ["no cluster", { cluster: undefined }, "processor: on openstack a processor needs a cluster to run on."],
    [
      "no stack, since Keystone takes no rules for no limits",
      { pipelines: [] },
      "processor: no stack asks for the environment prod, so there is nothing to serve; add it to `environments` in a stacks/<name>/stack.yaml.",
    ],
    [
      "others without a token",
      { allowFrom: ["10.0.0.0/8"] },
      "processor: allowFrom opens the API to others, so it needs a token.",
    ],
    [
      "a pod without a token",
      { cluster: { kind: "kubernetes", run: () => ({}) } as const },
      "processor: a pod's API listens on the pod's address, for its probes, so it needs a token.",
    ],
  ])("refuses %s", async (_, change, message) => {
    await expect(record(() => new Processor("processor", { ...base("openstack"), ...change }))).rejects.toThrow(
      message,
    );
  });
});

const rule = (role: string, method: string, below = "/**") => ({
  service: "object-store",
  method,
  path: `/v1/AUTH_*/inmet-${role}-1a2b3c4${below}`,
});

const readAndWrite = (role: string) => [
  rule(role, "GET", ""),
  rule(role, "GET"),
  rule(role, "HEAD"),
  rule(role, "PUT"),
];
