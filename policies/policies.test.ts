import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { type Plan, plan } from "../planner/index.ts";

const policyPack = fileURLToPath(new URL(".", import.meta.url));
const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const project = fileURLToPath(new URL("..", import.meta.url));
const rules = [
  "network-disallow-open-ingress",
  "object-store-disallow-public-access",
  "object-store-require-owner",
  "processor-require-access-rules",
  "processor-require-image-digest",
];

describe("the policy pack", () => {
  let broken: Plan;
  beforeAll(async () => {
    broken = await plan({ root: fixtures, stack: "breaks", policyPack });
  }, 60_000);

  it("finds nothing in what keeps its rules", async () => {
    const { policies, violations } = await plan({ root: fixtures, stack: "keeps", policyPack });
    expect(policies.toSorted()).toEqual(rules);
    expect(violations).toEqual([]);
  });

  it.each(["dev", "prod-openstack"])("finds nothing in the environment %s", async (stack) => {
    expect((await plan({ root: project, stack, policyPack })).violations).toEqual([]);
  });

  it("fires no rule that is not expected", () => {
    expect([...new Set(broken.violations.map(({ policy }) => policy))].toSorted()).toEqual(rules);
    expect(new Set(broken.violations.map(({ level, pack }) => `${level} ${pack}`))).toEqual(
      new Set(["mandatory cais"]),
    );
  });

  it.each([
    [
      "object-store-disallow-public-access",
      [
        'listed must not be readable by anyone, and its read ACL is ".rlistings".',
        'listed must not be writable by anyone, and its write ACL is "*:user".',
        'public must not be readable by anyone, and its read ACL is ".r:*,.rlistings".',
        'public must not be writable by anyone, and its write ACL is "*:*".',
        'referred must not be readable by anyone, and its read ACL is "a:b, .referrer : example.org".',
        'referred must not be writable by anyone, and its write ACL is "a:b,*".',
      ],
    ],
    [
      "object-store-require-owner",
      [
        "nobodys must carry the tags owner, stack, environment, cost-centre, and lacks stack, environment, cost-centre.",
      ],
    ],
    [
      "network-disallow-open-ingress",
      [
        "anyone must say whom it lets in, and names neither a range nor a group.",
        "empty must say whom it lets in, and names neither a range nor a group.",
        "empty-group must say whom it lets in, and names neither a range nor a group.",
        "empty-range must say whom it lets in, and names neither a range nor a group.",
        "half must not let in everyone, and its range is 128.0.0.0/1.",
        "no-bits must let in a range such as 10.0.0.0/8 or one full address, and has 10.0.0.0/x.",
        "part must let in a range such as 10.0.0.0/8 or one full address, and has 10.",
        "world must not let in everyone, and its range is 0.0.0.0/0.",
        "world-6 must not let in everyone, and its range is ::/0.",
      ],
    ],
    [
      "processor-require-access-rules",
      [
        "empty must have access rules; without any it may do all that its owner may.",
        "free must have access rules; without any it may do all that its owner may.",
        "free must not be unrestricted: whoever holds it could make further credentials.",
        "wide must name what it may reach, and its rule object-store GET /** names anything.",
        "wide must name what it may reach, and its rule object-store GET /v1/AUTH_*/** names anything.",
      ],
    ],
    [
      "processor-require-image-digest",
      [
        "half-c.json must come with its unit, and there is no c.service beside c.json.",
        "idle-d.service must run a container, and its unit runs none.",
        "loose-b.service must run an image with its digest, and runs r.test/b:latest.",
      ],
    ],
  ])("%s tells each break in a sentence", (rule, messages) => {
    const told = broken.violations.filter(({ policy }) => policy === rule);
    // Pulumi puts the rule's description on a line above.
    expect(told.map(({ message }) => message.slice(message.indexOf("\n") + 1)).toSorted()).toEqual(messages);
  });
});
