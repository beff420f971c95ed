import { platformName } from "@cais/spec/names.ts";
import { ifKnown } from "./if-known.ts";
import type { StackRule } from "./rule.ts";
import { environment } from "./settings.ts";
import { tagsOf } from "./tags.ts";

export const requireInProduction: StackRule = {
  name: "budget-require-in-production",
  description: "Every pipeline stack must say what it may cost before it goes to production.",
  severity: "medium",
  remediationSteps: "Add it to the stack's stack.yaml, such as budget: { monthly: 50, currency: USD }.",
  references: [
    {
      name: "Well-Architected COST02-BP02",
      url: "https://docs.aws.amazon.com/wellarchitected/latest/framework/cost_govern_usage_goal_target.html",
    },
  ],
  enforcementLevel: "mandatory",
  validateStack({ resources }, report) {
    if (environment() !== "prod") return;
    const budgeted = new Set(
      resources
        .filter(({ type }) => type === "cais:cost:Budget")
        .map(({ props }) => ifKnown((): unknown => props["stack"])),
    );
    const missing = new Map<string, string>();
    for (const resource of resources) {
      const stack = tagsOf(resource)?.get("stack");
      if (stack && stack !== platformName && !budgeted.has(stack)) missing.set(stack, resource.urn);
    }
    for (const [stack, urn] of missing) report(`${stack} must have a monthly budget in prod, and has none.`, urn);
  },
};

export const rules = [requireInProduction];
