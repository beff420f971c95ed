import { platformName } from "@cais/spec/names.ts";
import type { Change } from "./against.ts";
import { linesOf, losesProtection, remarksOf, signs } from "./against-lines.ts";
import { printable } from "./printable.ts";
import type { Paint, Tone } from "./tree.ts";

/** What changes in one Pulumi stack. */
export interface Comparison {
  stack: string;
  /** On which side there is a `Pulumi.<stack>.yaml`: on both, only now, or only at the commit. */
  side: "both" | "new" | "gone";
  changes: Change[];
}

const tones: Record<Change["kind"], Tone> = { created: "green", changed: "yellow", deleted: "red" };

/** A comparison in lines: what it comes to, then each change below its pipeline stack. */
export function textOf(comparison: Comparison, paint: Paint): string[] {
  const lines = [`${paint("bold", printable(comparison.stack))}  ${summaryOf(comparison)}`];
  for (const { heading, changes } of byPipeline(comparison.changes)) {
    lines.push("", `  ${paint("bold", heading)}`);
    for (const change of changes) lines.push(...changeLines(change, paint).map((line) => `  ${line}`));
  }
  return lines;
}

function changeLines(change: Change, paint: Paint): string[] {
  const remarks = remarksOf(change).map((remark) => paint("cyan", remark));
  const sign = paint(tones[change.kind], signs[change.kind]);
  const first = [`${sign} ${paint("bold", printable(change.name))}`, paint("dim", printable(change.type)), ...remarks];
  const details = change.details.flatMap((detail) => {
    const [head, ...rest] = linesOf(detail);
    const short = rest.every(({ sign, text }) => sign !== " " && text.length <= 60);
    const told = (wanted: "-" | "+") => rest.filter(({ sign }) => sign === wanted).map(({ text }) => text);
    const [before = "(none)", ...moreBefore] = told("-");
    const [after = "(none)", ...moreAfter] = told("+");
    if (short && moreBefore.length + moreAfter.length === 0)
      return [`${head?.text}: ${paint("red", before)} → ${paint("green", after)}`];
    return [
      `${head?.text}:`,
      ...rest.map(({ sign, text }) => {
        const line = `  ${sign} ${text}`;
        return sign === " " ? line : paint(sign === "-" ? "red" : "green", line);
      }),
    ];
  });
  return [first.join("  "), ...details.map((line) => `    ${line}`)];
}

/** What a comparison comes to: `2 created, 3 changed (1 no longer protected), 1 deleted (1 protected)`. */
export function summaryOf({ side, changes }: Comparison): string {
  const counts = (["created", "changed", "deleted"] as const).flatMap((kind) => {
    const all = changes.filter((change) => change.kind === kind);
    const kept = all.filter(({ protect, read }) => protect && !read).length;
    const opened = all.filter((change) => losesProtection(change) && !change.read).length;
    const remark = kept > 0 ? ` (${kept} protected)` : opened > 0 ? ` (${opened} no longer protected)` : "";
    return all.length === 0 ? [] : `${all.length} ${kind}${remark}`;
  });
  const what = counts.join(", ") || "no change";
  if (side === "both") return what;
  // Without its file no deployment looks at it any more.
  return side === "new"
    ? `a new environment: ${what}`
    : `an environment that is no more, whose resources stay until \`pulumi destroy\`: ${what}`;
}

/** Changes by pipeline stack, what all share first. */
export function byPipeline(changes: Change[]): { heading: string; changes: Change[] }[] {
  const grouped = Map.groupBy(changes, ({ pipeline }) => pipeline ?? "");
  return [...grouped]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([pipeline, all]) => ({ heading: printable(pipeline) || platformName, changes: all }));
}
