import { describe, expect, it } from "vitest";
import { planOf, resource } from "./fixtures/made-plan.ts";
import { graphOf } from "./graph.ts";
import { plansMarkdown } from "./markdown.ts";
import type { PlannedResource } from "./plan.ts";

const container = "openstack:objectstorage/container:Container";

const store = resource({ type: "cais:storage:ObjectStore", name: "store", custom: false });
const child = resource({ type: container, name: "child", parent: store.urn, protect: true, dependencies: [store.urn] });
const middle = resource({ type: container, name: "middle", dependencies: [child.urn] });
const last = resource({
  type: container,
  name: 'end"]; click x "javascript:alert(1)" <img>',
  read: true,
  dependencies: [child.urn, middle.urn],
});
const remote = resource({ type: "eks:index:Cluster", name: "$x$ fa:fa-user", custom: false, opaque: true });
const unasked = resource({ type: "pulumi:providers:openstack", name: "default_3_15_2" });
const plan = planOf([store, child, middle, last, remote, unasked]);

const below = ({ urn, name }: PlannedResource) =>
  Array.from({ length: 23 }, (_, at) => resource({ type: container, name: `${name}${at}`, parent: urn }));

describe("a graph", () => {
  it("has a box for each component, and arrows that do not follow from others", () => {
    expect(graphOf([plan])).toEqual({
      shows: "resources",
      fits: true,
      text: [
        "flowchart LR",
        '  subgraph s0r0["made-test<br/>pulumi:Stack"]',
        '    subgraph s0r1["store<br/>cais:ObjectStore"]',
        '      s0r2["child<br/>openstack:Container<br/>protected"]',
        "    end",
        '    s0r3["middle<br/>openstack:Container"]',
        '    s0r4{{"end#34;#93;#59; click x #34;javascript:alert(1)#34; #60;img#62;<br/>openstack:Container"}}',
        '    s0r5("#36;x#36; fa#58;fa-user<br/>eks:Cluster<br/>opaque")',
        "  end",
        "  s0r2 --> s0r3",
        "  s0r3 --> s0r4",
        "",
      ].join("\n"),
    });
  });

  it("tells the stacks apart", () => {
    const { text } = graphOf([planOf([middle]), planOf([middle])]);
    expect(text.match(/s\dr\d/g)).toEqual(["s0r0", "s0r1", "s1r0", "s1r1"]);
  });

  it("shows components alone when there are too many arrows", () => {
    const first = resource({ type: "a:b:Outer", name: "first", custom: false });
    const second = resource({ type: "a:b:Outer", name: "second", custom: false });
    const needed = below(first);
    const dependencies = needed.map(({ urn }) => urn);
    const needing = below(second).map((one) => ({ ...one, dependencies }));
    expect(graphOf([planOf([first, second, ...needed, ...needing])])).toEqual({
      shows: "components",
      fits: true,
      text: [
        "flowchart LR",
        '  subgraph s0r0["made-test<br/>pulumi:Stack"]',
        '    s0r1("first<br/>a:Outer<br/>23 in it")',
        '    s0r25("second<br/>a:Outer<br/>23 in it")',
        "  end",
        "  s0r1 --> s0r25",
        "",
      ].join("\n"),
    });
  });
});

it("prints a plan in Markdown: counts, notes, the tree", () => {
  const said = { level: "warning" as const, text: "keep `this` | @all", urn: child.urn, from: "program" as const };
  expect(plansMarkdown([{ ...planOf([store, child]), messages: [said] }])).toBe(
    [
      "## Offline plan",
      "What the program asks for, not what a provider would answer.",
      "### `test`: 2 resources",
      "| type | number |\n| --- | --- |\n| `cais:storage:ObjectStore` | 1 |\n| `" + container + "` | 1 |",
      "- warning: ``child: keep `this` | @all``",
      "<details><summary>Resources</summary>",
      `\`\`\`\nmade-test  pulumi:pulumi:Stack\n└─ store  cais:storage:ObjectStore\n   └─ child  ${container}  protected\n\`\`\``,
      "</details>\n",
    ].join("\n\n"),
  );
});
