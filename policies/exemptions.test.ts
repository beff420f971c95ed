import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { covers, ExemptionError, isPast, matches, readExemptions } from "./exemptions.ts";

let folder: string;
let file: string;
beforeAll(async () => {
  const tests = join(import.meta.dirname, "..", ".cais", "tests");
  await mkdir(tests, { recursive: true });
  folder = await mkdtemp(join(tests, "exemptions-"));
  file = `${basename(folder)}/exemptions.yaml`;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const write = (...lines: string[]) => writeFile(join(folder, "exemptions.yaml"), lines.join("\n"));
const known = { rules: ["store-disallow-public-access"], stacks: ["dev", "prod-openstack"] };

function refusal(): unknown {
  try {
    return readExemptions(folder, known);
  } catch (error) {
    if (error instanceof ExemptionError) return error;
    throw error;
  }
}

describe("exemptions.yaml", () => {
  it("need not be there, and may hold comments alone", async () => {
    expect(readExemptions(join(folder, "nowhere"))).toEqual([]);
    await write("# none yet");
    expect(readExemptions(folder)).toEqual([]);
  });

  it("is read with the place of each, reasons in one line", async () => {
    await write(
      "# a comment",
      "- rule: store-disallow-public-access",
      "  stack: '*-openstack'",
      "  resource: open-*",
      "  reason: >",
      "    The law says",
      "    so.",
      "  owner: meteorologia",
      "  expires: 2027-03-31",
    );
    expect(readExemptions(folder, known)).toEqual([
      {
        rule: "store-disallow-public-access",
        stack: "*-openstack",
        resource: "open-*",
        reason: "The law says so.",
        owner: "meteorologia",
        expires: "2027-03-31",
        file,
        line: 2,
      },
    ]);
  });

  it("tells all mistakes at once, each at its place", async () => {
    await write(
      "- rule: store-disallow-public-acess",
      "  stack: prod-opnstack",
      "  resource: one",
      "  reason: r",
      "  owner: o",
      "  expires: 2027-03-31",
      "- rule: store-disallow-public-access",
      "  resource: '*::*'",
      "  reson: r",
      "  owner: ' '",
      "  expires: 2027-02-30",
    );
    expect(refusal()).toMatchObject({
      message: [
        `${file}:7:3: [1].stack: missing; expected string`,
        `${file}:8:13: [1].resource: must not be every resource: set the rule's level in cais:policies.levels for that, found "*::*"`,
        `${file}:7:3: [1].reason: missing; expected string`,
        `${file}:10:10: [1].owner: must say something, found ""`,
        `${file}:11:12: [1].expires: must be a day such as 2027-03-31, found "2027-02-30"`,
        `${file}:9:3: [1].reson: unknown key; expected rule, stack, resource, reason, owner or expires; did you mean "reason"?`,
      ].join("\n"),
      code: "exemptions-invalid",
      location: { file, line: 7 },
    });
  });

  it("may name only rules and stacks that there are", async () => {
    await write(
      "- { rule: store-disallow-public-acess, stack: prod-opnstack, resource: a, reason: r, owner: o, expires: 2027-03-31 }",
    );
    expect(refusal()).toMatchObject({
      message: [
        `${file}:1:11: [0].rule: there is no rule store-disallow-public-acess; did you mean "store-disallow-public-access"?`,
        `${file}:1:47: [0].stack: no Pulumi.<stack>.yaml has a name such as prod-opnstack; did you mean "prod-openstack"?`,
      ].join("\n"),
      code: "exemptions-invalid",
      location: { file, line: 1 },
    });
  });

  it.each(["o*", "*-*", "openstack:*::*", "*::ab*"])("must not be as wide as %s", async (resource) => {
    await write(`- { rule: a, stack: b, resource: "${resource}", reason: r, owner: o, expires: 2027-03-31 }`);
    expect(() => readExemptions(folder)).toThrow(
      `${file}:1:34: [0].resource: must have three letters or digits of the name beside *, or a whole type before ::, found "${resource}"`,
    );
  });

  it.each(["ab", "abc*", "a:b/c:D::*"])("may be as narrow as %s", async (resource) => {
    await write(`- { rule: a, stack: b, resource: "${resource}", reason: r, owner: o, expires: 2027-03-31 }`);
    expect(readExemptions(folder)).toMatchObject([{ resource }]);
  });

  it("is a list", async () => {
    await write("rule: a");
    expect(() => readExemptions(folder)).toThrow(`${file}:1:1: expected a list, found a group of keys`);
    await write("- [");
    expect(() => readExemptions(folder)).toThrow(/^\S+\/exemptions\.yaml:1:4: not valid YAML: /);
  });
});

describe("a pattern", () => {
  it.each([
    ["store", "store", true],
    ["store", "store2", false],
    ["*", "", true],
    ["store-*", "store-", true],
    ["store-*", "my-store-1", false],
    ["*-store", "my-store", true],
    ["a*b*c", "a1b2b3c", true],
    ["a*b*c", "acb", false],
    ["ab*ba", "aba", false],
    ["a.c", "abc", false],
    ["*a*a*a*a*a*a*a*a*b", "a".repeat(50_000), false],
  ])("%s", (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected);
  });

  const urn = "urn:pulumi:prod::cais::cais:storage:ObjectStore$openstack:objectstorage/container:Container::a::b";
  it.each([
    ["prod", "a::b", true],
    ["prod", "b", false],
    ["prod", "openstack:objectstorage/container:Container::a::*", true],
    ["prod", "cais:storage:ObjectStore*", false],
    // A type counts where it is named as one.
    ["prod", "openstack*", false],
    ["prod", "*::a::b", true],
    ["pro", "a::b", false],
    ["p*", "a*", true],
  ])("of stack %s and resource %s", (stack, resource, expected) => {
    expect(covers({ stack, resource }, urn)).toBe(expected);
  });

  it("lets an exemption hold to the end of its day", () => {
    expect(isPast("2026-11-21", new Date("2026-11-21T23:59:59Z"))).toBe(false);
    expect(isPast("2026-11-21", new Date("2026-11-22T00:00:00Z"))).toBe(true);
  });
});
