import { describe, expect, it } from "vitest";
import { type Change, compare } from "./against.ts";
import { planOf, resource, urnOf } from "./fixtures/made-plan.ts";
import type { PlannedResource } from "./plan.ts";

const container = "openstack:objectstorage/container:Container";
const provider = "pulumi:providers:openstack";

/** The changes between two plans that differ in their resources, without what is usual. */
const changes = (before: PlannedResource[], after: PlannedResource[]) =>
  compare(planOf(before), planOf(after)).map(({ kind, name, was, details }) => ({ kind, name, was, details }));

const withStore = (given: Partial<PlannedResource>) => planOf([resource({ type: container, name: "store", ...given })]);

const kinds = (all: Change[]) => all.map(({ kind, name }) => `${kind} ${name}`);

const named = (...names: string[]) => names.map((name) => ({ name, max: name.length }));

const component = (name: string) => resource({ type: "cais:storage:ObjectStore", name, custom: false });

const pipelines = (resources: PlannedResource[], outputs = {}) =>
  Object.fromEntries(compare(undefined, planOf(resources, outputs)).map(({ name, pipeline }) => [name, pipeline]));

/** What changes in one resource. */
function details(before: Partial<PlannedResource>, after: Partial<PlannedResource>): Change["details"] {
  return compare(withStore(before), withStore(after)).flatMap((change) => change.details);
}

describe("what a change of the program does", () => {
  const kept = resource({ type: container, name: "kept" });

  it("is nothing where nothing differs but places", () => {
    expect(changes([kept], [{ ...kept, location: { file: "main.ts", line: 1 } }])).toEqual([]);
  });

  it("creates and deletes, with what guards the deletion and whose it was", () => {
    const tags = { metadata: { stack: "inmet" } };
    const input = resource({ type: container, name: "input", inputs: tags, protect: true, retainOnDelete: true });
    const lake = resource({ type: container, name: "lake", read: true, protect: true });
    const usual = { type: container, was: null, custom: true, read: false, opaque: false, details: [] };
    const all = compare(planOf([kept, input]), planOf([kept, lake]));
    expect(all).toEqual([
      { ...usual, kind: "created", urn: lake.urn, name: "lake", pipeline: null, read: true, ...unguarded },
      {
        ...usual,
        kind: "deleted",
        urn: input.urn,
        name: "input",
        pipeline: "inmet",
        protect: true,
        retainOnDelete: true,
      },
    ]);
  });
  const unguarded = { protect: false, retainOnDelete: false };

  it("makes or removes an environment as a whole", () => {
    expect(kinds(compare(undefined, planOf([kept])))).toEqual(["created made-test", "created kept"]);
    expect(kinds(compare(planOf([kept]), undefined))).toEqual(["deleted made-test", "deleted kept"]);
  });

  it("is one change where an alias says that a resource has another name", () => {
    const old = resource({ type: container, name: "old" });
    const child = { type: container, name: "child" };
    const renamed = resource({ type: container, name: "new", aliases: [old.urn] });
    expect(
      changes(
        [old, resource({ ...child, parent: old.urn, provider: old.urn })],
        [renamed, resource({ ...child, parent: renamed.urn, provider: renamed.urn })],
      ),
    ).toEqual([{ kind: "changed", name: "new", was: old.urn, details: [] }]);
  });

  it("tells another version of a default provider once", () => {
    const side = (version: string) => {
      const name = `default_${version.replaceAll(".", "_")}`;
      const made = resource({ type: provider, name, inputs: { version } });
      return [made, resource({ type: container, name: "store", provider: made.urn })];
    };
    expect(changes(side("3.15.2"), side("3.16.0"))).toEqual([
      {
        kind: "changed",
        name: "default_3_16_0",
        was: null,
        details: [{ of: "input", path: "version", before: "3.15.2", after: "3.16.0" }],
      },
    ]);
    expect(changes([kept], [kept, resource({ type: provider, name: "default" })])).toEqual([]);
  });

  it("changes stack outputs", () => {
    const [change] = compare(planOf([], { size: 1 }), planOf([], { size: 2 }));
    expect(change).toMatchObject({
      name: "made-test",
      details: [{ of: "output", path: "size", before: 1, after: 2 }],
    });
  });
});

