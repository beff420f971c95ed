import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { type Plan, plan, References, type Violation } from "../planner/index.ts";
import { exemptionRules } from "./excuse.ts";
import { fixtures } from "./fixtures/index.ts";
import { rules, rulesByNoun } from "./rules.ts";

const policyPack = fileURLToPath(new URL(".", import.meta.url));
const fixtureProject = fileURLToPath(new URL("fixtures", import.meta.url));
const project = fileURLToPath(new URL("..", import.meta.url));
const environments = globSync("Pulumi.*.yaml", { cwd: project })
  .map((file) => file.slice("Pulumi.".length, -".yaml".length))
  .toSorted();
const names = rules.map(({ name }) => name);

/** Pulumi puts the rule's description on a line above. */
const sentence = ({ message }: Violation) => message.slice(message.indexOf("\n") + 1);

describe("the policy pack", () => {
  let broken: Plan;
  let kept: Plan;
  beforeAll(async () => {
    [broken, kept] = await Promise.all([
      plan({ root: fixtureProject, stack: "breaks", policyPack }),
      plan({ root: fixtureProject, stack: "keeps", policyPack }),
    ]);
  }, 180_000);

  it("holds each rule once, named after its noun", () => {
    expect(kept.policies.toSorted()).toEqual([...names, ...Object.values(exemptionRules)].toSorted());
    expect(new Set(names).size).toBe(names.length);
    for (const [noun, rules] of Object.entries(rulesByNoun))
      for (const { name } of rules) expect(name.startsWith(`${noun}-`), `${name} of ${noun}`).toBe(true);
  });

  it("finds nothing in what keeps its rules", () => {
    expect(kept.violations.map(({ policy, message, urn }) => ({ policy, message, urn }))).toEqual([]);
  });

  // A stack that refers to another comes after it, whose plan it then need not make again.
  const references = new References();
  it.each(environments)("finds nothing in the environment %s", async (stack) => {
    const { violations } = await plan({ root: project, stack, policyPack, references });
    expect(violations.filter(({ policy }) => policy !== exemptionRules.notice)).toEqual([]);
  });

  it.each(rules)("$name tells each break in a sentence", ({ name, enforcementLevel, severity }) => {
    const expected = Object.values(fixtures).flatMap(({ messages }) => messages[name] ?? []);
    const told = broken.violations.filter(({ policy }) => policy === name);
    expect(expected, "a rule needs a fixture that breaks it").not.toEqual([]);
    expect(told.map(sentence).toSorted()).toEqual(expected.toSorted());
    for (const violation of told) expect(violation).toMatchObject({ pack: "cais", level: enforcementLevel, severity });
  });

  it.each(rules)("$name lets pass what is of the kinds that it finds fault with", ({ name }) => {
    const urns = new Set(broken.violations.filter(({ policy }) => policy === name).map(({ urn }) => urn));
    const kinds = broken.resources.filter(({ urn }) => urns.has(urn)).map(({ type }) => type);
    const refused = Object.values(fixtures).flatMap(({ refused = [] }) => refused);
    const passing = new Set([...kept.resources.map(({ type }) => type), ...refused]);
    expect(kinds.filter((kind) => !passing.has(kind))).toEqual([]);
  });

  it("expects messages of no rule that there is not", () => {
    expect(
      Object.values(fixtures)
        .flatMap(({ messages }) => Object.keys(messages))
        .filter((name) => !names.some((rule) => rule === name)),
    ).toEqual([]);
  });
});
