import { execFileSync, spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Violation } from "../planner/index.ts";
import { reviewsMarkdown } from "./report-markdown.ts";
import { reviewsSarif } from "./report-sarif.ts";
import { reviewText } from "./report-text.ts";
import { type Review, sinceThen, toReview } from "./review.ts";

const fixture = join(import.meta.dirname, "fixtures", "review");

/** Runs `cais check` on a project, without colours. */
async function check(
  root: string,
  ...args: string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const module = pathToFileURL(join(import.meta.dirname, "check.ts")).href;
  const script = `import { checkCommand } from ${JSON.stringify(module)};
    await checkCommand(${JSON.stringify(root)}).parseAsync(${JSON.stringify(args)}, { from: "user" });`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
}

const lid = (name: string) => `${name} must have a lid, and has none.`;
const unused =
  "policies/exemptions.yaml:7 must excuse something in prod, and no resource named open breaks box-disallow-holes there.";
/** The box open, or what is said of it, under another name. */
const rename = <Of extends { urn: string }>(of: Of): Of => ({ ...of, urn: of.urn.replace(/open$/, "wide") });
const urn = (name: string) => `urn:pulumi:prod::review::test:index:Box::${name}`;

/** What a text report says of a box of the stack calm. */
const box = (name: string) => [
  `${name}  test:index:Box  main.ts:11`,
  "  advisory  box-require-lid  high",
  `    ${lid(name)}`,
  "    What to do: Give it a lid.",
  "",
];

