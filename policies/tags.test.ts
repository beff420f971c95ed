import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { diskInputs, machineInputs } from "./size.ts";
import { tagInputs } from "./tags.ts";

/** Every type of the provider's SDK, with the names of its inputs. */
const types = new Map<string, string[]>();
const sdk = path.dirname(new URL(import.meta.resolve("@pulumi/openstack/package.json")).pathname);
for (const file of readdirSync(sdk, { recursive: true, encoding: "utf8" }).filter((name) =>
  /^\w+\/\w+\.js$/.test(name),
)) {
  const token = /__pulumiType = '(.*)'/.exec(readFileSync(path.join(sdk, file), "utf8"))?.[1];
  if (token === undefined || token.startsWith("pulumi:providers:")) continue;
  const [, inputs = ""] =
    /export interface \w+Args \{(.*?)\n\}/s.exec(readFileSync(path.join(sdk, file.replace(/js$/, "d.ts")), "utf8")) ??
    [];
  types.set(
    token,
    [...inputs.matchAll(/^ {4}(\w+)\??: /gm)].map(([, name = ""]) => name),
  );
}
const withInput = (pattern: RegExp) =>
  [...types].flatMap(([type, inputs]) =>
    inputs.filter((input) => pattern.test(input)).map((input) => `${type} ${input}`),
  );
const listed = (table: Readonly<Record<string, string | readonly string[]>>) =>
  Object.entries(table).flatMap(([type, inputs]) => [inputs].flat().map((input) => `${type} ${input}`));

it("knows every resource of OpenStack that holds tags, and where", () => {
  expect(types.size).toBeGreaterThan(100);
  const others = [
    // What the scheduler chooses by.
    "openstack:compute/aggregateV2:AggregateV2 metadata",
    // It has both, and its metadata hold keys and values.
    "openstack:compute/instance:Instance tags",
  ];
  expect([...listed(tagInputs), ...others].toSorted()).toEqual(withInput(/^(metadata|tags)$/).toSorted());
});

it("knows every input of OpenStack that sets the size of a machine or a disk", () => {
  const others = [
    // These are the flavor, or say who may use it.
    "openstack:compute/flavor:Flavor flavorId",
    "openstack:compute/flavorAccess:FlavorAccess flavorId",
    // Kinds of load balancer, not of machine.
    "openstack:loadbalancer/loadBalancer:LoadBalancer flavorId",
    // A switch.
    "openstack:blockstorage/volume:Volume enableOnlineResize",
  ];
  const known = [...listed(machineInputs), ...listed(diskInputs), ...others];
  expect(known.toSorted()).toEqual(withInput(/flavor|size$/i).toSorted());
});
