import type { ReportViolation, ResourceValidation } from "@pulumi/policy";
import type { Rule } from "./rule.ts";

/** The rule, whose messages show no password of an address such as `https://user:password@host`. */
export function masked(rule: Rule): Rule {
  if ("validateStack" in rule) {
    const { validateStack } = rule;
    return { ...rule, validateStack: (args, report) => validateStack(args, masking(report)) };
  }
  const { validateResource } = rule;
  if (!validateResource) return rule;
  return {
    ...rule,
    validateResource: Array.isArray(validateResource) ? validateResource.map(mask) : mask(validateResource),
  };
}

/** The policy SDK marks a function with the type that it is for. */
const mask = (validate: ResourceValidation): ResourceValidation =>
  Object.assign<ResourceValidation, object>((args, report) => validate(args, masking(report)), validate);

const masking =
  (report: ReportViolation): ReportViolation =>
  (message, urn) =>
    report(message.replaceAll(/(:\/\/[^\s/:@"']{0,200}):[^\s/@"']{1,500}@/g, "$1:[secret]@"), urn);
