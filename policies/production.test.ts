import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { plan } from "../planner/index.ts";

it("asks production for its regions, its sizes and its budgets", async () => {
  const root = fileURLToPath(new URL("fixtures/production", import.meta.url));
  const { violations } = await plan({ root, stack: "prod", policyPack: fileURLToPath(new URL(".", import.meta.url)) });
  expect(
    violations.map(({ policy, message }) => `${policy}: ${message.slice(message.indexOf("\n") + 1)}`).toSorted(),
  ).toEqual([
    "budget-require-in-production: b must have a monthly budget in prod, and has none.",
    "region-disallow-unlisted: default_3_15_2 must stay in the regions that prod allows, and cais:policies.regions names none.",
    "size-disallow-unlisted-machine: machine must be of a size that prod allows, and cais:policies.machines names none.",
  ]);
});
