import { platformName } from "@cais/spec/names.ts";
import type { Plan, PlannedResource } from "./plan.ts";
import type { Json } from "./value.ts";

/**
 * The pipeline stack of each resource, by URN: what its `stack` tag says, else what those above it or all below it are
 * for, else the pipeline stack whose name its own begins with. What is for none is absent.
 */
export function pipelinesOf(plan: Plan | undefined): Map<string, string> {
  if (!plan) return new Map();
  const tagged = new Map<string, string>();
  for (const { urn, inputs } of plan.resources) {
    const stack = stackTag(inputs);
    if (stack !== undefined) tagged.set(urn, stack);
  }
  const served = servedStacks(plan);
  const children = Map.groupBy(plan.resources, ({ parent }) => parent);
  const below = ({ urn }: PlannedResource): string[] =>
    (children.get(urn) ?? []).flatMap((child) => [tagged.get(child.urn) ?? [], below(child)].flat());

  const found = new Map<string, string>();
  // Parents come before their children.
  for (const resource of plan.resources) {
    if (resource.parent === null) continue;
    const [first, ...others] = new Set(below(resource));
    const stack =
      tagged.get(resource.urn) ??
      found.get(resource.parent) ??
      (others.length === 0 ? first : undefined) ??
      [...served].filter((name) => `${resource.name}-`.startsWith(`${name}-`)).toSorted(longestFirst)[0];
    if (stack !== undefined && stack !== platformName) found.set(resource.urn, stack);
  }
  return found;
}

/** Tags are a map, or a list of `key=value`, and called one of these. */
function stackTag(inputs: Record<string, Json>): string | undefined {
  for (const tags of [inputs["tags"], inputs["metadata"], inputs["labels"]]) {
    if (Array.isArray(tags)) {
      const tag = tags.find((item) => typeof item === "string" && item.startsWith("stack="));
      if (typeof tag === "string") return tag.slice("stack=".length);
    } else if (tags && typeof tags === "object" && typeof tags["stack"] === "string") return tags["stack"];
  }
  return undefined;
}

/** The pipeline stacks of which the output `processor` tells the processor. */
function servedStacks({ outputs }: Plan): Set<string> {
  const { processor } = outputs;
  const stacks =
    processor && typeof processor === "object" && !Array.isArray(processor) ? processor["stacks"] : undefined;
  return new Set(stacks && typeof stacks === "object" && !Array.isArray(stacks) ? Object.keys(stacks) : []);
}

const longestFirst = (a: string, b: string): number => b.length - a.length;
