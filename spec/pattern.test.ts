import { describe, expect, it } from "vitest";
import { patternProblem } from "./pattern.ts";

const unterminated = "cannot be compiled: Unterminated group";

describe("patternProblem", () => {
  it.each([
    "([01][0-9]|2[0-3])[0-5][0-9] UTC",
    String.raw`[\w.+-]+\@[\w.-]+`,
    "(?i)abc|(?s-i:.)",
    "(?P<year>[0-9]{4})",
    "[[:alpha:](][](]",
    String.raw`\p{Lu}\pN\x41\x{1F600}\12`,
    String.raw`\Q([\E+\A\z`,
    "[(?=]{1,1000}",
    "]{,2}",
    "^*a*?",
    "é+😀{2}",
    "",
  ])("takes %j, as RE2 does", (pattern) => {
    expect(patternProblem(pattern)).toBeUndefined();
  });

  it.each([
    ["([", "cannot be compiled: Unterminated character class"],
    ["(a|b", unterminated],
    ["a)", "cannot be compiled: Unmatched ')'"],
    ["*a", "cannot be compiled: Nothing to repeat"],
    ["a**", "cannot be compiled: Nothing to repeat"],
    ["[z-a]", "cannot be compiled: Range out of order in character class"],
    ["a{2,1}", "cannot be compiled: numbers out of order in {} quantifier"],
    ["a\\", "cannot be compiled: \\ at end of pattern"],
    ["(?=a)b", "holds (?=, and RE2 looks neither ahead nor behind"],
    ["(?<!a)b", "holds (?<!, and RE2 looks neither ahead nor behind"],
    ["(?<year>a)", "holds (? and a group of a kind that RE2 has not; a name is (?P<name>…)"],
    [String.raw`(a)\1`, String.raw`holds \1, and RE2 has no backreferences`],
    [String.raw`\u0041`, String.raw`holds \u, and RE2 has no such escape`],
    [String.raw`[a\u0041]`, String.raw`holds \u, and RE2 has no such escape`],
    ["a{1001}", "repeats with {1001}, and RE2's limit is 1000"],
    ["[".repeat(1001), "has 1001 characters; the limit is 1000"],
  ])("refuses %j, which RE2 does too", (pattern, problem) => {
    expect(patternProblem(pattern)).toBe(problem);
  });
});