describe("what changes in a resource", () => {
  it("is told input by input, as deep as possible", () => {
    expect(
      details(
        { inputs: { size: 1, tags: ["a", "b", "c"], metadata: { "cost-centre": "x", owner: "y" } } },
        { inputs: { size: 2, tags: ["a", "c"], metadata: { owner: "y", stack: "z" } } },
      ),
    ).toEqual([
      { of: "input", path: 'metadata["cost-centre"]', before: "x" },
      { of: "input", path: "metadata.stack", after: "z" },
      { of: "input", path: "size", before: 1, after: 2 },
      { of: "input", path: "tags[1]", before: "b" },
    ]);
  });

  it("pairs the items of a list by name, and those of a list as long as before by place", () => {
    expect(
      details({ inputs: { columns: named("a", "bb") } }, { inputs: { columns: [{ name: "bb", max: 9 }] } }),
    ).toEqual([
      { of: "input", path: "columns[name=a]", before: { name: "a", max: 1 } },
      { of: "input", path: "columns[name=bb].max", before: 2, after: 9 },
    ]);
    expect(details({ inputs: { columns: named("a", "bb") } }, { inputs: { columns: named("bb", "a") } })).toEqual([
      { of: "input", path: "columns", before: ["a", "bb"], after: ["bb", "a"] },
    ]);
    expect(details({ inputs: { rules: [{ port: 1 }] } }, { inputs: { rules: [{ port: 2 }] } })).toEqual([
      { of: "input", path: "rules[0].port", before: 1, after: 2 },
    ]);
  });

  it("looks into texts that hold JSON", () => {
    expect(details({ inputs: { content: '{"a":{"b":1}}' } }, { inputs: { content: '{"a":{"b":2}}' } })).toEqual([
      { of: "input", path: "content.a.b", before: 1, after: 2 },
    ]);
    expect(details({ inputs: { content: '{"a":1}' } }, { inputs: { content: '{ "a": 1 }' } })).toHaveLength(1);
  });

  it("shows no text that is a secret on either side", () => {
    expect(details({ inputs: { password: "hunter2" } }, { inputs: { password: "[secret]" } })).toEqual([
      { of: "input", path: "password", before: "[plain text]", after: "[secret]" },
    ]);
    expect(details({ inputs: { password: "[secret]" } }, { inputs: { password: "hunter2" } })).toEqual([
      { of: "input", path: "password", before: "[secret]", after: "[plain text]" },
    ]);
    const [few, many] = [["[secret]"], ["a", { url: "hunter2" }]];
    expect(details({ inputs: { urls: few } }, { inputs: { urls: many } })).toEqual([
      { of: "input", path: "urls[0]", before: "[secret]" },
      { of: "input", path: "urls[0]", after: "[plain text]" },
      { of: "input", path: "urls[1]", after: "[plain text]" },
    ]);
    expect(details({ inputs: { urls: many } }, { inputs: { urls: few } })).toEqual([
      { of: "input", path: "urls[0]", before: "[plain text]" },
      { of: "input", path: "urls[1]", before: "[plain text]" },
      { of: "input", path: "urls[0]", after: "[secret]" },
    ]);
  });

  it("is where an unknown value comes from", () => {
    const from = (name: string) => ({
      inputs: { networkId: "[unknown]" },
      unknownInputs: ["networkId"],
      propertyDependencies: { networkId: [urnOf(container, name)] },
    });
    expect(details(from("one"), from("one"))).toEqual([]);
    expect(details(from("one"), from("other"))).toEqual([
      { of: "source", path: "networkId", before: [urnOf(container, "one")], after: [urnOf(container, "other")] },
    ]);
  });

  it("is an option that a deployment heeds, and no input that it ignores", () => {
    expect(details({ protect: true }, {})).toEqual([{ of: "option", path: "protect", before: true, after: false }]);
    const ignoreChanges = ['metadata["cost-centre"]', "rules[*].port", "size"];
    expect(
      details(
        { ignoreChanges, inputs: { metadata: { "cost-centre": "a", owner: "b" }, rules: [{ port: 1 }], size: 1 } },
        { ignoreChanges, inputs: { metadata: { "cost-centre": "c", owner: "d" }, rules: [{ port: 2 }], size: 2 } },
      ),
    ).toEqual([{ of: "input", path: "metadata.owner", before: "b", after: "d" }]);
  });
});

describe("a resource's pipeline stack", () => {
  it("is in its tags, in those of its component, or in those of all that is below", () => {
    const store = component("store");
    const other = component("other");
    expect(
      pipelines([
        store,
        resource({ type: container, name: "tagged", parent: store.urn, inputs: { tags: ["owner=x", "stack=inmet"] } }),
        resource({ type: container, name: "untagged", parent: store.urn }),
        other,
        resource({ type: container, name: "shared", parent: other.urn, inputs: { metadata: { stack: "platform" } } }),
      ]),
    ).toEqual({ "made-test": null, store: "inmet", tagged: "inmet", untagged: "inmet", other: null, shared: null });
  });

  it("is the one that its name begins with, where nothing has tags", () => {
    const outputs = { processor: { stacks: { sea: {}, "sea-ice": {} } } };
    expect(pipelines([component("sea-ice-lake"), component("sea-lake"), component("seal")], outputs)).toEqual({
      "made-test": null,
      "sea-ice-lake": "sea-ice",
      "sea-lake": "sea",
      seal: null,
    });
  });
});
