import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, beforeAll, expect, it } from "vitest";
import { makePack } from "./make-pack.ts";
import type { Rule } from "./rule.ts";

// None of these packs is served: each fails before.
const rule: Rule = {
  name: "store-require-lid",
  description: "Stores must have a lid.",
  severity: "low",
  enforcementLevel: "mandatory",
  remediationSteps: "Give it one.",
  references: [{ name: "none", url: "https://example.org" }],
  validateResource: () => {},
};

let folder: string;
beforeAll(async () => {
  const tests = join(import.meta.dirname, "..", ".cais", "tests");
  await mkdir(tests, { recursive: true });
  folder = await mkdtemp(join(tests, "pack-"));
  await pulumi.runtime.setMocks(
    { newResource: ({ name, inputs }) => ({ id: name, state: inputs }), call: () => ({}) },
    "cais",
    "prod",
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it.each([
  [
    { levels: { "store-require-lids": "advisory", "exemption-require-notice": "disabled" } },
    [
      "cais:policies.levels names store-require-lids, and there is no such rule whose level could be set; did you mean store-require-lid?",
      "cais:policies.levels names exemption-require-notice, and there is no such rule whose level could be set",
    ].join("\n"),
  ],
  [
    { levels: { "store-require-lid": "none" } },
    'The stack\'s config is not right: cais:policies.levels.store-require-lid: Invalid option: expected one of "advisory"|"mandatory"|"disabled"',
  ],
  [{ level: {} }, "The stack's config is not right: cais:policies.level is not known; did you mean levels?"],
])("refuses what an environment sets: %j", (policies, message) => {
  pulumi.runtime.setAllConfig({ "cais:policies": JSON.stringify(policies) });
  expect(() => makePack("test", [rule], folder)).toThrow(new pulumi.RunError(message));
});

it("refuses exemptions from rules that there are not, as who works in its folder calls the file", async () => {
  pulumi.runtime.setAllConfig({});
  await writeFile(
    join(folder, "exemptions.yaml"),
    "- { rule: store-require-lids, stack: prod, resource: a, reason: r, owner: o, expires: 2027-03-31 }",
  );
  expect(() => makePack("test", [rule], folder)).toThrow(
    'exemptions.yaml:1:11: [0].rule: there is no rule store-require-lids; did you mean "store-require-lid"?',
  );
});
