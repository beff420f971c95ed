import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type Plan, plan } from "./index.ts";

const fixture = (name: string) => path.join(import.meta.dirname, "fixtures", name);

const root = "urn:pulumi:test::platform::";
const stackUrn = `${root}pulumi:pulumi:Stack::platform-test`;
const north = `${root}pulumi:providers:openstack::north`;
const defaultProvider = `${root}pulumi:providers:openstack::default_3_15_2`;
const network = `${root}openstack:networking/network:Network::network`;
const subnet = `${root}openstack:networking/subnet:Subnet::subnet`;
const volume = `${root}openstack:blockstorage/volume:Volume::volume`;
const store = `${root}fixture:storage:Store::store`;
const container = `${root}fixture:storage:Store$openstack:objectstorage/container:Container::store-container`;
const keypair = `${root}openstack:compute/keypair:Keypair::keypair`;
const read = `${root}openstack:networking/network:Network::public`;
const remote = `${root}remote:index:Cluster::remote`;

/** What a resource is when its program says nothing of it. */
const usual = {
  parent: stackUrn,
  custom: true,
  opaque: false,
  read: false,
  id: null,
  inputs: {},
  outputs: null,
  secretInputs: [],
  unknownInputs: [],
  dependencies: [],
  propertyDependencies: {},
  provider: defaultProvider,
  protect: false,
  retainOnDelete: false,
  deletedWith: null,
  aliases: [],
  ignoreChanges: [],
  replaceOnChanges: [],
  deleteBeforeReplace: false,
  additionalSecretOutputs: [],
  location: null,
};

let planned: Plan;

beforeAll(async () => {
  planned = await plan({ root: fixture("platform"), stack: "test", policyPack: fixture("pack") });
});

const violations = (policy: string) => planned.violations.filter((violation) => violation.policy === policy);
const resource = (urn: string) => planned.resources.find((candidate) => candidate.urn === urn);

describe("the plan of a program", () => {
  it("lists every resource below its parent, siblings by type and name", () => {
    expect(planned.resources.map(({ urn }) => urn)).toEqual([
      stackUrn,
      store,
      container,
      volume,
      keypair,
      network,
      read,
      subnet,
      defaultProvider,
      north,
      `${root}pulumi:providers:remote::default`,
      remote,
    ]);
  });

  it("gives a child its component's provider, protection, aliases and transforms", () => {
    expect(resource(container)).toEqual({
      ...usual,
      urn: container,
      type: "openstack:objectstorage/container:Container",
      name: "store-container",
      parent: store,
      provider: north,
      protect: true,
      // forceDestroy by the component's transform, region by the stack's.
      inputs: { metadata: { owner: "meteorologia" }, forceDestroy: false, region: "from-the-stack" },
      ignoreChanges: ["metadata"],
      aliases: [`${root}fixture:storage:Store$openstack:objectstorage/container:Container::old-store-container`],
      location: { file: "main.ts", line: 18 },
    });
  });

  it("shows a component with what it was given and what it gives", () => {
    expect(resource(store)).toEqual({
      ...usual,
      urn: store,
      location: { file: "main.ts", line: 44 },
      type: "fixture:storage:Store",
      name: "store",
      custom: false,
      provider: null,
      protect: true,
      inputs: { owner: "meteorologia" },
      outputs: { location: "[unknown]", owner: "meteorologia" },
      aliases: [`${root}fixture:storage:Store::old-store`],
    });
  });

  it("takes dependencies from inputs and from dependsOn, a component's children for the component", () => {
    expect(resource(volume)).toEqual({
      ...usual,
      urn: volume,
      location: { file: "main.ts", line: 63 },
      type: "openstack:blockstorage/volume:Volume",
      name: "volume",
      provider: north,
      inputs: { size: 3, metadata: { network: "[unknown]" } },
      unknownInputs: ["metadata"],
      dependencies: [container, network, subnet],
      propertyDependencies: { metadata: [network] },
      retainOnDelete: true,
      additionalSecretOutputs: ["attachments"],
    });
    expect(resource(subnet)).toMatchObject({
      inputs: { networkId: "[unknown]", cidr: "10.0.0.0/24", noGateway: true },
      unknownInputs: ["networkId"],
      propertyDependencies: { networkId: [network] },
    });
  });

  it("masks secrets in nested inputs, in JSON, beside unknowns and in texts that repeat them", () => {
    expect(resource(keypair)).toMatchObject({
      inputs: {
        publicKey: "[secret]",
        valueSpecs: { url: "https://cais:[secret]@example.org/", given: "[secret]", mixed: "[secret]" },
      },
      secretInputs: ["publicKey", "valueSpecs"],
      unknownInputs: ["valueSpecs"],
      dependencies: [volume],
    });
    expect(JSON.stringify(planned)).not.toContain("correct-horse-battery");
  });

  it("makes a default provider of the package's config, and keeps an explicit one", () => {
    const inputs = {
      applicationCredentialSecret: "[secret]",
      authUrl: "https://keystone.example/v3",
      password: "[secret]",
      region: "RegionOne",
      version: "3.15.2",
    };
    const type = "pulumi:providers:openstack";
    expect(resource(defaultProvider)).toEqual({
      ...usual,
      urn: defaultProvider,
      type,
      name: "default_3_15_2",
      provider: null,
      inputs,
      secretInputs: ["applicationCredentialSecret", "password"],
    });
    expect(resource(north)).toMatchObject({
      provider: null,
      inputs: { region: "north", password: "[secret]", version: "3.15.2" },
      secretInputs: ["password"],
    });
  });

  it("tells apart what is read and what only a provider's binary can build", () => {
    expect(resource(read)).toMatchObject({ read: true, id: "8d1f9b0c", provider: north, inputs: {} });
    expect(resource(remote)).toMatchObject({
      opaque: true,
      custom: false,
      inputs: { names: ["[unknown]", "plain"], size: 3 },
      dependencies: [container],
    });
  });

  it("gives outputs as plain JSON; config comes from both files", () => {
    const { container: reference, ...outputs } = planned.outputs;
    expect(outputs).toEqual({
      plain: { text: "a", number: 1.5, list: [true, null, { deep: "b" }] },
      region: "sao-paulo",
      limits: { maxBytes: 1000 },
      secrets: "[secret]",
      nested: { open: "yes", closed: ["[secret]", { network: "[unknown]" }] },
      name: "[unknown]",
      publicId: "8d1f9b0c",
      keypairName: "[unknown]",
      // An input of the same name is no output of a remote component.
      remoteSize: "[unknown]",
      remoteUrn: remote,
    });
    expect(reference).toMatchObject({ urn: container, id: "[unknown]", region: "from-the-stack" });
  });

  it("keeps what program and pack said, with the resource that it is about", () => {
    expect(planned.messages.filter(({ from }) => from === "program")).toEqual([
      { level: "info", text: "the password is [secret]", urn: null, from: "program" },
      { level: "warning", text: "encryptionKey is unsupported here", urn: store, from: "program" },
    ]);
  });
});

