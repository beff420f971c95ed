import type { ResourceValidationPolicy, Severity, StackValidationPolicy } from "@pulumi/policy";

/** A control of a benchmark or a guide, and where it is written. */
export interface Reference {
  readonly name: string;
  readonly url: string;
}

/** What a rule says of itself besides what it checks; `docs/policies.md` is made of it. */
interface Told {
  /** Its noun first. */
  name: `${string}-${"disallow" | "require" | "enable"}-${string}`;
  severity: Severity;
  /** Its level where the environment's config says nothing else. */
  enforcementLevel: "advisory" | "mandatory";
  /** What to do about a violation: one sentence or two. */
  remediationSteps: string;
  readonly references: readonly [Reference, ...Reference[]];
}

/** A rule about each resource by itself. A message is one full sentence that begins with the resource's name. */
export type ResourceRule = ResourceValidationPolicy & Told;

/** A rule about the stack as a whole: about what is absent, or about several resources together. */
export type StackRule = StackValidationPolicy & Told;

/** One constant for all targets: another target's resource is one more case in it. */
export type Rule = ResourceRule | StackRule;
