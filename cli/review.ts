import type { Location } from "../planner/error.ts";
import type { Plan, PlannedResource, Violation } from "../planner/index.ts";
import { exemptionRules, readNotice } from "../policies/excuse.ts";
import type { Exemption } from "../policies/exemptions.ts";

/** A plan held to a policy pack. */
export interface Review extends Plan {
  /** What is broken and not exempted; against a commit, only what was not broken there. */
  violations: Violation[];
  /** What is exempted, by exemption, in the order of the file. */
  exemptions: UsedExemption[];
  /** The commit that it is compared with, and how much was broken there already; null without one. */
  against: { ref: string; commit: string; known: number } | null;
}

/** An exemption that excuses something in the stack. */
export interface UsedExemption extends Exemption {
  urns: string[];
  excused: { urn: string; message: string }[];
}

/**
 * What a plan's violations are with the exemptions that the pack has read. They come in the order of the plan's
 * resources: a pack is told of them in one that timing decides.
 */
export function toReview(plan: Plan, exemptions: Exemption[]): Review {
  const order = new Map(plan.resources.map(({ urn }, index) => [urn, index]));
  const violations = plan.violations.toSorted((a, b) => (order.get(a.urn) ?? 0) - (order.get(b.urn) ?? 0));
  return {
    ...plan,
    // A notice of which nothing is known here stays what it is to the pack: an advisory violation.
    violations: violations.filter((violation) => !exemptions.some((exemption) => isNoticeOf(violation, exemption))),
    exemptions: exemptions.flatMap((exemption) => {
      const excused = violations
        .filter((violation) => isNoticeOf(violation, exemption))
        .map(({ urn, message }) => ({ urn, message: readNotice(message)?.message ?? message }));
      const urns = [...new Set(excused.map(({ urn }) => urn))];
      return urns.length > 0 ? [{ ...exemption, urns, excused }] : [];
    }),
    against: null,
  };
}

const isNoticeOf = ({ policy, message }: Violation, { line }: Exemption): boolean =>
  policy === exemptionRules.notice && readNotice(message)?.line === line;

/** Of a review, what a change brings: what is broken now, and was not, or was advisory, where the change began. */
export function sinceThen(review: Review, before: Plan | undefined, ref: string, commit: string): Review {
  const known = new Set(before?.violations.map(keyOf));
  const mandatory = new Set(before?.violations.filter(isMandatory).map(keyOf));
  const former = formerOf(review, before);
  const brought = review.violations.filter((violation) => {
    // What was advisory stopped nobody: a higher level brings it.
    const told = isMandatory(violation) ? mandatory : known;
    return !told.has(keyOf(violation)) && !told.has(keyOf(former(violation)));
  });
  return {
    ...review,
    violations: brought,
    against: { ref, commit, known: review.violations.length - brought.length },
  };
}

/** Gives a violation as it was told of the resource when that had another name, by its aliases. */
function formerOf({ resources }: Plan, before: Plan | undefined): (violation: Violation) => Violation {
  const old = new Map(before?.resources.map((resource) => [resource.urn, resource]));
  const current = new Set(resources.map(({ urn }) => urn));
  const renamed = new Map(
    resources.flatMap(({ urn, name, aliases }) => {
      const was = aliases.flatMap((alias) => (current.has(alias) ? [] : (old.get(alias) ?? [])))[0];
      return was ? [[urn, { name, was }] as const] : [];
    }),
  );
  return (violation) => {
    const found = renamed.get(violation.urn);
    if (found === undefined) return violation;
    const { name, was } = found;
    return { ...violation, urn: was.urn, message: violation.message.replaceAll(name, was.name) };
  };
}

/** What is said of an exemption begins with its line, which moves. */
const keyOf = ({ policy, urn, message }: Violation): string =>
  JSON.stringify([policy, urn, message.replaceAll(/^(\S+):\d+ /gm, "$1 ")]);

export const isMandatory = ({ level }: Violation): boolean => level === "mandatory";

/** What a violation says, without the rule's description, which a pack puts on a line above. */
export function sentenceOf({ policy, message }: Violation, { rules }: Plan): string {
  const description = rules.find(({ name }) => name === policy)?.description;
  return description !== undefined && message.startsWith(`${description}\n`)
    ? message.slice(description.length + 1)
    : message;
}

/** The name of the resource with a URN, and its type. */
export function resourceOf(urn: string, { resources }: Plan): Pick<PlannedResource, "name" | "type"> {
  return resources.find((resource) => resource.urn === urn) ?? { name: urn, type: "" };
}

/** Where the program asks for a resource, or for what is around it. Stacks have no place. */
export function locationOf(urn: string, { resources }: Plan): Location | undefined {
  let around = resources.find((resource) => resource.urn === urn);
  while (around && !around.location) {
    const { parent }: PlannedResource = around;
    around = resources.find((resource) => resource.urn === parent);
  }
  return around?.location ?? undefined;
}

/** Where a violation is to be mended: what is said of an exemption begins with its place. */
export function placeOf(violation: Violation, plan: Plan): Location | undefined {
  const { expired, unused } = exemptionRules;
  if (violation.policy !== expired && violation.policy !== unused) return locationOf(violation.urn, plan);
  const [, file, line] = /^(\S+):(\d+) /.exec(sentenceOf(violation, plan)) ?? [];
  return file === undefined ? undefined : { file, line: Number(line) };
}

/** `2 mandatory violations, 1 advisory, 1 exempted`, and what else there is to say of the whole. */
export function summaryOf(reviews: Review[]): string {
  const violations = reviews.flatMap(({ violations }) => violations);
  const mandatory = violations.filter(isMandatory).length;
  const exempted = reviews.flatMap(({ exemptions }) => exemptions.flatMap(({ excused }) => excused)).length;
  const known = reviews.reduce((sum, { against }) => sum + (against?.known ?? 0), 0);
  return [
    `${mandatory} mandatory ${mandatory === 1 ? "violation" : "violations"}`,
    `${violations.length - mandatory} advisory`,
    `${exempted} exempted`,
    ...(reviews.some(({ against }) => against) ? [`${known} known before`] : []),
  ].join(", ");
}
