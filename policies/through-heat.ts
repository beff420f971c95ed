import { StackV1 } from "@pulumi/openstack/orchestration/stackV1.js";
import { unknownCheckingProxy, type ResourceValidation, validateResourceOfType } from "@pulumi/policy";
import { type Asked, readHeatStack } from "./heat-template.ts";
import type { Rule } from "./rule.ts";

/**
 * The rule, which also judges every resource that a Heat stack's template asks for, as if the program asked for it. What
 * the template leaves to Heat is unknown, and what a rule cannot know it does not judge. Rules about a stack as a whole
 * stay as they are.
 */
export function throughHeat(rule: Rule): Rule {
  if ("validateStack" in rule) return rule;
  const validations = [rule.validateResource ?? []].flat();
  const ofHeat = validateResourceOfType(StackV1, async (stack, args, report) => {
    const read = readHeatStack(stack);
    if (read === undefined || typeof read === "string") return;
    for (const asked of read.resources)
      for (const validation of validations) await judge(validation, asked, args, report);
  });
  return { ...rule, validateResource: [...validations, ofHeat] };
}

/** The type that a resource's class, or a rule's case for it, is marked with. */
const typeOf = (of: object): unknown => Reflect.get(of, "__pulumiType");

async function judge(
  validation: ResourceValidation,
  { name, type, properties, kept }: Asked,
  args: Parameters<ResourceValidation>[0],
  report: Parameters<ResourceValidation>[1],
): Promise<void> {
  if (type === undefined || (typeOf(validation) ?? type) !== type) return;
  const props = unknownCheckingProxy(properties);
  const inner = {
    ...args,
    type,
    name: `${args.name}'s ${name}`,
    props,
    opts: { ...args.opts, protect: args.opts.protect || kept },
    isType: (of: object) => typeOf(of) === type,
    asType: (of: object) => (typeOf(of) === type ? props : undefined),
  };
  await validation(inner, report);
}
