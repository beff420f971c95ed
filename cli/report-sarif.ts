import { createHash } from "node:crypto";
import { isAbsolute } from "node:path";
import { pathToFileURL } from "node:url";
import type { Location, Log, PhysicalLocation, ReportingDescriptor, Result } from "sarif";
import packageJson from "../package.json" with { type: "json" };
import type { Location as Place } from "../planner/error.ts";
import type { Rule } from "../planner/index.ts";
import { printable } from "../planner/printable.ts";
import { exemptionRules } from "../policies/excuse.ts";
import { locationOf, placeOf, resourceOf, type Review, sentenceOf } from "./review.ts";

/** How GitHub ranks a finding: https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning */
const rank = { critical: "9.5", high: "8.0", medium: "5.5", low: "2.0" } as const;

/**
 * Reviews as one run of SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html), for code scanning
 * and editors. What is exempted is there, too: as a note that is suppressed, with the reason.
 */
export function reviewsSarif(reviews: Review[]): Log {
  const rules = new Map(reviews.flatMap(({ rules }) => rules.map((rule) => [rule.name, rule])));
  rules.delete(exemptionRules.notice);
  const order = [...rules.keys()];
  const results = reviews.flatMap((review) => resultsOf(review).map((result) => indexed(result, order)));
  return {
    $schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: { name: "cais check", semanticVersion: packageJson.version, rules: [...rules.values()].map(toSarif) },
        },
        columnKind: "utf16CodeUnits",
        results,
      },
    ],
  };
}

function toSarif({ name, description, level, severity, remediation, url }: Rule): ReportingDescriptor {
  return {
    id: name,
    shortDescription: { text: description },
    ...(remediation && { help: { text: remediation } }),
    ...(url && { helpUri: url }),
    defaultConfiguration: { level: level === "mandatory" ? "error" : "warning" },
    properties: { tags: ["security"], ...(severity && { "security-severity": rank[severity] }) },
  };
}

function resultsOf(review: Review): Result[] {
  const { violations, exemptions } = review;
  return [
    ...violations.map((violation): Result => {
      const { policy, level, urn } = violation;
      return {
        ...toResult(policy, sentenceOf(violation, review), urn, placeOf(violation, review), review),
        level: level === "mandatory" ? "error" : "warning",
        suppressions: [],
      };
    }),
    ...exemptions.flatMap(({ rule, owner, expires, reason, file, line, excused }) =>
      excused.map(({ urn, message }): Result => ({
        ...toResult(rule, message, urn, locationOf(urn, review), review),
        level: "note",
        suppressions: [
          {
            kind: "external",
            status: "accepted",
            justification: plain(`${reason} (${owner}, until ${expires})`),
            location: { physicalLocation: physical(file, line) },
          },
        ],
      })),
    ),
  ];
}

function toResult(ruleId: string, message: string, urn: string, where: Place | undefined, review: Review): Result {
  // Code scanning shows nothing that has no place, so what has none in the program is shown where the stack's config is.
  const place: Location = {
    physicalLocation: where ? physical(where.file, where.line) : physical(`Pulumi.${review.stack}.yaml`, 1),
    logicalLocations: [{ fullyQualifiedName: urn, name: resourceOf(urn, review).name, kind: "resource" }],
  };
  return {
    ruleId,
    message: { text: plain(`${message} (in ${review.stack})`) },
    locations: [place],
    // Lines move: the same finding is known by rule, resource and sentence.
    partialFingerprints: {
      "caisViolation/v1": createHash("sha256")
        .update(JSON.stringify([ruleId, urn, message]))
        .digest("hex"),
    },
    properties: { stack: review.stack },
  };
}

/** Text that holds no link, as names may make one (section 3.11.6), nor moves a cursor. */
const plain = (text: string): string =>
  text
    .split("\n")
    .map((line) => printable(line).replaceAll("](", "] ("))
    .join("\n");

/** Paths are the project's; what is outside it is told by its whole path. */
function physical(file: string, startLine: number): PhysicalLocation {
  const artifactLocation = isAbsolute(file)
    ? { uri: pathToFileURL(file).href }
    : { uri: file.replaceAll("\\", "/").split("/").map(encodeURIComponent).join("/"), uriBaseId: "%SRCROOT%" };
  return { artifactLocation, region: { startLine } };
}

const indexed = (result: Result, rules: string[]): Result => {
  const ruleIndex = rules.indexOf(result.ruleId ?? "");
  return ruleIndex === -1 ? result : { ...result, ruleIndex };
};
