import { describe, expect, it } from "vitest";
import { aliasUrnsOf, collapseInputs, defaultProvider, inherit, type Registration } from "./registration.ts";
import { unknown } from "./value.ts";

const stack = { stack: "test", project: "made" };
/** The provider that a child of these parents, the nearest first, ends up with. */
function provider(parents: Registration[], changes: Partial<Registration> = {}): string {
  const registration = child(changes);
  inherit(registration, parents);
  return registration.provider;
}

const root = "urn:pulumi:test::made::";

/** A component named `parent` of type `a:b:Parent`, changed as the test needs it. */
const resource = (changes: Partial<Registration>): Registration => ({
  ...defaultProvider("none", "", "", {}),
  urn: `${root}a:b:Parent::parent`,
  type: "a:b:Parent",
  name: "parent",
  custom: false,
  ...changes,
});
const child = (changes: Partial<Registration> = {}): Registration =>
  resource({
    urn: `${root}a:b:Parent$c:d:Child::parent-child`,
    type: "c:d:Child",
    name: "parent-child",
    parent: `${root}a:b:Parent::parent`,
    custom: true,
    ...changes,
  });

describe("a resource that a transform left without options", () => {
  it("takes protect, retainOnDelete and deletedWith of its parent, unless it says otherwise", () => {
    const parent = resource({ protect: true, retainOnDelete: true, deletedWith: "urn:x" });
    const silent = child();
    inherit(silent, [parent]);
    expect(silent).toMatchObject({ protect: true, retainOnDelete: true, deletedWith: "urn:x" });
    const outspoken = child({ protect: false, retainOnDelete: false, deletedWith: "urn:y" });
    inherit(outspoken, [parent]);
    expect(outspoken).toMatchObject({ protect: false, retainOnDelete: false, deletedWith: "urn:y" });
  });

  it("takes the nearest provider of its package, and of no other", () => {
    const near = `${root}pulumi:providers:c::near::${unknown}`;
    const far = `${root}pulumi:providers:c::far::${unknown}`;
    const other = `${root}pulumi:providers:other::other::${unknown}`;
    const grandparent = resource({ providers: { c: far, other } });
    expect(provider([resource({ providers: { c: near } }), grandparent])).toBe(near);
    expect(provider([resource({ provider: near }), grandparent])).toBe(near);
    expect(provider([resource({ provider: other }), grandparent])).toBe(far);
    expect(provider([resource({}), grandparent], { provider: near })).toBe(near);
    expect(provider([resource({ provider: other })])).toBe("");
  });
});

describe("aliases", () => {
  it("leave what they do not name as it is now", () => {
    const aliases = [
      { urn: "urn:given" },
      { name: "old" },
      { type: "c:d:Old" },
      { stack: "other", project: "elsewhere" },
      { noParent: true },
      { parent: `${root}x:y:Z::z` },
    ];
    expect(aliasUrnsOf(child({ aliases }), [], stack)).toEqual([
      "urn:given",
      `${root}a:b:Parent$c:d:Child::old`,
      `${root}a:b:Parent$c:d:Old::parent-child`,
      "urn:pulumi:other::elsewhere::a:b:Parent$c:d:Child::parent-child",
      `${root}c:d:Child::parent-child`,
      `${root}x:y:Z$c:d:Child::parent-child`,
    ]);
  });

  it("come under every old name of the parent, too, which a child's name may begin with", () => {
    const parentAliases = [`${root}a:b:Parent::former`, `${root}a:b:Past::parent`];
    expect(aliasUrnsOf(child({ aliases: [{ type: "c:d:Old" }] }), parentAliases, stack)).toEqual([
      `${root}a:b:Parent$c:d:Old::parent-child`,
      `${root}a:b:Parent$c:d:Child::former-child`,
      `${root}a:b:Parent$c:d:Old::former-child`,
      `${root}a:b:Past$c:d:Child::parent-child`,
      `${root}a:b:Past$c:d:Old::parent-child`,
    ]);
  });
});

it("turns output values into plain, secret and unknown ones, and keeps what they depend on", () => {
  const signature = "4dabf18193072939515e22adb298388d";
  const output = (fields: Record<string, string | boolean | string[]>) => ({
    [signature]: "d0e6a833031e9bbcd3f4e8bde6ca49a4",
    ...fields,
  });
  const registration = child({
    dependencies: ["urn:first"],
    inputs: {
      plain: output({ value: "known", dependencies: ["urn:a"] }),
      nested: { list: [output({ dependencies: ["urn:b"] }), output({ value: "hidden", secret: true })] },
    },
  });
  collapseInputs(registration);
  expect(registration.inputs).toEqual({
    plain: "known",
    nested: { list: [unknown, { [signature]: "1b47061264138c4ac30d75fd1eb44270", value: "hidden" }] },
  });
  expect(registration.propertyDependencies).toEqual({ plain: ["urn:a"], nested: ["urn:b"] });
  expect(registration.dependencies).toEqual(["urn:first", "urn:a", "urn:b"]);
  expect(child().propertyDependencies).toEqual({});
});
