import type { Policies, ReportViolation, ResourceValidation, StackValidationPolicy } from "@pulumi/policy";
import { covers, type Exemption, isPast, matches } from "./exemptions.ts";
import type { Rule } from "./rule.ts";

/** The rules about exemptions themselves. No environment sets their levels, or what is exempted would not be seen. */
export const exemptionRules = {
  unused: "exemption-disallow-unused",
  expired: "exemption-disallow-expired",
  notice: "exemption-require-notice",
} as const;

/** What a pack is asked about. */
export interface Deployment {
  project: string;
  stack: string;
  now: Date;
}

/**
 * The rules with what a stack's exemptions make of them: a violation that is exempted is not told by its rule, but by
 * one that only gives notice of it, whatever its rule's level. An exemption that has expired excuses nothing, and one
 * that had nothing to excuse is told. The rules keep their order; those about exemptions come last, when all is known.
 */
export function excuse(rules: readonly Rule[], exemptions: Exemption[], { project, stack, now }: Deployment): Policies {
  const here = exemptions.filter((exemption) => matches(exemption.stack, stack));
  const current = here.filter(({ expires }) => !isPast(expires, now));
  const stackUrn = `urn:pulumi:${stack}::${project}::pulumi:pulumi:Stack::${project}-${stack}`;
  /** What each exemption excused, once however often a rule was asked. */
  const excused = new Map<Exemption, Map<string, { urn: string; message: string }>>();

  const filtered = (rule: string, report: ReportViolation, about: string): ReportViolation => {
    const candidates = current.filter((exemption) => exemption.rule === rule);
    return (message, urn) => {
      const place = urn ?? about;
      const found = candidates.find((exemption) => covers(exemption, place));
      if (!found) return report(message, urn);
      const uses = excused.get(found) ?? new Map();
      excused.set(found, uses.set(`${place}\n${message}`, { urn: place, message }));
    };
  };

  const wrap = (rule: Rule): Policies[number] => {
    if (!current.some((exemption) => exemption.rule === rule.name)) return rule;
    if ("validateStack" in rule) {
      const { validateStack } = rule;
      const validate: typeof validateStack = (args, report) =>
        validateStack(args, filtered(rule.name, report, stackUrn));
      return { ...rule, validateStack: keepingType(validate, validateStack) };
    }
    const { validateResource } = rule;
    if (!validateResource) return rule;
    const filter = (validate: ResourceValidation): ResourceValidation =>
      keepingType((args, report) => validate(args, filtered(rule.name, report, args.urn)), validate);
    const isList = Array.isArray(validateResource);
    return { ...rule, validateResource: isList ? validateResource.map(filter) : filter(validateResource) };
  };

  const expired: StackValidationPolicy = {
    name: exemptionRules.expired,
    description: "An exemption must not outlive its day.",
    severity: "high",
    remediationSteps: "Mend what it excused and remove it, or ask for a later day.",
    enforcementLevel: "mandatory",
    validateStack: (_, report) => {
      for (const { file, line, rule, expires, owner } of here.filter(({ expires }) => isPast(expires, now)))
        report(
          `${file}:${line} must not be past its day, and its last was ${expires}; ${owner} answers for it (${rule}).`,
        );
    },
  };
  const unused: StackValidationPolicy = {
    name: exemptionRules.unused,
    description: "An exemption must excuse something in every stack that it names.",
    severity: "medium",
    remediationSteps: "Remove it, or name fewer stacks.",
    enforcementLevel: "mandatory",
    validateStack: (_, report) => {
      for (const { file, line, rule, resource } of current.filter((exemption) => !excused.has(exemption)))
        report(
          `${file}:${line} must excuse something in ${stack}, and no resource named ${resource} breaks ${rule} there.`,
        );
    },
  };
  const notice: StackValidationPolicy = {
    name: exemptionRules.notice,
    description: "What is exempted must be seen.",
    severity: "low",
    remediationSteps: "Nothing now; before the exemption's last day, mend what it excuses.",
    enforcementLevel: "advisory",
    validateStack: (_, report) => {
      for (const [exemption, uses] of excused)
        for (const { urn, message } of uses.values()) report(noticeOf(exemption, message), urn);
    },
  };
  return [...rules.map(wrap), expired, unused, notice];
}

/** The policy SDK marks a function with the type that it is for, and does not ask it about others. */
const keepingType = <Validate extends object>(wrapped: Validate, original: Validate): Validate =>
  Object.assign(wrapped, original);

/** Its place comes first: there `readNotice` finds it, and nothing that a program names can stand before it. */
const noticeOf = ({ file, line, rule, expires, owner, reason }: Exemption, message: string): string =>
  `${file}:${line} exempts from ${rule} until ${expires} (${owner}: ${reason}):\n${message}`;

/** What a notice is about: the line of its exemption, and what it excuses. `message` is as a pack's report holds it. */
export function readNotice(message: string): { line: number; message: string } | undefined {
  const [, line, excused] = /^(?:.*\n)?\S+:(\d+) exempts from .*:\n([^]*)$/.exec(message) ?? [];
  return line === undefined || excused === undefined ? undefined : { line: Number(line), message: excused };
}