describe("cais check", () => {
  let ended: Awaited<ReturnType<typeof check>>;
  let calm: Review;
  let prod: Review;
  beforeAll(async () => {
    ended = await check(fixture, "--json");
    ({
      plans: [calm, prod],
    } = JSON.parse(ended.stdout));
  }, 60_000);

  it("reviews all stacks when none is named, and fails of a mandatory violation", () => {
    expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 1, stderr: "" });
    expect([calm.stack, prod.stack]).toEqual(["calm", "prod"]);
  });

  it("tells by resource what is broken, where, and what to do", async () => {
    const { code, stdout, stderr } = await check(fixture, "calm");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.split("\n")).toEqual([
      "Policies on the offline plan of calm",
      "",
      "review-calm  pulumi:pulumi:Stack",
      "  advisory  box-require-count  critical",
      "    The 3 boxes must be counted.",
      "    What to do: Count them.",
      "",
      ...box("a|b`@c"),
      ...box("old"),
      ...box("open"),
      "4 resources checked, 5 policies: 0 mandatory violations, 4 advisory, 0 exempted",
      "",
      "",
    ]);
  });

  it("gives what is exempted apart from what is broken, by exemption", () => {
    expect(prod.violations.map(({ policy, level }) => `${level} ${policy}`).toSorted()).toEqual([
      "advisory box-require-lid",
      "mandatory box-require-count",
      "mandatory exemption-disallow-unused",
    ]);
    expect(prod.exemptions).toEqual([
      {
        rule: "box-require-lid",
        stack: "prod",
        resource: "test:index:Box::o*",
        reason: "What is in it must see the light | of day.",
        owner: "gardeners",
        expires: "9999-12-31",
        file: "policies/exemptions.yaml",
        line: 1,
        urns: [urn("old"), urn("open")],
        excused: ["old", "open"].map((name) => ({ urn: urn(name), message: lid(name) })),
      },
    ]);
  });

  it("keeps a notice of an exemption that it does not know", () => {
    const message =
      "What is exempted must be seen.\npolicies/exemptions.yaml:3 exempts from a until 9999-12-31 (b: c):\nd";
    const notice: Violation = {
      policy: "exemption-require-notice",
      pack: "review",
      level: "advisory",
      severity: "low",
      message,
      urn: urn("open"),
    };
    const [exemption] = prod.exemptions;
    const review = toReview({ ...prod, violations: [notice] }, exemption ? [exemption] : []);
    expect(review.violations).toEqual([notice]);
    expect(review.exemptions).toEqual([]);
  });

  it("shows every exemption in use in a text", () => {
    const lines = reviewText(prod, (_, text) => text);
    expect(lines.slice(lines.indexOf("Exempted"))).toEqual([
      "Exempted",
      "  box-require-lid until 9999-12-31, for gardeners  policies/exemptions.yaml:1",
      "    What is in it must see the light | of day.",
      `    - ${lid("old")}`,
      `    - ${lid("open")}`,
    ]);
  });

  it("writes Markdown in which no name means anything else", () => {
    expect(reviewsMarkdown([prod]).split("\n")).toEqual([
      "## Policies",
      "",
      "**2 mandatory violations, 1 advisory, 2 exempted.**",
      "",
      "### `prod`",
      "",
      "| level | rule | severity | resource | where | what |",
      "| --- | --- | --- | --- | --- | --- |",
      "| **mandatory** | `box-require-count` | critical | `review-prod` |  | `The 3 boxes must be counted.` |",
      `| **mandatory** | \`exemption-disallow-unused\` | medium | \`review-prod\` | \`policies/exemptions.yaml:7\` | \`${unused}\` |`,
      "| advisory | `box-require-lid` | high | ``a\\|b`@c`` | `main.ts:11` | ``a\\|b`@c must have a lid, and has none.`` |",
      "",
      "Exempted:",
      "",
      "| rule | resource | what | until | owner | reason |",
      "| --- | --- | --- | --- | --- | --- |",
      ...["old", "open"].map(
        (name) =>
          `| \`box-require-lid\` | \`${name}\` | \`${lid(name)}\` | 9999-12-31 | \`gardeners\` | \`What is in it must see the light \\| of day.\` |`,
      ),
      "",
      "<details><summary>What to do</summary>",
      "",
      "- `box-require-count`: `Count them.` (<https://example.org/boxes#1.2>)",
      "- `box-require-lid`: `Give it a lid.` (<https://example.org/boxes#1.2>)",
      "- `exemption-disallow-unused`: `Remove it, or name fewer stacks.`",
      "",
      "</details>",
      "",
    ]);
    expect(reviewsMarkdown([{ ...calm, violations: [] }])).toBe(
      "## Policies\n\n**0 mandatory violations, 0 advisory, 0 exempted.**\n\nNothing found in `calm`.\n",
    );
  });

  it("writes SARIF with a place for each result, suppressed where it is exempted", () => {
    const [run] = reviewsSarif([calm, prod]).runs;
    expect(run?.tool.driver.rules?.map(({ id }) => id)).toEqual([
      "box-require-lid",
      "box-require-count",
      "exemption-disallow-expired",
      "exemption-disallow-unused",
    ]);
    expect(run?.tool.driver.rules?.[0]).toEqual({
      id: "box-require-lid",
      shortDescription: { text: "Boxes must have a lid." },
      help: { text: "Give it a lid." },
      helpUri: "https://example.org/boxes#1.2",
      defaultConfiguration: { level: "warning" },
      properties: { tags: ["security"], "security-severity": "8.0" },
    });
    const told = (run?.results ?? []).map(({ ruleId, level, message, locations, suppressions }) => {
      const { artifactLocation, region } = locations?.[0]?.physicalLocation ?? {};
      const excuses = (suppressions ?? []).map(({ justification }) => ` (${justification})`).join("");
      return `${artifactLocation?.uri}:${region?.startLine} ${level} ${ruleId}: ${message.text}${excuses}`;
    });
    const excuse = " (What is in it must see the light | of day. (gardeners, until 9999-12-31))";
    expect(told.toSorted()).toEqual(
      [
        "Pulumi.calm.yaml:1 warning box-require-count: The 3 boxes must be counted. (in calm)",
        "Pulumi.prod.yaml:1 error box-require-count: The 3 boxes must be counted. (in prod)",
        ...["a|b`@c", "old", "open"].map((name) => `main.ts:11 warning box-require-lid: ${lid(name)} (in calm)`),
        `main.ts:11 warning box-require-lid: ${lid("a|b`@c")} (in prod)`,
        ...["old", "open"].map((name) => `main.ts:11 note box-require-lid: ${lid(name)} (in prod)${excuse}`),
        `policies/exemptions.yaml:7 error exemption-disallow-unused: ${unused} (in prod)`,
      ].toSorted(),
    );
    const fingerprints = run?.results?.map(({ partialFingerprints }) => partialFingerprints?.["caisViolation/v1"]);
    expect(new Set(fingerprints).size).toBe(9);

    const [violation] = prod.violations;
    const linked = { ...prod, violations: violation ? [{ ...violation, message: "[a](http://b)\u202e\nc" }] : [] };
    expect(reviewsSarif([{ ...linked, exemptions: [] }]).runs[0]?.results?.[0]?.message.text).toBe(
      "[a] (http://b)�\nc (in prod)",
    );
  });

  it("tells of a change only what was not broken before", () => {
    const [first, ...others] = prod.violations;
    const moved = others.map((violation) => ({ ...violation, message: violation.message.replace(":7 ", ":70 ") }));
    expect(moved).not.toEqual(others);
    const before = { ...prod, violations: moved };
    const { violations, exemptions, against } = sinceThen(prod, before, "main", "0123456789abcdef");
    expect(violations).toEqual([first]);
    expect(exemptions).toEqual(prod.exemptions);
    expect(against).toEqual({ ref: "main", commit: "0123456789abcdef", known: 2 });
    expect(sinceThen(prod, undefined, "main", "0").violations).toEqual(prod.violations);

    const advisory = prod.violations.map((violation) => ({ ...violation, level: "advisory" as const }));
    const raised = sinceThen(prod, { ...prod, violations: advisory }, "main", "0").violations;
    expect(raised).toEqual(prod.violations.filter(({ level }) => level === "mandatory"));
    expect(sinceThen({ ...prod, violations: advisory }, prod, "main", "0").violations).toEqual([]);
  });

  it("knows a resource that has another name now by its alias", () => {
    const resources = calm.resources.map((resource) =>
      resource.name === "open" ? { ...rename(resource), name: "wide", aliases: [resource.urn] } : resource,
    );
    const violations = calm.violations.map((one) => ({
      ...(one.urn.endsWith("::open") ? { ...rename(one), message: one.message.replaceAll("open", "wide") } : one),
    }));
    expect(violations).not.toEqual(calm.violations);
    expect(sinceThen({ ...calm, resources, violations }, calm, "main", "0").violations).toEqual([]);
    // Without its alias it is another resource.
    const others = resources.map((resource) => ({ ...resource, aliases: [] }));
    expect(sinceThen({ ...calm, resources: others, violations }, calm, "main", "0").violations).not.toEqual([]);
  });
});

