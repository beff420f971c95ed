import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { ProcessorConfig } from "@cais/spec/bindings.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { type Plan, plan, References } from "../planner/index.ts";

const project = fileURLToPath(new URL("..", import.meta.url));
const last = (urn: string | null) => urn?.split("::").slice(-1).join() ?? null;
const find = ({ resources }: Plan, type: string, name: string) =>
  resources.find((resource) => resource.type.endsWith(`:${type}`) && resource.name === name);

describe("the program", () => {
  let root = "";
  beforeEach(async () => {
    await mkdir(path.join(project, ".cais/tests"), { recursive: true });
    root = await mkdtemp(path.join(project, ".cais/tests/program-"));
    const file = await readFile(path.join(project, "Pulumi.yaml"), "utf8");
    await writeFile(path.join(root, "Pulumi.yaml"), file.replace("main: ", "main: ../../../"));
  });
  afterEach(() => rm(root, { recursive: true }));

  /** Plans the example of an OpenStack environment with some keys changed (undefined takes one away). */
  async function planWith(change: Record<string, unknown>, references = new References()): Promise<Plan> {
    const { config } = parse(await readFile(path.join(project, "Pulumi.prod-openstack.yaml"), "utf8"));
    await writeFile(path.join(root, "Pulumi.test.yaml"), stringify({ config: { ...config, ...change } }));
    return plan({ root, stack: "test", references });
  }
  const withApi = async (change: Record<string, unknown> = {}) => {
    const { config } = parse(await readFile(path.join(project, "Pulumi.prod-openstack.yaml"), "utf8"));
    return planWith({ "cais:platform": { ...config["cais:platform"], api: { allowFrom: ["10.0.0.0/8"] } }, ...change });
  };

  it("plans dev without a resource to make, a warning or anything unknown, and outputs what the processor reads", async () => {
    const { resources, outputs, messages } = await plan({ root: project, stack: "dev" });
    expect(resources.filter(({ custom }) => custom)).toEqual([]);
    expect(messages).toEqual([]);
    const config = ProcessorConfig.parse(outputs["processor"]);
    expect(config).toEqual(outputs["processor"]);
    expect(config.stacks["inmet"]?.stores.input).toEqual({ driver: "fs", path: "stores/inmet/input" });
    // `dev` holds what is isolated elsewhere, too.
    expect(Object.keys(config.stacks)).toEqual(["inmet", "ivi"]);
  });

  // The stack that is referred to is planned once.
  const references = new References();

  it("plans the example of OpenStack with children under their component, data protected and secrets closed", async () => {
    const planned = await plan({ root: project, stack: "prod-openstack", references });
    expect(planned.messages).toEqual([]);
    const custom = planned.resources.filter(({ type, custom }) => custom && !type.startsWith("pulumi:"));
    expect(custom.filter(({ parent }) => !parent?.includes("::cais:"))).toEqual([]);
    const own = custom.filter(({ name, parent }) => name !== last(parent) && !name.startsWith(`${last(parent)}-`));
    expect(own).toEqual([]);
    expect(custom.filter(({ protect }) => protect).map(({ name }) => name)).toEqual(
      expect.arrayContaining(["platform-state", "inmet-input", "inmet-lake", "inmet-output"]),
    );
    const secret = custom.flatMap(({ name, secretInputs }) => secretInputs.map((key) => `${name}.${key}`));
    expect(secret.toSorted()).toEqual(["platform.userData", "processor-stores.payload"]);
    expect(planned.outputs["processor"]).toMatchObject({
      environment: "prod",
      target: "openstack",
      api: { host: "127.0.0.1", port: 8080 },
      stacks: { inmet: { events: { driver: "monitor", intervalSeconds: 5 }, stores: { lake: { driver: "swift" } } } },
    });
    // What is isolated was never in it.
    expect(planned.resources.filter(({ name }) => name.startsWith("ivi"))).toEqual([]);
    expect(planned.outputs["platform"]).toEqual({
      environment: "prod",
      target: "openstack",
      image: expect.stringContaining("@sha256:"),
      isolated: {},
    });
    expect(planned.outputs["workloads"]).toBe("[unknown]");
  });

  it("plans the isolated one with its own stores, secrets and processor, on the platform of the shared one", async () => {
    const planned = await plan({ root: project, stack: "prod-openstack.ivi", references });
    expect(planned.messages).toEqual([]);
    const made = planned.resources.filter(({ type, custom }) => custom && !type.startsWith("pulumi:"));
    expect(made.map(({ name, type }) => `${type.split(":").at(-1)} ${name}`).toSorted()).toEqual([
      "ApplicationCredential ivi-processor-stores",
      "Container ivi-input",
      "Container ivi-lake",
      "Container ivi-output",
      "ContainerObject ivi-processor",
      "ContainerObject ivi-processor-unit",
      "SecretV1 ivi-processor-stores",
      "SecretV1 ivi_powerbi-app",
      "SecretV1 ivi_powerbi-url",
    ]);
    expect(made.flatMap(({ name, secretInputs }) => secretInputs.map((key) => `${name}.${key}`)).toSorted()).toEqual([
      "ivi-processor-stores.payload",
      "ivi_powerbi-app.payload",
      "ivi_powerbi-url.payload",
    ]);
    const unit = find(planned, "ContainerObject", "ivi-processor-unit");
    // The image is the shared stack's; where its workloads are is known when that one is deployed.
    expect(String(unit?.inputs["content"])).toMatch(/registry\.example\.org\/cais\/processor@sha256:0{64}\n/);
    expect(unit).toMatchObject({
      inputs: { containerName: "[unknown]", name: "ivi-processor.service", metadata: { stack: "ivi" } },
      dependencies: [expect.stringContaining("StackReference::organization/cais/prod-openstack")],
    });
    expect(find(planned, "ApplicationCredential", "ivi-processor-stores")?.inputs["accessRules"]).toHaveLength(15);
    expect(Object.keys(planned.outputs)).toEqual(["processor"]);
    expect(planned.outputs["processor"]).toMatchObject({ environment: "prod", stacks: { ivi: {} } });
  });

  it("opens the port of an isolated one in the shared one, and asks for a token in its own", async () => {
    const apart = parse(await readFile(path.join(project, "Pulumi.prod-openstack.ivi.yaml"), "utf8"));
    apart.config["cais:secrets"].platform = { "api-token": { secure: "v1:abc" } };
    await writeFile(path.join(root, "Pulumi.test.ivi.yaml"), stringify(apart));
    const { config } = parse(await readFile(path.join(project, "Pulumi.prod-openstack.yaml"), "utf8"));
    const isolated = { ivi: { port: 8081, allowFrom: ["10.0.0.0/8"] } };
    const once = new References();
    const api = { trustedProxies: ["10.30.0.0/24"] };
    const shared = await planWith({ "cais:platform": { ...config["cais:platform"], isolated, api } }, once);
    expect(shared.messages).toEqual([]);
    expect(find(shared, "SecGroupRule", "platform-ingress-8081-10.0.0.0-8")?.inputs).toMatchObject({
      portRangeMin: 8081,
      portRangeMax: 8081,
    });
    const planned = await plan({ root, stack: "test.ivi", references: once });
    expect(String(find(planned, "ContainerObject", "ivi-processor-unit")?.inputs["content"])).toContain(
      "--publish 8081:8081",
    );
    expect(find(planned, "SecretV1", "api-token")?.inputs).toMatchObject({ payload: "[secret]" });
    expect(planned.outputs["processor"]).toMatchObject({ api: { host: "0.0.0.0", port: 8081, ...api } });
    expect(shared.outputs["processor"]).toMatchObject({ api: { host: "127.0.0.1", ...api } });

    delete apart.config["cais:secrets"];
    await writeFile(path.join(root, "Pulumi.test.ivi.yaml"), stringify(apart));
    const set = "pulumi config set --secret --path 'cais:secrets.";
    await expect(plan({ root, stack: "test.ivi", references: once })).rejects.toThrow(
      `3 secrets are missing; set them with:\n  ${set}ivi.powerbi-app'\n  ${set}ivi.powerbi-url'\n  ${set}platform.api-token'`,
    );
  });

  it("lets data go only with both switches", async () => {
    const both = await planWith({ "cais:allowDataDeletion": true, "cais:deletable": ["inmet"] });
    expect(find(both, "Container", "inmet-lake")).toMatchObject({ protect: false, inputs: { forceDestroy: true } });
    expect(find(both, "Volume", "platform-state")).toMatchObject({ protect: true });
    expect(both.messages.map(({ text }) => text)).toContain(
      "platform: data stays protected, because cais:allowDataDeletion allows its deletion but its own switch does not.",
    );
    expect(both.messages.map(({ text }) => text)).toContain(
      "ivi asks for this environment and is isolated, and no Pulumi.test.ivi.yaml deploys it.",
    );
    const one = await planWith({ "cais:deletable": ["inmet", "platform"] });
    expect(find(one, "Container", "inmet-lake")).toMatchObject({ protect: true, inputs: { forceDestroy: false } });
    expect(find(one, "Volume", "platform-state")).toMatchObject({ protect: true });
  });

  it("opens the API to whom it is told, with a token that stays closed", async () => {
    const secure = "v1:abc";
    const planned = await withApi({
      "cais:secrets": { platform: { "api-token": { secure } }, inmet: { "temp-url-kee": { secure } } },
    });
    expect(planned.messages.map(({ text }) => text)).toContain(
      "The secret inmet.temp-url-kee is used by nothing here; remove it with: pulumi config rm --path 'cais:secrets.inmet.temp-url-kee'",
    );
    expect(find(planned, "SecGroupRule", "platform-ingress-8080-10.0.0.0-8")?.inputs).toMatchObject({
      portRangeMin: 8080,
    });
    expect(find(planned, "SecretV1", "api-token")).toMatchObject({
      secretInputs: ["payload"],
      inputs: { payload: "[secret]" },
    });
    expect(planned.outputs["processor"]).toMatchObject({
      api: { host: "0.0.0.0", token: { driver: "file", path: "/run/cais/secrets/api-token" } },
    });
    expect(String(find(planned, "ContainerObject", "processor-unit")?.inputs["content"])).toContain(
      "--publish 8080:8080",
    );
  });

  it("says which command sets a missing token", async () => {
    await expect(withApi()).rejects.toThrow(
      "The secret platform.api-token is missing; set it with: pulumi config set --secret --path 'cais:secrets.platform.api-token'",
    );
  });

  it("says what a secret must look like", async () => {
    await expect(withApi({ "cais:secrets": { platform: { "API token": { secure: "v1:abc" } } } })).rejects.toThrow(
      "cais:secrets must hold texts at <stack>.<name>; ",
    );
  });

  it.each([
    [
      "a target that is not built",
      { "cais:target": "aws" },
      'cais:target is "aws", which this version cannot provision yet; choose local or openstack with: pulumi config set cais:target local',
    ],
    ["no machine", { "cais:platform": {} }, "cais:platform.cluster is missing; say what the containers run on"],
    ["a key it does not know", { "cais:imag": "x" }, "cais:imag is not known; did you mean image?"],
  ])("refuses %s in one sentence", async (_, change, message) => {
    await expect(planWith(change)).rejects.toThrow(message);
  });
});
