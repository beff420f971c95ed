import type { Change } from "./against.ts";
import { linesOf, remarksOf, signs } from "./against-lines.ts";
import { byPipeline, type Comparison, summaryOf } from "./against-text.ts";
import { codeSpan, commentLimit, fence, table, within } from "./markdown.ts";

/** Comparisons for a comment of a pull request: what each comes to, then its changes by pipeline stack. */
export function comparisonsMarkdown(
  comparisons: Comparison[],
  { ref, commit }: { ref: string; commit: string },
): string {
  const changed = comparisons.filter(({ changes }) => changes.length > 0);
  return within(commentLimit, [
    "## Effect on every environment",
    `Against ${codeSpan(ref)} (${commit.slice(0, 12)}), by the programs alone: whether a changed resource is replaced only its provider knows.`,
    table(
      ["environment", "effect"],
      comparisons.map((comparison) => [codeSpan(comparison.stack), summaryOf(comparison)]),
    ),
    ...changed.flatMap(({ stack, changes }) => [
      `### ${codeSpan(stack)}`,
      ...byPipeline(changes).flatMap(({ heading, changes: all }) => [
        `#### ${codeSpan(heading)}`,
        ...all.map(changeMarkdown),
      ]),
    ]),
  ]);
}

function changeMarkdown(change: Change): string {
  const { kind, name, type, details } = change;
  const remarks = remarksOf(change).map((remark) => `, **${codeSpan(remark)}**`);
  const first = `\`${signs[kind]}\` ${kind} ${codeSpan(name)} ${codeSpan(type)}${remarks.join("")}`;
  if (details.length === 0) return first;
  const lines = details.flatMap(linesOf).map(({ sign, text }) => `${sign} ${text}`.trimEnd());
  return `${first}\n\n${fence(lines.join("\n"), "diff")}`;
}
