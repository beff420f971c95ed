import { knownKeys } from "@cais/spec/known-keys.ts";
import { suggest } from "@cais/spec/suggest.ts";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";

/** What an environment may make of a rule: told only, told and refused, or not asked at all. */
export const levels = ["advisory", "mandatory", "disabled"] as const;
export type Level = (typeof levels)[number];

/** What an environment is given under `cais:policies`. The program refuses a wrong shape, too, so that no command misses it. */
export const PolicySettings = z.strictObject({
  /** The level of a rule in this environment, by its id. Default: the one that the rule has by itself. */
  levels: z.record(z.string(), z.enum(levels)).default({}),
});
export type PolicySettings = z.output<typeof PolicySettings>;

/**
 * The settings of the stack that the pack is asked about: Pulumi's CLI and the planner both hand a pack the stack's
 * config. Throws one error that names every wrong key.
 */
export function readPolicySettings(): PolicySettings {
  const result = PolicySettings.safeParse(new pulumi.Config("cais").getObject("policies") ?? {});
  if (result.success) return result.data;
  throw new pulumi.RunError(`The stack's config is not right: ${result.error.issues.map(problemOf).join("; ")}.`);
}

const at = (...path: PropertyKey[]) => ["cais:policies", ...path].join(".");

function problemOf(issue: z.core.$ZodIssue): string {
  if (issue.code !== "unrecognized_keys") return `${at(...issue.path)}: ${issue.message}`;
  const known = knownKeys(PolicySettings, issue.path);
  return issue.keys
    .map((key) => {
      const meant = suggest(key, known);
      return `${at(...issue.path, key)} is not known; ${meant ? `did you mean ${meant}?` : `there is ${known.join(", ")}`}`;
    })
    .join("; ");
}
