import type { Plan } from "./plan.ts";
import { printable } from "./printable.ts";
import { countsOf, sentenceOf, treeOf } from "./tree.ts";

/** GitHub takes comments of 65,536 characters; what is around a report needs some, too. */
export const commentLimit = 60_000;

/** Plans for a comment of a pull request: what there is of each type, the tree, the notes. */
export function plansMarkdown(plans: Plan[]): string {
  return within(commentLimit, [
    "## Offline plan",
    "What the program asks for, not what a provider would answer.",
    ...plans.flatMap(planSections),
  ]);
}

function planSections(plan: Plan): string[] {
  const counts = countsOf(plan);
  const total = counts.reduce((sum, { count }) => sum + count, 0);
  const notes = new Set(plan.messages.map((message) => `- ${message.level}: ${codeSpan(sentenceOf(message, plan))}`));
  return [
    `### ${codeSpan(plan.stack)}: ${total} ${total === 1 ? "resource" : "resources"}`,
    table(
      ["type", "number"],
      counts.map(({ type, count }) => [codeSpan(type), String(count)]),
    ),
    ...(notes.size > 0 ? [[...notes].join("\n")] : []),
    details("Resources", fence(treeOf(plan, (_, text) => text).join("\n"))),
  ];
}

/**
 * Sections below each other, as many from the first on as have room, and of a table or list that has not as many lines.
 * The rest is left out, and a last line says so.
 */
export function within(limit: number, sections: string[]): string {
  const note = "**The rest is left out: it is too long for a comment.** The command without `--markdown` shows all.";
  const whole = `${sections.join("\n\n")}\n`;
  if (whole.length <= limit) return whole;
  const kept: string[] = [];
  let length = note.length + 1;
  for (const section of sections) {
    length += section.length + 2;
    if (length <= limit) {
      kept.push(section);
      continue;
    }
    // A table's head alone would say nothing.
    const end = section.lastIndexOf("\n", section.length - (length - limit));
    if (/^(\|.*\n\|.*\n\||- )/.test(section.slice(0, Math.max(0, end)))) kept.push(section.slice(0, end));
    break;
  }
  return `${[...kept, note].join("\n\n")}\n`;
}

/** Text that Markdown leaves as it is, mentions and tables too. */
export function codeSpan(text: string): string {
  const line = printable(text);
  if (line.trim() === "") return "` `";
  const ticks = "`".repeat(longestRun(line) + 1);
  const gap = line.startsWith("`") || line.endsWith("`") ? " " : "";
  return ticks + gap + line + gap + ticks;
}

/** Lines that Markdown leaves as they are. */
export function fence(text: string, language = ""): string {
  const ticks = "`".repeat(Math.max(3, longestRun(text) + 1));
  return `${ticks}${language}\n${text}\n${ticks}`;
}

/** Rows below a head; cells are Markdown. */
export function table(head: string[], rows: string[][]): string {
  return [head, head.map(() => "---"), ...rows].map(tableLine).join("\n");
}

const tableLine = (cells: string[]): string => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;

/** What is shown on a click. */
export const details = (summary: string, content: string): string =>
  `<details><summary>${summary}</summary>\n\n${content}\n\n</details>`;

const longestRun = (text: string): number => Math.max(0, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