describe("the policy pack", () => {
  it("is told the inputs, options and provider of a resource", () => {
    const [{ message, ...violation } = { message: "" }, ...others] = violations("told-of-a-resource");
    expect(others).toEqual([]);
    expect(violation).toEqual({
      policy: "told-of-a-resource",
      pack: "fixture-pack",
      level: "advisory",
      severity: "low",
      urn: container,
    });
    expect(JSON.parse(message.split("\n")[1] ?? "")).toEqual({
      name: "store-container",
      container: { metadata: { owner: "meteorologia" }, forceDestroy: false, region: "from-the-stack" },
      parent: store,
      protect: true,
      ignoreChanges: ["metadata"],
      aliases: [],
      provider: "north",
    });
  });

  it("is told of the stack: parents, dependencies; what it says of no resource is about the stack", () => {
    expect(violations("told-of-the-stack").map(({ level, message, urn }) => ({ level, message, urn }))).toEqual([
      {
        level: "mandatory",
        message:
          "Tells what a stack rule is told.\nvolume of platform-test depends on network, store-container, subnet",
        urn: volume,
      },
      { level: "mandatory", message: "Tells what a stack rule is told.\nabout the stack as a whole", urn: stackUrn },
    ]);
  });

  it("breaks a mandatory rule with its own sentence, gets its config's defaults, and leaves a disabled rule alone", () => {
    expect(violations("no-unprotected-volume")).toEqual([
      {
        policy: "no-unprotected-volume",
        pack: "fixture-pack",
        level: "mandatory",
        severity: null,
        message: "Volumes must be protected.\nthe volume volume must be protected",
        urn: volume,
      },
    ]);
    expect(violations("configured").map(({ message }) => message)).toEqual([
      "Reads its config's default.\nfrom-the-schema",
    ]);
    expect(violations("switched-off")).toEqual([]);
    expect(planned.policies).toEqual([
      "told-of-a-resource",
      "no-unprotected-volume",
      "configured",
      "told-of-the-stack",
    ]);
  });

  it("has ended with the plan", () => {
    const said = planned.messages.find(({ from }) => from === "policy-pack");
    const pid = Number(/^rules served by (\d+)$/.exec(said?.text ?? "")?.[1]);
    expect(pid).toBeGreaterThan(0);
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
  });
});

it("plans the same twice", async () => {
  const again = await plan({ root: fixture("platform"), stack: "test" });
  expect(again.resources).toEqual(planned.resources);
  expect(again.outputs).toEqual(planned.outputs);
  expect(again.violations).toEqual([]);
});
