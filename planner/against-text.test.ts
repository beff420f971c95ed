import { describe, expect, it } from "vitest";
import { compare } from "./against.ts";
import { comparisonsMarkdown } from "./against-markdown.ts";
import { type Comparison, textOf } from "./against-text.ts";
import { planOf, resource, urnOf } from "./fixtures/made-plan.ts";

const container = "openstack:objectstorage/container:Container";
const network = "openstack:networking/network:Network";

const kept = resource({ type: container, name: "kept" });
const before = planOf([
  resource({ type: container, name: "input", protect: true, inputs: { metadata: { stack: "inmet" } } }),
  resource({ type: network, name: "net", inputs: { sql: "a\nb\nc", size: 1, networkId: "[unknown]" }, ...from("one") }),
  resource({ type: network, name: "was", retainOnDelete: true }),
]);
const after = planOf([
  kept,
  resource({ type: network, name: "net", inputs: { sql: "a\nx\nc", size: 2, networkId: "[unknown]" }, ...from("two") }),
  resource({ type: network, name: "looked\u001b[2Jup|`@all", read: true }),
]);

function from(name: string) {
  return { unknownInputs: ["networkId"], propertyDependencies: { networkId: [urnOf(network, name)] } };
}

const lines = (letter: string) => Array.from({ length: 100 }, (_, at) => `${letter}${at}`).join("\n");

const side = (letter: string, count: number) =>
  planOf(
    Array.from({ length: count }, (_, at) =>
      resource({ type: network, name: `n${at}`, inputs: { text: lines(letter) } }),
    ),
  );

const comparisons: Comparison[] = [
  { stack: "test", side: "both", changes: compare(before, after) },
  { stack: "same", side: "both", changes: [] },
  { stack: "late", side: "gone", changes: compare(planOf([kept]), undefined) },
];

describe("what changes", () => {
  it("is told in lines, by pipeline stack", () => {
    expect(comparisons.flatMap((comparison) => textOf(comparison, (_, text) => text))).toEqual([
      "test  2 created, 1 changed, 2 deleted (1 protected)",
      "",
      "  platform",
      `  + kept  ${container}`,
      `  ~ net  ${network}`,
      "      size: 1 → 2",
      "      sql: b → x",
      `      where it comes from: networkId: ${network} one → ${network} two`,
      `  + looked�[2Jup|\`@all  ${network}  read, not made`,
      `  - was  ${network}  stays where it is and is only forgotten`,
      "",
      "  inmet",
      `  - input  ${container}  protected: a deployment refuses to delete it`,
      "same  no change",
      "late  an environment that is no more, whose resources stay until `pulumi destroy`: 2 deleted",
      "",
      "  platform",
      "  - made-test  pulumi:pulumi:Stack",
      `  - kept  ${container}`,
    ]);
  });

  it("is told in Markdown that names cannot change", () => {
    const told = comparisonsMarkdown(comparisons, { ref: "a|b`c", commit: "0123456789abcdef" });
    expect(told.split("\n")).toEqual(
      expect.arrayContaining([
        "Against ``a|b`c`` (0123456789ab), by the programs alone: whether a changed resource is replaced only its provider knows.",
        "| `test` | 2 created, 1 changed, 2 deleted (1 protected) |",
        "| `same` | no change |",
        "### `test`",
        "#### `inmet`",
        `\`-\` deleted \`input\` \`${container}\`, **\`protected: a deployment refuses to delete it\`**`,
        `\`+\` created \`\`looked�[2Jup|\`@all\`\` \`${network}\`, **\`read, not made\`**`,
      ]),
    );
    expect(told).toContain(
      [
        "```diff",
        "  size",
        "- 1",
        "+ 2",
        "  sql",
        "- b",
        "+ x",
        "  where it comes from: networkId",
        `- ${network} one`,
        `+ ${network} two`,
        "```",
      ].join("\n"),
    );
    expect(told).not.toContain("### `same`");
  });

  it("is marked where something loses its protection, a deployment's to delete from now on", () => {
    const store = (protect: boolean) => planOf([resource({ type: container, name: "kept", protect })]);
    const opened: Comparison = { stack: "test", side: "both", changes: compare(store(true), store(false)) };
    expect(textOf(opened, (_, text) => text)).toEqual([
      "test  1 changed (1 no longer protected)",
      "",
      "  platform",
      `  ~ kept  ${container}  no longer protected`,
      "      option protect: true → false",
    ]);
    expect(textOf({ ...opened, changes: compare(store(false), store(true)) }, (_, text) => text)[0]).toBe(
      "test  1 changed",
    );
  });

  it("is cut where a stack's output is new, so that resources are not lost below it", () => {
    const told = { sql: "x".repeat(200), columns: Array.from({ length: 40 }, (_, at) => `a column with a name ${at}`) };
    const lines = textOf(
      { stack: "test", side: "both", changes: compare(planOf([]), planOf([], { told })) },
      (_, text) => text,
    );
    expect(lines.slice(4)).toEqual([
      "      output told:",
      "        + {",
      `        +   "sql": "${"x".repeat(150)}…`,
      '        +   "columns": [',
      ...Array.from({ length: 7 }, (_, at) => `        +     "a column with a name ${at}",`),
      "        + … 35 more lines (--json has them)",
    ]);
  });

  it("is cut where it is too long for a comment, and for a person", () => {
    const changes = compare(side("a", 300), side("b", 300));
    const told = comparisonsMarkdown([{ stack: "test", side: "both", changes }], { ref: "main", commit: "0" });
    expect(told.length).toBeLessThanOrEqual(60_000);
    expect(told).toContain("  … 160 more lines (--json has them)\n```");
    expect(told).toMatch(/\n\*\*The rest is left out: it is too long for a comment\.\*\* .*\n$/);
  });
});
