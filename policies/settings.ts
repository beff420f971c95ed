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
  /** The regions in which resources may be. Default: any, but production must name them. */
  regions: z.array(z.string().min(1)).min(1).optional(),
  /** The sizes that machines may have: flavors by name or id, `*` for any characters. Default: any, but production must name them. */
  machines: z.array(z.string().min(1)).min(1).optional(),
  /** The largest disk that may be asked for, in GB. Default: any. */
  diskGB: z.number().int().positive().optional(),
  /** The volume types that encrypt. Default: any type that is named, since only the cloud's operator knows. */
  volumeTypes: z.array(z.string().min(1)).min(1).optional(),
});
export type PolicySettings = z.output<typeof PolicySettings>;

/**
 * The settings of the stack that the pack is asked about: Pulumi's CLI and the planner both hand a pack the stack's
 * config. Throws one error that names every wrong key.
 */
export function readPolicySettings(): PolicySettings {
  const result = PolicySettings.safeParse(new pulumi.Config("cais").getObject("policies") ?? {});
  if (result.success) return result.data;
  throw new pulumi.RunError(`The stack's config is not right: ${result.error.issues.map(problemOf).join("; ")}`);
}

let known: PolicySettings | undefined;
/** The settings, read when a rule first asks. */
export const policySettings = (): PolicySettings => (known ??= readPolicySettings());

/** `cais:environment`; undefined in a project that knows no environments. */
export const environment = (): string | undefined => new pulumi.Config("cais").get("environment");

/**
 * Whether what was given as a secret is hidden from the pack, so that every text it sees is open for all to read. The
 * planner hides them; Pulumi's CLI hands a pack decrypted config, and the SDK takes the mark off every input.
 */
export const secretsAreHidden = (): boolean => process.env["CAIS_SECRETS_HIDDEN"] === "true";

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
