import { join } from "node:path";
import { Command } from "commander";
import type { Plan, Violation } from "../planner/index.ts";
import { count, paint, planStacks, showPlans, write, writeMessages } from "./planning.ts";
import { projectRoot } from "./root.ts";

/** `cais check`: the offline plan of the project `root` held to its policy pack, in `policies/` unless told otherwise. */
export const checkCommand = (root = projectRoot, policyPack = join(root, "policies")): Command =>
  new Command("check")
    .description("hold the offline plan of Pulumi stacks to the policies in policies/")
    .argument("<stack...>", "names of Pulumi.<stack>.yaml files")
    .option("--json", "print one JSON object: the plan with its violations, or { plans } for several stacks")
    .addHelpText(
      "after",
      "\nExit codes: 0 no mandatory rule is broken, 1 one is or the program failed, 2 no such stack, 130 interrupted.",
    )
    .action(async (stacks: string[], { json = false }: { json?: boolean }) => {
      const plans = planStacks(root, stacks, { policyPack });
      const made = await showPlans(plans, { json, single: stacks.length === 1, show: writeReview });
      if (made.some(({ violations }) => violations.some(isMandatory))) process.exitCode ??= 1;
    });

const isMandatory = ({ level }: Violation): boolean => level === "mandatory";

function writeReview(plan: Plan): void {
  write(`${paint("bold", `Policies on the offline plan of ${plan.stack}`)}`);
  for (const [urn, violations] of Map.groupBy(plan.violations, ({ urn }) => urn)) {
    const resource = plan.resources.find((candidate) => candidate.urn === urn);
    write("", `${paint("bold", resource?.name ?? urn)}  ${paint("dim", resource?.type ?? "")}`);
    for (const { level, policy, message } of violations) {
      const mark = paint(level === "mandatory" ? "red" : "yellow", level);
      write(`  ${mark}  ${policy}`, ...message.split("\n").map((line) => `    ${line}`));
    }
  }
  writeMessages(plan);
  const mandatory = plan.violations.filter(isMandatory).length;
  write(
    "",
    `${count(plan.resources.length, "resource")} checked, ${plan.policies.length} policies, ${count(plan.violations.length, "violation")} (${mandatory} mandatory)`,
  );
}
