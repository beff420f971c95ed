import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Plan, plan, PlanError } from "./index.ts";

const secret = "TOPSECRET-value-0123";
const fixtures = path.join(import.meta.dirname, "fixtures");
const tests = path.join(import.meta.dirname, "..", ".cais", "tests");
const container = "openstack:objectstorage/container:Container";

let folder: string;
beforeAll(async () => {
  await mkdir(tests, { recursive: true });
  folder = await mkdtemp(path.join(tests, "secrets-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Plans a program in which `S` is the secret's text and `marked` the secret. */
async function planOf(program: string, policyPack?: string): Promise<Plan> {
  const root = await mkdtemp(path.join(folder, "made-"));
  const runtime = "runtime: { name: nodejs, options: { typescript: false } }";
  await writeFile(path.join(root, "Pulumi.yaml"), `name: made\nmain: main.ts\n${runtime}\n`);
  await writeFile(path.join(root, "Pulumi.test.yaml"), "");
  await writeFile(
    path.join(root, "main.ts"),
    `import * as pulumi from "@pulumi/pulumi";
    import { Container } from "@pulumi/openstack/objectstorage/container.js";
    const S = "${secret}";
    const marked = pulumi.secret(S);
    ${program}`,
  );
  return plan({ root, stack: "test", ...(policyPack !== undefined && { policyPack }) });
}

async function failureOf(program: string): Promise<PlanError> {
  const error = await planOf(program).catch((caught: unknown) => caught);
  if (!(error instanceof PlanError)) throw new Error("the plan did not fail as planned", { cause: error });
  expect(inspect(error)).not.toContain("TOPSECRET");
  return error;
}

describe("what a program marks as secret is not told", () => {
  it.concurrent.each<[where: string, program: string, message: string]>([
    [
      "in the arguments of a data source",
      `await pulumi.runtime.invoke("openstack:x/y:z", { a: marked, [S]: ["b", S] });`,
      'main.ts:5: the data source openstack:x/y:z({"[secret]":["b","[secret]"],"a":"[secret]"}) has no offline answer; declare one in planner/answers.ts',
    ],
    [
      "in the last line of a program that ends at once",
      `console.error("dying", S); process.exit(3);`,
      "the program ended with exit code 3 before it was done; does it call process.exit?; the last that it wrote: dying [secret]",
    ],
    [
      "nor what is only later known to be one",
      `pulumi.secret({ list: [new Promise((resolve) => setTimeout(resolve, 10, "LATER-TOPSECRET-value"))] })
        .apply(({ list }) => { console.error("dying", ...list); process.exit(3); });
      await new Promise(() => setInterval(() => {}, 1000));`,
      "the program ended with exit code 3 before it was done; does it call process.exit?; the last that it wrote: dying [secret]",
    ],
    [
      "nor its lines, where a line is written at a time",
      `pulumi.secret("-----BEGIN KEY-----\\nTOPSECRET-second-line\\n");
      console.error("-----BEGIN KEY-----\\nTOPSECRET-second-line\\n"); process.exit(3);`,
      "the program ended with exit code 3 before it was done; does it call process.exit?; the last that it wrote: [secret]",
    ],
    [
      "nor as JSON in a text",
      `const text = 'TOPSECRET "quoted"\\n';
      pulumi.secret(text);
      throw new pulumi.RunError("cannot use " + JSON.stringify({ text }));`,
      'the program failed: cannot use {"text":"[secret]"}',
    ],
    [
      "in the URN of a resource that is refused",
      `new Container(S, {}); new Container(S, {});`,
      `main.ts:5: two resources have the URN urn:pulumi:test::made::${container}::[secret]; give one of them another name or parent`,
    ],
    [
      "in names that it alone tells apart",
      `const other = pulumi.secret("OTHER-TOPSECRET-value"); new Container(S, {}); new Container("OTHER-TOPSECRET-value", {});`,
      `main.ts:5: the names of two resources differ only in a secret (urn:pulumi:test::made::${container}::[secret]), and names are shown; take the secret out of them`,
    ],
    [
      "in keys that it alone tells apart",
      `pulumi.secret("OTHER-TOPSECRET-value"); new Container("x", { metadata: { [S]: "a", "OTHER-TOPSECRET-value": "b" } });`,
      "two keys of an object differ only in a secret ([secret]), and keys are shown; take the secret out of them",
    ],
  ])("%s", async (_, program, message) => {
    expect((await failureOf(program)).message).toBe(message);
  });

  it("in any text of a plan, in which all still belongs together", async () => {
    const planned = await planOf(
      `class Group extends pulumi.ComponentResource {
        constructor(name: string, opts?: pulumi.ComponentResourceOptions) {
          super("made:" + S + ":Group", name, {}, opts);
          this.registerOutputs({ [S]: S });
        }
      }
      const parent = new Group("group-" + S, { aliases: [{ name: "old-" + S }] });
      const read = Container.get("read-" + S, S);
      const child = new Container("child-" + S, { metadata: { [S]: read.name } }, {
        parent, dependsOn: read, deletedWith: parent, ignoreChanges: ["metadata." + S], replaceOnChanges: [S],
        additionalSecretOutputs: [S],
      });
      new pulumi.CustomResource("thing:index:Thing", "thing", { [S]: child.name, other: [marked, child, S] });
      pulumi.log.warn("about " + S, child);
      export const out = { [S]: [read.id, child.urn, "url/" + S] };`,
      path.join(fixtures, "pack"),
    );
    expect(JSON.stringify(planned)).not.toContain("TOPSECRET");

    const find = (name: string) => planned.resources.find((resource) => resource.name === name);
    const parent = find("group-[secret]");
    const child = find("child-[secret]");
    const read = find("read-[secret]");
    const root = "urn:pulumi:test::made::";
    expect(parent).toMatchObject({
      urn: `${root}made:[secret]:Group::group-[secret]`,
      outputs: { "[secret]": "[secret]" },
      aliases: [`${root}made:[secret]:Group::old-[secret]`],
    });
    expect(read).toMatchObject({ id: "[secret]", read: true });
    expect(child).toMatchObject({
      parent: parent?.urn,
      deletedWith: parent?.urn,
      dependencies: [read?.urn],
      inputs: { metadata: { "[secret]": "[unknown]" } },
      ignoreChanges: ["metadata.[secret]"],
      replaceOnChanges: ["[secret]"],
      additionalSecretOutputs: ["[secret]"],
    });
    expect(find("thing")).toMatchObject({
      inputs: { "[secret]": "[unknown]", other: ["[secret]", child?.urn, "[secret]"] },
      secretInputs: ["other"],
      unknownInputs: ["[secret]"],
      propertyDependencies: { "[secret]": [child?.urn], other: [child?.urn] },
    });
    expect(planned.outputs["out"]).toEqual({ "[secret]": ["[secret]", child?.urn, "url/[secret]"] });
    expect(planned.messages).toContainEqual({
      level: "warning",
      text: "about [secret]",
      urn: child?.urn,
      from: "program",
    });
    const reviewed = planned.violations.filter(({ policy }) => policy === "told-of-a-resource");
    expect(reviewed.map(({ urn }) => urn)).toContain(child?.urn);
    expect(reviewed.find(({ urn }) => urn === child?.urn)?.message).toContain("at .metadata.[secret] ");
  });

  it("is not there for what the program starts", async () => {
    const planned = await planOf(
      `import { fork } from "node:child_process";
      import { writeFileSync } from "node:fs";
      writeFileSync("forked.ts", 'process.send({ told: process.env["CAIS_SECRETS_PIPE"] ?? "nothing" });');
      const forked = fork("forked.ts");
      export const told = await new Promise((resolve) => forked.once("message", ({ told }) => resolve(told)));
      export const own = process.env["CAIS_SECRETS_PIPE"] ?? "nothing";`,
    );
    expect(planned.outputs).toEqual({ told: "nothing", own: "nothing" });
  });
});