describe("cais check --against", () => {
  let folder: string;
  beforeAll(async () => {
    const tests = join(import.meta.dirname, "..", ".cais", "tests");
    await mkdir(tests, { recursive: true });
    folder = await mkdtemp(join(tests, "check-"));
    await cp(fixture, folder, { recursive: true });
    // A commit is checked out deeper in the tree.
    const rules = join(folder, "policies", "index.ts");
    const source = await readFile(rules, "utf8");
    const project = pathToFileURL(join(import.meta.dirname, "..")).href;
    await writeFile(rules, source.replaceAll('"../../../../', `"${project}/`));
    const git = (...args: string[]) => execFileSync("git", ["-C", folder, ...args]);
    git("init", "--quiet");
    git("add", ".");
    git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "--message", "a");
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("tells what a change brings: of an exemption that is gone, what it excused", async () => {
    const exemptions = join(folder, "policies", "exemptions.yaml");
    const [, ...others] = (await readFile(exemptions, "utf8")).split(/^(?=- )/m);
    await writeFile(exemptions, others.join(""));
    await rm(join(folder, "Pulumi.calm.yaml"));
    const { code, stdout, stderr } = await check(folder, "--against", "HEAD", "--json");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "cais: calm is no more, so there is nothing to check\n" });
    const { plans } = JSON.parse(stdout);
    const [{ violations, against }, ...further] = plans;
    expect(further).toEqual([]);
    expect(violations.map(({ urn, policy }: { urn: string; policy: string }) => `${policy} ${urn}`)).toEqual(
      ["old", "open"].map((name) => `box-require-lid ${urn(name)}`),
    );
    expect(against).toMatchObject({ ref: "HEAD", known: 3 });
  });
});
