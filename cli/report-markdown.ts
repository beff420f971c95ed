import type { Location } from "../planner/error.ts";
import { codeSpan, commentLimit, details, table, within } from "../planner/markdown.ts";
import { isMandatory, placeOf, resourceOf, type Review, sentenceOf, summaryOf, type UsedExemption } from "./review.ts";

/** Reviews for a comment of a pull request. All that a program or a config names stands where Markdown leaves it as it is. */
export function reviewsMarkdown(reviews: Review[]): string {
  const against = reviews.find(({ against }) => against)?.against;
  const since = against ? [`Only what ${codeSpan(against.ref)} (${against.commit.slice(0, 12)}) does not break.`] : [];
  const broken = reviews.filter(({ violations, exemptions }) => violations.length + exemptions.length > 0);
  const clean = reviews.filter((review) => !broken.includes(review)).map(({ stack }) => codeSpan(stack));
  return within(commentLimit, [
    "## Policies",
    `**${summaryOf(reviews)}.**`,
    ...since,
    ...broken.flatMap(reviewSections),
    ...(clean.length > 0 ? [`Nothing found in ${clean.join(", ")}.`] : []),
    ...remedies(reviews),
  ]);
}

function reviewSections(review: Review): string[] {
  const { stack, violations, exemptions } = review;
  const rows = violations
    .toSorted((a, b) => Number(isMandatory(b)) - Number(isMandatory(a)))
    .map((violation) => {
      const { level, policy, severity } = violation;
      return [
        level === "mandatory" ? "**mandatory**" : level,
        codeSpan(policy),
        severity ?? "",
        codeSpan(resourceOf(violation.urn, review).name),
        spelled(placeOf(violation, review)),
        codeSpan(sentenceOf(violation, review)),
      ];
    });
  return [
    `### ${codeSpan(stack)}`,
    ...(rows.length > 0 ? [table(["level", "rule", "severity", "resource", "where", "what"], rows)] : []),
    ...(exemptions.length > 0 ? ["Exempted:", table(exemptionHead, exemptions.flatMap(exemptionRows(review)))] : []),
  ];
}

const exemptionHead = ["rule", "resource", "what", "until", "owner", "reason"];

const exemptionRows = (review: Review) => (exemption: UsedExemption) =>
  exemption.excused.map(({ urn, message }) => [
    codeSpan(exemption.rule),
    codeSpan(resourceOf(urn, review).name),
    codeSpan(message),
    exemption.expires,
    codeSpan(exemption.owner),
    codeSpan(exemption.reason),
  ]);

const spelled = (place: Location | undefined): string => (place ? codeSpan(`${place.file}:${place.line}`) : "");

/** What to do about each rule that is broken, once. */
function remedies(reviews: Review[]): string[] {
  const broken = new Set(reviews.flatMap(({ violations }) => violations.map(({ policy }) => policy)));
  const rules = new Map(reviews.flatMap(({ rules }) => rules.map((rule) => [rule.name, rule])));
  const lines = [...broken].toSorted().flatMap((name) => {
    const { remediation, url } = rules.get(name) ?? {};
    return remediation
      ? [`- ${codeSpan(name)}: ${codeSpan(remediation)}${url && URL.canParse(url) ? ` (<${new URL(url).href}>)` : ""}`]
      : [];
  });
  return lines.length > 0 ? [details("What to do", lines.join("\n"))] : [];
}
