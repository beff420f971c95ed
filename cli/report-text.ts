import { printable } from "../planner/printable.ts";
import type { Paint } from "../planner/tree.ts";
import { locationOf, resourceOf, type Review, sentenceOf } from "./review.ts";

/** A review for a terminal, by resource: what is broken, what to do about it, what is exempted. */
export function reviewText(review: Review, paint: Paint): string[] {
  const { stack, against, violations, exemptions } = review;
  const since = against ? ` that ${against.ref} (${against.commit.slice(0, 12)}) does not break` : "";
  const lines = [paint("bold", `Policies on the offline plan of ${printable(stack)}${since}`)];
  for (const [urn, broken] of Map.groupBy(violations, ({ urn }) => urn)) {
    lines.push("", headOf(urn, review, paint));
    for (const violation of broken) {
      const { policy, level, severity } = violation;
      const mark = paint(level === "mandatory" ? "red" : "yellow", level);
      lines.push(`  ${mark}  ${policy}${severity ? paint("dim", `  ${severity}`) : ""}`);
      lines.push(
        ...sentenceOf(violation, review)
          .split("\n")
          .map((line) => `    ${printable(line)}`),
      );
      const remedy = review.rules.find(({ name }) => name === policy)?.remediation;
      if (remedy) lines.push(paint("dim", `    What to do: ${printable(remedy)}`));
    }
  }
  if (exemptions.length > 0) lines.push("", paint("bold", "Exempted"));
  for (const { rule, file, line, expires, owner, reason, excused } of exemptions) {
    lines.push(`  ${rule} until ${expires}, for ${printable(owner)}  ${paint("dim", `${file}:${line}`)}`);
    lines.push(
      `    ${printable(reason)}`,
      ...excused.map(({ message }) => paint("dim", `    - ${printable(message)}`)),
    );
  }
  return lines;
}

function headOf(urn: string, review: Review, paint: Paint): string {
  const { name, type } = resourceOf(urn, review);
  const location = locationOf(urn, review);
  const place = location ? paint("dim", `  ${printable(location.file)}:${location.line}`) : "";
  return `${paint("bold", printable(name))}  ${paint("dim", printable(type))}${place}`;
}
