import { readStack } from "@cais/spec/read-stack.ts";
import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { isolated, isolatedOf } from "./isolated.ts";
import { readIsolatedSettings } from "./settings.ts";

const inmet = readStack("stacks/inmet");
const ivi = readStack("stacks/ivi");

describe("the name of a Pulumi stack", () => {
  it("says which pipeline stack is alone in it, and on whose platform", () => {
    expect(isolatedOf("prod-openstack.ivi", [inmet, ivi])).toEqual({ shared: "prod-openstack", folder: ivi });
    expect(isolatedOf("prod-openstack", [inmet, ivi])).toBeUndefined();
  });

  it.each([
    [
      "prod-openstack.iv",
      "The name of the Pulumi stack prod-openstack.iv says that it is for the pipeline stack iv, and there is no stacks/iv/stack.yaml; did you mean prod-openstack.ivi?",
    ],
    [
      "prod.snow",
      "The name of the Pulumi stack prod.snow says that it is for the pipeline stack snow, and there is no stacks/snow/stack.yaml; the isolated ones are: ivi.",
    ],
    [
      "prod-openstack.inmet",
      "The Pulumi stack prod-openstack.inmet is for the pipeline stack inmet, which prod-openstack deploys already; say `isolated: true` in stacks/inmet/stack.yaml, or remove Pulumi.prod-openstack.inmet.yaml.",
    ],
  ])("is refused: %s", (name, message) => {
    expect(() => isolatedOf(name, [inmet, ivi])).toThrow(new pulumi.RunError(message));
  });
});

/** Makes ivi alone, on a platform that was deployed with these outputs. */
async function make(outputs: Record<string, unknown>, config: Record<string, string> = {}) {
  const given = { "cais:target": "openstack", "cais:environment": "prod", ...config };
  const newResource = ({ type, id, name, inputs }: pulumi.runtime.MockResourceArgs) => ({
    id: id ?? name,
    state:
      type === "pulumi:pulumi:StackReference"
        ? { ...inputs, outputs: { workloads: "w", ...outputs }, secretOutputNames: [] }
        : inputs,
  });
  await pulumi.runtime.setMocks({ newResource, call: () => ({}) }, "cais", "prod-openstack.ivi", true, "organization");
  pulumi.runtime.setAllConfig(given);
  const stack = { shared: "prod-openstack", folder: ivi };
  return isolated(stack, readIsolatedSettings(given, "ivi"), () => pulumi.output("x"));
}

describe("an isolated stack", () => {
  const platform = { environment: "prod", target: "openstack", isolated: {} };

  it.each<[string, Parameters<typeof make>, string]>([
    [
      "a platform that is not there",
      [{ processor: {} }],
      "The shared stack organization/cais/prod-openstack has no output `platform` (a plan needs its Pulumi.prod-openstack.yaml); deploy it first with: pulumi up -s prod-openstack",
    ],
    [
      "a platform of another version",
      [{ platform: { ...platform, isolated: { ivi: { port: "8081" } } } }],
      "The shared stack organization/cais/prod-openstack has an output `platform` that this version cannot read (✖ Invalid input: expected number, received string → at isolated.ivi.port ✖ Invalid input: expected array, received undefined → at isolated.ivi.allowFrom); deploy it first with: pulumi up -s prod-openstack",
    ],
    [
      "a platform of another environment",
      [{ platform: { ...platform, environment: "staging" } }],
      "cais:environment is prod, and the shared stack prod-openstack is staging; set it with: pulumi config set cais:environment staging --stack prod-openstack.ivi",
    ],
    [
      "an environment that it does not ask for",
      [{ platform }, { "cais:environment": "staging" }],
      "The pipeline stack ivi asks for dev, prod, and prod-openstack.ivi is staging; add it to `environments` in stacks/ivi/stack.yaml.",
    ],
    [
      "dev, which holds everything",
      [{ platform }, { "cais:environment": "dev" }],
      "prod-openstack holds ivi already, since dev holds every pipeline stack; remove Pulumi.prod-openstack.ivi.yaml.",
    ],
    [
      "a target that holds everything",
      [{ platform }, { "cais:target": "local" }],
      "prod-openstack holds ivi already, since local holds every pipeline stack; remove Pulumi.prod-openstack.ivi.yaml.",
    ],
  ])("refuses %s", async (_, given, message) => {
    await expect(make(...given)).rejects.toThrow(new pulumi.RunError(message));
  });
});
