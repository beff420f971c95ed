import type { Control } from "./controls.ts";

/** The controls that are about every kind of resource. */
export const generalControls: Readonly<Record<string, readonly Control[]>> = {
  tags: [
    {
      control: "owner, stack, environment and cost centre on everything that can hold them",
      source: "Well-Architected COST03-BP02",
      rules: ["tags-require-owner"],
      why: "Magnum, Trove, security group rules and others hold no tags: what they belong to does",
    },
  ],
  region: [
    {
      control: "only the regions that are allowed",
      source: "NIST SP 800-53 SA-9(5)",
      rules: ["region-disallow-unlisted"],
      why: "cais:policies.regions lists them; without it any is allowed, but in production",
    },
  ],
  size: [
    {
      control: "only the sizes that an environment allows",
      source: "Well-Architected COST02-BP05",
      rules: ["size-disallow-unlisted-machine", "size-disallow-large-disk"],
      why: "cais:policies.machines and diskGB say them; without machines any is allowed, but in production. How many machines there are is not limited",
    },
  ],
  budget: [
    {
      control: "a budget in production",
      source: "Well-Architected COST02-BP02",
      rules: ["budget-require-in-production"],
      why: "no target built so far bills anyone, so nothing measures what is spent",
    },
  ],
  environment: [
    {
      control: "environments kept apart",
      source: "ISO/IEC 27002:2022 8.31",
      rules: ["environment-disallow-others"],
      why: "tags, and names that lead to other stacks, projects, networks and containers; an id does not say whose it is. A preview does not show a pack the references to other stacks: only the offline plan does",
    },
  ],
  "plain-secret": [
    {
      control: "no secret in the open, in config, variables, user data or metadata",
      source: "CWE-798; CIS Kubernetes 5.4.1",
      rules: ["plain-secret-disallow-in-config", "plain-secret-disallow-in-input"],
      why: "by known formats, telling names and randomness, in the offline plan, which hides what is kept as a secret. Pulumi's CLI hands a pack decrypted config, so in a preview these two say nothing",
    },
  ],
};
