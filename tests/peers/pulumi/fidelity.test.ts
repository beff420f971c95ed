import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { comparePreview, Preview, toldViolations, violationsAsTold } from "../../../planner/fidelity.ts";
import { type Plan, plan } from "../../../planner/index.ts";
import { stacksOf } from "../../../planner/project.ts";
import { type Copy, importOutputs, initStack, previewJson, previewPolicies } from "../../../planner/recorded/cli.ts";
import { exemptionRules } from "../../../policies/excuse.ts";
import { type Json, unknownMark } from "../../../planner/value.ts";

const project = path.join(import.meta.dirname, "..", "..", "..");
const breaking = path.join(import.meta.dirname, "breaking");

/** Programs, each with the first folder or file of the `main` that its Pulumi.yaml names, and their packs in `policies/`. */
const programs = [
  { name: "an environment", root: project, main: "programs", broken: false },
  { name: "a program that breaks policies", root: breaking, main: "main.ts", broken: true },
];

/** The CLI shows secrets to a pack like any other text, so these rules hold offline alone. */
const offline = new Set(["plain-secret-disallow-in-config", "plain-secret-disallow-in-input"]);

const withStacks = await Promise.all(
  programs.map(async (program) => ({ ...program, stacks: await stacksOf(program.root) })),
);

/** What a deployment would have known; to the SDK nothing is known of a stack's outputs when one of them is unknown. */
const deployed = (outputs: Json): Json =>
  JSON.parse(JSON.stringify(outputs).replaceAll(JSON.stringify(unknownMark), JSON.stringify("made-by-a-deployment")));

describe.each(withStacks)("$name", ({ root, main, broken, stacks }) => {
  const policyPack = path.join(root, "policies");
  let copy: Copy;

  // The CLI writes into `Pulumi.<stack>.yaml`, so it gets copies of those, which the plans are made of, too.
  beforeAll(async () => {
    const folder = path.join(project, ".cais", "peers");
    await mkdir(folder, { recursive: true });
    const place = await mkdtemp(path.join(folder, "pulumi-"));
    copy = { project: place, state: path.join(place, "state") };
    await mkdir(copy.state);
    await symlink(path.join(root, main), path.join(place, main));
    for (const file of ["Pulumi.yaml", ...stacks.map((stack) => `Pulumi.${stack}.yaml`)])
      await cp(path.join(root, file), path.join(place, file));
    for (const stack of stacks) await initStack(copy, stack);
  });

  afterAll(() => rm(copy.project, { recursive: true, force: true }));

  describe.each(stacks)("%s", (stack) => {
    let planned: Plan;

    beforeAll(async () => {
      planned = await plan({ root: copy.project, stack, policyPack });
      for (const { type, id } of planned.resources) {
        if (type !== "pulumi:pulumi:StackReference") continue;
        const name = id?.split("/").at(-1) ?? "";
        const shared = await plan({ root: copy.project, stack: name });
        await importOutputs(copy, name, shared.project, deployed(shared.outputs));
      }
    });

    it("is planned as Pulumi's CLI previews it: the same resources, inputs and options", async () => {
      const { differences } = comparePreview(planned, Preview.parse(await previewJson(copy, stack)));
      expect(differences).toEqual([]);
    });

    it("breaks the same rules of the same pack, in the same words", async () => {
      const told = toldViolations(await previewPolicies(copy, stack, policyPack));
      expect(violationsAsTold(planned).filter(({ policy }) => !offline.has(policy))).toEqual(told);
      expect(told.some(({ level }) => level === "mandatory")).toBe(broken);
      expect(told.some(({ level }) => level === "advisory")).toBe(broken);
      const exemptions = told.map(({ policy }) => policy).filter((policy) => policy.startsWith("exemption-"));
      expect([...new Set(exemptions)].toSorted()).toEqual(broken ? Object.values(exemptionRules).toSorted() : []);
    });
  });
});
