import { Command, Option } from "commander";
import type { Comparison } from "../planner/against-text.ts";
import type { Plan } from "../planner/index.ts";
import { countsOf, treeOf } from "../planner/tree.ts";
import { count, paint, planStacks, planStacksAgainst, show, showPlans, write, writeMessages } from "./planning.ts";
import { projectRoot } from "./root.ts";

interface Options {
  json?: boolean;
  markdown?: boolean;
  graph?: boolean;
  against?: string;
}

/** `cais plan`: what the program in the project `root` asks for, with no credential, provider or network. */
export const planCommand = (root = projectRoot): Command =>
  new Command("plan")
    .description("plan Pulumi stacks offline: what the program asks for, without credentials or network")
    .argument("[stack...]", "names of Pulumi.<stack>.yaml files; all of them when none is given")
    .addOption(
      new Option("--json", "print one JSON object: the plan, or { plans } unless exactly one stack is given").conflicts(
        ["markdown", "graph"],
      ),
    )
    .addOption(new Option("--markdown", "print Markdown, for a comment of a pull request").conflicts("graph"))
    .addOption(
      new Option("--graph", "print a Mermaid flowchart of what is needed for what").conflicts(["against", "json"]),
    )
    .option("--against <ref>", "show what changes from a commit (a branch, a tag) to the working tree")
    .addHelpText(
      "after",
      "\nExit codes: 0 planned, 1 the program failed, 2 no such stack, 130 interrupted. docs/plan.md tells more.",
    )
    .action(async (named: string[], options: Options) => {
      const stacks = [...new Set(named)];
      if (options.against !== undefined) return showChanges(root, stacks, options.against, options);
      const { json = false, markdown = false, graph = false } = options;
      const plans = planStacks(root, stacks.length > 0 ? stacks : await allStacks(root));
      if (markdown || graph) await show(plans, { json, whole: markdown ? writeMarkdown : writeGraph });
      else await showPlans(plans, { json, single: stacks.length === 1, show: writePlan });
    });

async function allStacks(root: string): Promise<string[]> {
  const { stacksOf } = await import("../planner/project.ts");
  return stacksOf(root);
}

async function writeMarkdown(plans: Plan[]): Promise<void> {
  const { plansMarkdown } = await import("../planner/markdown.ts");
  process.stdout.write(plansMarkdown(plans));
}

async function writeGraph(plans: Plan[]): Promise<void> {
  const { graphOf } = await import("../planner/graph.ts");
  const { text, shows, fits } = graphOf(plans);
  process.stdout.write(text);
  if (fits && shows === "resources") return;
  const than = fits ? "so the graph shows components alone" : "and this is more even with components alone";
  process.stderr.write(
    `cais: Mermaid draws 500 arrows and 50,000 characters at most, ${than}; plan one stack at a time to see more\n`,
  );
}

async function showChanges(
  root: string,
  stacks: string[],
  ref: string,
  { json = false, markdown = false }: Options,
): Promise<void> {
  const { compare } = await import("../planner/against.ts");
  const { textOf } = await import("../planner/against-text.ts");
  const { comparisonsMarkdown } = await import("../planner/against-markdown.ts");
  let commit = "";
  const compared = async function* (): AsyncGenerator<Comparison> {
    for await (const pair of planStacksAgainst(root, stacks, ref)) {
      const { stack, before, after } = pair;
      if (!json && !markdown && commit === "")
        write(
          `${paint("bold", `What changes from ${ref} (${pair.commit.slice(0, 12)})`)}: what the programs ask for, not what a provider would answer.`,
          "",
        );
      ({ commit } = pair);
      yield { stack, side: before ? (after ? "both" : "gone") : "new", changes: compare(before, after) };
    }
  };
  await show(compared(), {
    json,
    each: json || markdown ? undefined : (comparison) => write(...textOf(comparison, paint), ""),
    whole: markdown ? (all) => void process.stdout.write(comparisonsMarkdown(all, { ref, commit })) : undefined,
    object: (all) => ({ against: { ref, commit }, stacks: all }),
  });
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
