import { readFile } from "node:fs/promises";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import packageJson from "../package.json" with { type: "json" };
import { comparePreview, Preview, toldViolations, violationsAsTold } from "./fidelity.ts";
import { type Plan, plan } from "./index.ts";
import { image } from "./recorded/stand-in.ts";
import stamp from "./recorded/stamp.json" with { type: "json" };

const recorded = path.join(import.meta.dirname, "recorded");
const read = (name: string) => readFile(path.join(recorded, name), "utf8");

let planned: Plan;
let preview: Preview;
let policies: string;

beforeAll(async () => {
  preview = Preview.parse(JSON.parse(await read("preview.json")));
  policies = await read("policies.txt");
  planned = await plan({
    root: path.join(recorded, "program"),
    stack: "recorded",
    policyPack: path.join(recorded, "pack"),
    answers: { "openstack:images/getImage:getImage": () => ({ ...image }) },
  });
}, 60_000);

/** The plan with one resource changed. */
const changed = (name: string, change: Partial<Plan["resources"][number]>): Plan => ({
  ...planned,
  resources: planned.resources.map((resource) => (resource.name === name ? { ...resource, ...change } : resource)),
});

const urn = "urn:pulumi:recorded::recorded::openstack:networking/network:Network::network";

it("was recorded with the SDKs that plans are made with", () => {
  const { dependencies } = packageJson;
  expect(stamp).toEqual({
    cli: expect.stringMatching(/^3\.\d+\.\d+$/),
    sdk: dependencies["@pulumi/pulumi"],
    policy: dependencies["@pulumi/policy"],
    openstack: dependencies["@pulumi/openstack"],
  });
});

describe("a plan, beside what Pulumi's CLI recorded of the same program", () => {
  it("asks for the same resources, with the same inputs and options", () => {
    const { differences, added, learned } = comparePreview(planned, preview);
    expect(differences).toEqual([]);
    // What the provider's Check adds: names, defaults, and a mark for those.
    expect(added).toEqual([
      "openstack:blockstorage/volume:Volume __defaults",
      "openstack:blockstorage/volume:Volume name",
      "openstack:blockstorage/volume:Volume volumeRetypePolicy",
      "openstack:compute/keypair:Keypair __defaults",
      "openstack:compute/keypair:Keypair name",
      "openstack:networking/network:Network __defaults",
      "openstack:networking/network:Network name",
      "openstack:networking/subnet:Subnet __defaults",
      "openstack:networking/subnet:Subnet enableDhcp",
      "openstack:networking/subnet:Subnet ipVersion",
      "openstack:networking/subnet:Subnet name",
      "openstack:objectstorage/container:Container __defaults",
      "openstack:objectstorage/container:Container name",
      "openstack:objectstorage/containerObject:ContainerObject __defaults",
      "pulumi:providers:openstack __internal",
    ]);
    // What holds a name that Check made up: a container's, a network's, and what is asked for by the network's.
    expect(learned).toEqual([
      "openstack:blockstorage/volume:Volume availabilityZone",
      "openstack:blockstorage/volume:Volume imageId",
      "openstack:objectstorage/container:Container metadata.parent",
      "openstack:objectstorage/containerObject:ContainerObject containerName",
      "openstack:objectstorage/containerObject:ContainerObject contentEncoding",
    ]);
  });

  it("breaks the same rules, in the same words", () => {
    const told = toldViolations(policies);
    expect(violationsAsTold(planned)).toEqual(told);
    expect(new Set(told.map(({ policy }) => policy))).toEqual(
      new Set([
        "told-of-a-resource",
        "asked-about",
        "told-of-a-secret",
        "reads-what-is-unknown",
        "no-unprotected-volume",
        "configured",
        "told-of-the-stack",
      ]),
    );
  });

  it("knows as much where no resource shows it", () => {
    expect(planned.outputs).toMatchObject({ again: urn, readName: "[unknown]", closed: "[secret]" });
  });
});

describe("a comparison", () => {
  const keypair = "urn:pulumi:recorded::recorded::openstack:compute/keypair:Keypair::keypair";

  it.each([
    ["network", { protect: false }, `${urn}: protect is false in the plan and true in the preview`],
    ["network", { parent: "x" }, `${urn}: parent is "x" in the plan and "${stackUrn()}" in the preview`],
    ["network", { dependencies: ["x"] }, `${urn}: dependencies is ["x"] in the plan and [] in the preview`],
    [
      "network",
      { inputs: { adminStateUp: false } },
      `${urn}: adminStateUp is false in the plan and true in the preview`,
    ],
    ["network", { inputs: { adminStateUp: true, more: 1 } }, `${urn}: more is in the plan alone`],
    ["network", { urn: "x" }, `x is in the plan alone`],
    [
      "keypair",
      { inputs: { publicKey: "[unknown]" } },
      `${keypair}: publicKey is "[unknown]" in the plan and "[secret]" in the preview`,
    ],
  ])("tells when %s is %j", (name, change, sentence) => {
    expect(comparePreview(changed(name, change), preview).differences).toContain(sentence);
  });

  it("tells of what is in the preview alone", () => {
    const none = { ...planned, resources: [] };
    expect(comparePreview(none, preview).differences).toContain(`${urn} is in the preview alone`);
    expect(comparePreview(none, preview).differences).toHaveLength(preview.steps.length);
  });

  it("reads no violation out of a text without policies", () => {
    expect(toldViolations("Previewing update (dev):\n    + 3 to create\n")).toEqual([]);
  });
});

function stackUrn(): string {
  return "urn:pulumi:recorded::recorded::pulumi:pulumi:Stack::recorded-recorded";
}
