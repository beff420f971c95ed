import * as pulumi from "@pulumi/pulumi";
import type { Omitted, TargetTable } from "../target.ts";

export interface BudgetArgs {
  /** The pipeline stack that it is for. */
  stack: string;
  /** What the stack may cost in a month. */
  monthly: number;
  /** Three letters (ISO 4217), such as USD. */
  currency: string;
}

/** Neither target bills anyone: what watches costs comes with those that do. */
export const budgetTargets = {
  local: { omitted: "nothing costs anything; the plan shows the budget" },
  openstack: {
    omitted: "not every cloud rates what is used; the plan shows the budget, which reviewers hold a change to",
  },
} satisfies TargetTable<Omitted>;

/** What a pipeline stack may cost: recorded for who reads the plan, and for the rules. It makes nothing. */
export class Budget extends pulumi.ComponentResource {
  constructor(name: string, { stack, monthly, currency }: BudgetArgs, opts?: pulumi.ComponentResourceOptions) {
    super("cais:cost:Budget", name, { stack, monthly, currency }, opts);
    this.registerOutputs({ stack, monthly, currency });
  }
}
