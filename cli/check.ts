import { join } from "node:path";
import { Command, Option } from "commander";
import { type Exemption, ExemptionError, readExemptions } from "../policies/exemptions.ts";
import { Failure } from "./failure.ts";
import { count, paint, planStacks, planStacksAgainst, show, write, writeMessages } from "./planning.ts";
import { reviewText } from "./report-text.ts";
import { isMandatory, type Review, sinceThen, summaryOf, toReview } from "./review.ts";
import { projectRoot } from "./root.ts";

interface Options {
  json?: boolean;
  markdown?: boolean;
  sarif?: boolean;
  against?: string;
}

/** `cais check`: the offline plan of the project `root` held to its policy pack, in `policies/` unless told otherwise. */
export const checkCommand = (root = projectRoot, policyPack = join(root, "policies")): Command =>
  new Command("check")
    .description("hold the offline plan of Pulumi stacks to the policies in policies/")
    .argument("[stack...]", "names of Pulumi.<stack>.yaml files; all of them when none is given")
    .addOption(
      new Option(
        "--json",
        "print one JSON object: the plan with violations and exemptions, or { plans } unless exactly one stack is given",
      ).conflicts(["markdown", "sarif"]),
    )
    .addOption(new Option("--markdown", "print Markdown, for a comment of a pull request").conflicts("sarif"))
    .option("--sarif", "print SARIF 2.1.0, for code scanning and editors")
    .option("--against <ref>", "show only what a commit (a branch, a tag) did not break")
    .addHelpText(
      "after",
      "\nExit codes: 0 no mandatory rule is broken, 1 one is or the program failed, 2 no such stack, 130 interrupted. docs/review.md tells more.",
    )
    .action(async (stacks: string[], options: Options) => {
      const { json = false, markdown = false, sarif = false, against } = options;
      const reviews = reviewStacks(root, policyPack, stacks, against);
      const made = await show(reviews, {
        json,
        each: json || markdown || sarif ? undefined : writeReview,
        whole: sarif ? writeSarif : markdown ? writeMarkdown : undefined,
        // Against a commit, the one stack may be gone.
        object: (all) => (stacks.length === 1 && all[0] ? all[0] : { plans: all }),
      });
      if (made.some(({ violations }) => violations.some(isMandatory))) process.exitCode ??= 1;
    });

async function* reviewStacks(
  root: string,
  policyPack: string,
  named: string[],
  ref: string | undefined,
): AsyncGenerator<Review> {
  const { stacksOf } = await import("../planner/project.ts");
  const all = await stacksOf(root);
  const exemptions = exemptionsOf(policyPack, all);
  if (all.length === 0 && ref === undefined)
    throw new Failure(`there is nothing to check: ${root} has no Pulumi.<stack>.yaml`, { exitCode: 2 });
  if (ref === undefined) {
    for await (const plan of planStacks(root, named.length > 0 ? named : all, { policyPack }))
      yield toReview(plan, exemptions);
    return;
  }
  for await (const { stack, before, after, commit } of planStacksAgainst(root, named, ref, { policyPack }))
    if (after) yield sinceThen(toReview(after, exemptions), before, ref, commit);
    else process.stderr.write(`cais: ${stack} is no more, so there is nothing to check\n`);
}

function exemptionsOf(policyPack: string, stacks: string[]): Exemption[] {
  try {
    return readExemptions(policyPack, { stacks });
  } catch (error) {
    if (!(error instanceof ExemptionError)) throw error;
    throw new Failure(error.message, { cause: error });
  }
}

function writeReview(review: Review): void {
  write(...reviewText(review, paint));
  writeMessages(review);
  write(
    "",
    `${count(review.resources.length, "resource")} checked, ${review.policies.length} policies: ${summaryOf([review])}`,
    "",
  );
}

async function writeSarif(reviews: Review[]): Promise<void> {
  const { reviewsSarif } = await import("./report-sarif.ts");
  write(JSON.stringify(reviewsSarif(reviews), undefined, 2));
}

async function writeMarkdown(reviews: Review[]): Promise<void> {
  const { reviewsMarkdown } = await import("./report-markdown.ts");
  process.stdout.write(reviewsMarkdown(reviews));
}
