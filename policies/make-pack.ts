import { suggest } from "@cais/spec/suggest.ts";
import { PolicyPack } from "@pulumi/policy";
import * as pulumi from "@pulumi/pulumi";
import { excuse } from "./excuse.ts";
import { type Exemption, ExemptionError, readExemptions } from "./exemptions.ts";
import { masked } from "./mask.ts";
import type { Rule } from "./rule.ts";
import { type Level, readPolicySettings } from "./settings.ts";

/**
 * Serves rules as a policy pack, at the levels of the stack's config and with the exemptions of the file
 * `exemptions.yaml` in the pack's `folder`. Throws when one of them names a rule that there is not.
 */
export function makePack(name: string, rules: readonly Rule[], folder: string): PolicyPack {
  const known = rules.map((rule) => rule.name);
  const exemptions = knownExemptions(folder, known);
  const deployment = { project: pulumi.getProject(), stack: pulumi.getStack(), now: new Date() };
  const levels = knownLevels(readPolicySettings().levels, known);
  const linked = rules.map((rule) => ({ ...masked(rule), url: rule.references[0].url }));
  return new PolicyPack(name, { policies: excuse(linked, exemptions, deployment) }, levels);
}

function knownExemptions(folder: string, rules: string[]): Exemption[] {
  try {
    return readExemptions(folder, { rules, from: "pack" });
  } catch (error) {
    // Pulumi's CLI shows a RunError without its stack trace.
    throw error instanceof ExemptionError ? new pulumi.RunError(error.message, { cause: error }) : error;
  }
}

function knownLevels(levels: Record<string, Level>, rules: string[]): Record<string, Level> {
  const unknown = Object.keys(levels).filter((rule) => !rules.includes(rule));
  if (unknown.length === 0) return levels;
  const problems = unknown.map((rule) => {
    const meant = suggest(rule, rules);
    return `cais:policies.levels names ${rule}, and there is no such rule whose level could be set${meant ? `; did you mean ${meant}?` : ""}`;
  });
  throw new pulumi.RunError(problems.join("\n"));
}
