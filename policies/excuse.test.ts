import type { Policies, ResourceValidationArgs, StackValidationArgs } from "@pulumi/policy";
import { describe, expect, it } from "vitest";
import { excuse, readNotice } from "./excuse.ts";
import type { Exemption } from "./exemptions.ts";
import type { Rule } from "./rule.ts";

const told = {
  description: "Nothing is right.",
  severity: "high",
  enforcementLevel: "mandatory",
  remediationSteps: "Mend it.",
  references: [{ name: "none", url: "https://example.org" }],
} as const;
const rules: Rule[] = [
  {
    ...told,
    name: "store-disallow-public-access",
    validateResource: [
      ({ name }, report) => report(`${name} is public.`),
      ({ name }, report) => report(`${name} is old.`),
    ],
  },
  {
    ...told,
    name: "stack-require-store",
    validateStack: (_, report) => {
      report("The stack has no store.");
      report("Two is odd.", "urn:pulumi:prod::cais::t:t:T::two");
    },
  },
];
const exemption = (changed: Partial<Exemption>): Exemption => ({
  rule: "store-disallow-public-access",
  stack: "prod",
  resource: "one",
  reason: "the law: says so",
  owner: "us",
  expires: "2026-12-01",
  file: "policies/exemptions.yaml",
  line: 7,
  ...changed,
});

/** What the rules tell of the resources `one` and `two`, then of the stack. */
async function review(exemptions: Exemption[]): Promise<string[]> {
  const lines: string[] = [];
  const policies: Policies = excuse(rules, exemptions, {
    project: "cais",
    stack: "prod",
    now: new Date("2026-12-01T12:00:00Z"),
  });
  const reporter = (rule: string, about: string) => (message: string, urn?: string) =>
    lines.push(`${rule} ${urn?.split("::").at(-1) ?? about}: ${message}`);
  for (const name of ["one", "two"])
    for (const rule of policies)
      if (!("validateStack" in rule))
        for (const validate of [rule.validateResource ?? []].flat())
          await validate(
            { name, urn: `urn:pulumi:prod::cais::t:t:T::${name}` } as ResourceValidationArgs,
            reporter(rule.name, name),
          );
  for (const rule of policies)
    if ("validateStack" in rule) await rule.validateStack({} as StackValidationArgs, reporter(rule.name, "stack"));
  return lines;
}

const all = [
  "store-disallow-public-access one: one is public.",
  "store-disallow-public-access one: one is old.",
  "store-disallow-public-access two: two is public.",
  "store-disallow-public-access two: two is old.",
  "stack-require-store stack: The stack has no store.",
  "stack-require-store two: Two is odd.",
];
const notice =
  "policies/exemptions.yaml:7 exempts from store-disallow-public-access until 2026-12-01 (us: the law: says so):\n";

describe("an exemption", () => {
  it("changes nothing where there is none, or it is about another stack", async () => {
    expect(await review([])).toEqual(all);
    expect(await review([exemption({ stack: "dev" }), exemption({ stack: "dev", expires: "2026-01-01" })])).toEqual(
      all,
    );
  });

  it("takes what it covers out of its rule, and gives notice of it", async () => {
    expect(await review([exemption({})])).toEqual([
      ...all.slice(2),
      `exemption-require-notice one: ${notice}one is public.`,
      `exemption-require-notice one: ${notice}one is old.`,
    ]);
  });

  it("covers what a rule tells of the stack as a whole, or of a resource of it", async () => {
    const rule = "stack-require-store";
    expect(
      await review([
        exemption({ rule, resource: "cais-prod", line: 1 }),
        exemption({ rule, resource: "t:*::tw*", line: 2 }),
      ]),
    ).toEqual([
      ...all.slice(0, 4),
      `exemption-require-notice cais-prod: ${notice.replace(":7", ":1").replace("store-disallow-public-access", rule)}The stack has no store.`,
      `exemption-require-notice two: ${notice.replace(":7", ":2").replace("store-disallow-public-access", rule)}Two is odd.`,
    ]);
  });

  it("is told when it excuses nothing, the second of two as well", async () => {
    expect((await review([exemption({ resource: "three" })])).slice(6)).toEqual([
      "exemption-disallow-unused stack: policies/exemptions.yaml:7 must excuse something in prod, and no resource named three breaks store-disallow-public-access there.",
    ]);
    const lines = await review([exemption({}), exemption({ line: 8 })]);
    expect(lines.filter((line) => line.startsWith("exemption-disallow-unused"))).toEqual([
      "exemption-disallow-unused stack: policies/exemptions.yaml:8 must excuse something in prod, and no resource named one breaks store-disallow-public-access there.",
    ]);
  });

  it("excuses nothing after its day, and is told", async () => {
    expect(await review([exemption({ expires: "2026-11-30" })])).toEqual([
      ...all,
      "exemption-disallow-expired stack: policies/exemptions.yaml:7 must not be past its day, and its last was 2026-11-30; us answers for it (store-disallow-public-access).",
    ]);
  });

  it("leaves a rule that it is not about as it is, and the mark of the type that one is for", () => {
    const validate = Object.assign(() => {}, { __pulumiType: "t:t:T" });
    const marked: Rule = { ...told, name: "store-disallow-public-access", validateResource: validate };
    const policies = excuse([marked, ...rules.slice(1)], [exemption({})], {
      project: "cais",
      stack: "prod",
      now: new Date("2026-12-01T12:00:00Z"),
    });
    expect(policies[0]).toHaveProperty(["validateResource", "__pulumiType"], "t:t:T");
    expect(policies[1]).toBe(rules[1]);
  });
});

describe("a notice", () => {
  it("is read as a pack's report holds it", () => {
    expect(readNotice(`What is exempted must be seen.\n${notice}one is\npublic.`)).toEqual({
      line: 7,
      message: "one is\npublic.",
    });
    expect(readNotice("one is public.")).toBeUndefined();
  });
});
