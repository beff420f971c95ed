import { StackV1 } from "@pulumi/openstack/orchestration/stackV1.js";
import {
  type PolicyResource,
  type ReportViolation,
  type ResourceValidation,
  type StackValidation,
  unknownCheckingProxy,
  validateResourceOfType,
} from "@pulumi/policy";
import { type Asked, readHeatStack } from "./heat-template.ts";
import type { Rule } from "./rule.ts";

/**
 * The rule, which also judges every resource that a Heat stack's template asks for, as if the program asked for it. What
 * the template leaves to Heat is unknown, and what a rule cannot know it does not judge.
 */
export function throughHeat(rule: Rule): Rule {
  if ("validateStack" in rule) {
    const { validateStack } = rule;
    return { ...rule, validateStack: (args, report) => judgeStack(validateStack, args, report) };
  }
  const validations = [rule.validateResource ?? []].flat();
  const ofHeat = validateResourceOfType(StackV1, async (stack, args, report) => {
    const read = readHeatStack(stack);
    if (read === undefined || typeof read === "string") return;
    // A resource whose properties depend on a condition is judged in each form.
    const told = new Set<string>();
    for (const asked of read.resources)
      for (const validation of validations)
        await judge(validation, asked, args, (message) => {
          if (!told.has(message)) report(message);
          told.add(message);
        });
  });
  return { ...rule, validateResource: [...validations, ofHeat] };
}

/** The type that a resource's class, or a rule's case for it, is marked with. */
const typeOf = (of: object): unknown => Reflect.get(of, "__pulumiType");

async function judge(
  validation: ResourceValidation,
  { name, heatType, type, properties, kept }: Asked,
  args: Parameters<ResourceValidation>[0],
  report: (message: string) => void,
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
  try {
    await validation(inner, report);
  } catch (error) {
    // Nothing holds a template to the kinds of value that its types take, and a rule expects those.
    if (!(error instanceof TypeError)) throw error;
    report(`${inner.name} must have properties such as ${heatType} takes, and one is of another kind.`);
  }
}

type Stack = Parameters<StackValidation>[0];

/** Asks a rule about the stack with what its Heat stacks ask for; what it says of that, it says of the Heat stack. */
function judgeStack(validate: StackValidation, args: Stack, report: ReportViolation): void | Promise<void> {
  const owners = new Map<string, string>();
  const told = new Set<string>();
  const all = args.resources.flatMap((resource) => {
    const parts = partsOf(resource);
    for (const { urn } of parts) owners.set(urn, resource.urn);
    return [resource, ...parts];
  });
  return validate({ ...args, resources: all }, (message, urn) => {
    const owner = urn === undefined ? undefined : owners.get(urn);
    if (owner !== undefined && told.has(message)) return;
    told.add(message);
    report(message, owner ?? urn);
  });
}

/** What a Heat stack's template asks for, each with a URN of its own that no other resource can have. */
function partsOf(stack: PolicyResource): PolicyResource[] {
  const props = stack.asType(StackV1);
  const read = props && readHeatStack(props);
  if (read === undefined || typeof read === "string") return [];
  const parts = read.resources.flatMap((asked, index): (PolicyResource & Pick<Asked, "uses">)[] => {
    const { name, type, properties, kept, uses } = asked;
    if (type === undefined) return [];
    const held = unknownCheckingProxy(properties);
    return [
      {
        uses,
        type,
        props: held,
        urn: `${stack.urn}\n${index}\n${name}`,
        name: `${stack.name}'s ${name}`,
        opts: { ...stack.opts, protect: stack.opts.protect || kept },
        dependencies: [],
        propertyDependencies: {},
        isType: (of) => typeOf(of) === type,
        asType: (of) => (typeOf(of) === type ? held : undefined),
      },
    ];
  });
  const named = (wanted: string) => parts.filter(({ name }) => name === `${stack.name}'s ${wanted}`);
  for (const part of parts)
    part.propertyDependencies = Object.fromEntries(
      Object.entries(part.uses).map(([input, names]) => [input, names.flatMap(named)]),
    );
  return parts;
}
