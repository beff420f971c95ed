import { readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { Command } from "commander";
import type { Control } from "../policies/controls.ts";
import type { Rule } from "../policies/rule.ts";
import { Failure } from "./failure.ts";
import { projectRoot } from "./root.ts";

const path = join(projectRoot, "docs", "policies.md");

/** `cais policies`: every rule and control of the pack, from its own constants. */
export const policiesCommand = (): Command =>
  new Command("policies")
    .description("write docs/policies.md: the rules, and what benchmarks ask for")
    .option("--check", "write nothing; exit 1 when the file is not current")
    .action(async ({ check }: { check?: true }) => {
      // The rules load a provider's SDK, which the other commands need not wait for.
      const [{ controls }, { rulesByNoun }] = await Promise.all([
        import("../policies/controls.ts"),
        import("../policies/rules.ts"),
      ]);
      const page = policiesOf(controls, rulesByNoun);
      if (!check) return writeFileSync(path, page);
      if (readFileSync(path, "utf8") !== page)
        throw new Failure(`${relative(process.cwd(), path)} is not current; run npx cais policies and commit it`);
    });

/** The page as text. Both maps are by noun; a noun may have controls, rules or both. */
export function policiesOf(
  controls: Readonly<Record<string, readonly Control[]>>,
  rules: Readonly<Record<string, readonly Rule[]>>,
): string {
  const nouns = [...new Set([...Object.keys(controls), ...Object.keys(rules)])];
  const sections = nouns.map((noun) =>
    [`## ${noun}`, ...controlsOf(controls[noun] ?? []), ...(rules[noun] ?? []).map(ruleText)].join("\n\n"),
  );
  return `<!-- Written by \`npx cais policies\` from policies/controls.ts and the rules beside it: change those. -->

# Policies

\`npx cais check ENV\` holds the offline plan of an environment to these rules, and \`pulumi preview --policy-pack policies\` holds
a preview to the very same. A mandatory rule that is broken refuses the change; an advisory one is only told. An environment
sets levels in \`cais:policies\`, and \`policies/exemptions.yaml\` accepts a violation for a time.

Below each noun are the controls that benchmarks ask for, with the rule that holds them or why there is none, then its rules.
A rule covers every target that has components for its noun. Built so far are \`local\`, which provisions nothing, and
\`openstack\`; on \`docker\`, \`kubernetes\`, \`aws\` and \`azure\` each rule gets its case with the target's components.
It holds what a Heat stack's template asks for as well.

${sections.join("\n\n")}
`;
}

const controlsOf = (list: readonly Control[]): string[] =>
  list.length === 0
    ? []
    : [
        [
          row(["control", "asked for by", "rules", "why not, or what is left open"]),
          row(["---", "---", "---", "---"]),
          ...list.map(({ control, source, rules, why = "" }) =>
            row([control, source, rules.map((name) => `[\`${name}\`](#${name})`).join(", ") || "none", why].map(prose)),
          ),
        ].join("\n"),
      ];

function ruleText({ name, description, severity, enforcementLevel, remediationSteps, references }: Rule): string {
  const links = references.map((reference) => `[${reference.name}](${reference.url})`).join(", ");
  return `### ${name}

${prose(description)} *${severity}, ${enforcementLevel}.* ${prose(remediationSteps)} See ${links}.`;
}

/** Keeps what stands outside of backquotes from being taken for markup. */
const prose = (text: string) =>
  text.replaceAll(/`[^`]*`|[<*]/g, (found) => (found.length === 1 ? `\\${found}` : found));

const row = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
