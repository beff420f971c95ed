import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type Plan, plan } from "./index.ts";

const fixture = (name: string) => path.join(import.meta.dirname, "fixtures", name);

const root = "urn:pulumi:test::protocol::";
const container = "openstack:objectstorage/container:Container";
const outer = `${root}fixture:group:Group::outer`;
const inner = `${root}fixture:group:Group$fixture:group:Group::inner`;
const leaf = `${root}fixture:group:Group$fixture:group:Group$${container}::leaf`;
const child = `${root}fixture:group:Group$fixture:group:Group$${container}$${container}::child`;
const thing = `${root}thing:index:Thing::thing`;

let planned: Plan;
const asked: unknown[] = [];

beforeAll(async () => {
  planned = await plan({
    root: fixture("protocol"),
    stack: "test",
    policyPack: fixture("pack"),
    answers: {
      "openstack:images/getImage:getImage": (args, { name, stack }) => {
        asked.push({ args, name, stack });
        return { id: "an-id", ...args };
      },
    },
  });
});

const resource = (urn: string) => planned.resources.find((candidate) => candidate.urn === urn);

describe("what a program can ask of the engine", () => {
  it("is a data source: answered after its transform, or unknown while what it depends on is", () => {
    expect(planned.outputs).toMatchObject({ answered: "by-transform", pending: "[unknown]", argument: "[unknown]" });
    expect(asked).toEqual([{ args: { name: "debian", tag: "by-transform" }, name: "protocol", stack: "test" }]);
  });

  it("is a method of a resource, which only its provider can answer", () => {
    expect(planned.outputs["called"]).toBe("[unknown]");
  });

  it("is a resource that it has registered, by its URN", () => {
    expect(planned.outputs["resolved"]).toBe(leaf);
    expect(planned.resources.filter(({ name }) => name === "leaf")).toHaveLength(1);
  });

  it("is the name of organization, project and stack; and it is a dry run", () => {
    expect(planned.outputs["where"]).toEqual(["organization", "protocol", "test", true]);
  });

  it("is a hook, which no plan runs", () => {
    expect(planned.messages.filter(({ from }) => from === "program")).toEqual([]);
  });

  it("is a package made of another by parameters; its provider is named after it", () => {
    expect(resource(thing)?.provider).toBe(`${root}pulumi:providers:thing::default_4_5_6`);
    expect(resource(`${root}pulumi:providers:thing::default_4_5_6`)?.inputs).toEqual({ version: "4.5.6" });
  });
});

describe("a resource", () => {
  it("has the URN, the provider and the aliases of its place below components", () => {
    expect(resource(outer)).toMatchObject({ protect: true, aliases: [`${root}fixture:group:Group::former`] });
    expect(resource(inner)).toMatchObject({
      parent: outer,
      protect: true,
      provider: null,
      aliases: [`${root}fixture:group:Group$fixture:group:Team::inner`],
    });
    expect(resource(leaf)).toMatchObject({
      parent: inner,
      protect: false,
      provider: `${root}pulumi:providers:openstack::explicit`,
      aliases: [`${root}fixture:group:Group$fixture:group:Team$${container}::leaf`],
    });
  });

  it("keeps its options", () => {
    expect(resource(child)).toMatchObject({
      parent: leaf,
      id: "imported-id",
      inputs: { metadata: { parent: "[unknown]" } },
      dependencies: [leaf],
      deletedWith: outer,
      replaceOnChanges: ["region"],
      deleteBeforeReplace: true,
      aliases: [
        `${root}${container}::elsewhere`,
        `${root}fixture:group:Group$fixture:group:Team$${container}$${container}::child`,
      ],
    });
    expect(planned.outputs["importedId"]).toBe("imported-id");
  });

  it("shows assets, references and nested marks as plain JSON", () => {
    expect(resource(thing)).toMatchObject({
      inputs: {
        text: { text: "words" },
        archive: { assets: { "a.txt": { text: "a" } } },
        group: inner,
        container: leaf,
        mixed: ["[unknown]", { deep: "[secret]" }],
      },
      secretInputs: ["mixed"],
      unknownInputs: ["mixed"],
    });
    expect(resource(thing)?.inputs["text"]).toEqual({ text: "words" });
  });

  it("reaches a policy pack without the signatures that the policy SDK refuses", () => {
    expect(planned.violations.filter(({ policy }) => policy === "told-of-a-resource").map(({ urn }) => urn)).toEqual([
      leaf,
      child,
    ]);
  });
});
