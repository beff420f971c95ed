import { Command } from "commander";
import type { Plan } from "../planner/index.ts";
import { countsOf, treeOf } from "../planner/tree.ts";
import { count, paint, planStacks, showPlans, write, writeMessages } from "./planning.ts";
import { projectRoot } from "./root.ts";

/** `cais plan`: what the program in the project `root` asks for, with no credential, provider or network. */
export const planCommand = (root = projectRoot): Command =>
  new Command("plan")
    .description("plan Pulumi stacks offline: what the program asks for, without credentials or network")
    .argument("[stack...]", "names of Pulumi.<stack>.yaml files; all of them when none is given")
    .option("--json", "print one JSON object: the plan, or { plans } unless exactly one stack is given")
    .addHelpText(
      "after",
      "\nExit codes: 0 planned, 1 the program failed, 2 no such stack, 130 interrupted. docs/plan.md tells more.",
    )
    .action(async (stacks: string[], { json = false }: { json?: boolean }) => {
      const plans = planStacks(root, stacks.length > 0 ? stacks : await allStacks(root));
      await showPlans(plans, { json, single: stacks.length === 1, show: writePlan });
    });

async function allStacks(root: string): Promise<string[]> {
  const { stacksOf } = await import("../planner/project.ts");
  return stacksOf(root);
}

function writePlan(plan: Plan): void {
  write(
    `${paint("bold", `Offline plan of ${plan.stack}`)}: what the program asks for, not what a provider would answer.`,
    "",
    ...treeOf(plan, paint),
  );
  writeMessages(plan);
  const outputs = Object.entries(plan.outputs);
  if (outputs.length > 0) write("", "Outputs", ...outputs.map(([name, value]) => `  ${name}: ${shortened(value)}`));
  const counts = countsOf(plan);
  const total = counts.reduce((sum, { count }) => sum + count, 0);
  const width = String(counts[0]?.count ?? 0).length;
  write(
    "",
    count(total, "resource"),
    ...counts.map(({ type, count }) => `  ${String(count).padStart(width)}  ${type}`),
    "",
  );
}

function shortened(value: unknown): string {
  const text = JSON.stringify(value);
  const room = 100;
  return text.length > room ? `${text.slice(0, room)}… (all of it with --json)` : text;
}
