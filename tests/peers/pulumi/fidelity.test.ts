import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { comparePreview, Preview, toldViolations, violationsAsTold } from "../../../planner/fidelity.ts";
import { type Plan, plan } from "../../../planner/index.ts";
import { stacksOf } from "../../../planner/project.ts";
import { type Copy, importOutputs, initStack, previewJson, previewPolicies } from "../../../planner/recorded/cli.ts";
import { type Json, unknownMark } from "../../../planner/value.ts";

const root = path.join(import.meta.dirname, "..", "..", "..");
const policyPack = path.join(root, "policies");
const stacks = await stacksOf(root);

let copy: Copy;

/** The CLI writes into `Pulumi.<stack>.yaml`, so it gets copies of those; the program is the project's own. */
beforeAll(async () => {
  const folder = path.join(root, ".cais", "peers");
  await mkdir(folder, { recursive: true });
  const project = await mkdtemp(path.join(folder, "pulumi-"));
  copy = { project, state: path.join(project, "state") };
  await mkdir(copy.state);
  await symlink(path.join(root, "programs"), path.join(project, "programs"));
  for (const file of ["Pulumi.yaml", ...stacks.map((stack) => `Pulumi.${stack}.yaml`)])
    await cp(path.join(root, file), path.join(project, file));
  for (const stack of stacks) await initStack(copy, stack);
});

afterAll(() => rm(copy.project, { recursive: true, force: true }));

/** What a deployment would have known; to the SDK nothing is known of a stack's outputs when one of them is unknown. */
const deployed = (outputs: Json): Json =>
  JSON.parse(JSON.stringify(outputs).replaceAll(JSON.stringify(unknownMark), JSON.stringify("made-by-a-deployment")));

describe.each(stacks)("the offline plan of %s, beside a preview by Pulumi's CLI", (stack) => {
  let planned: Plan;

  beforeAll(async () => {
    planned = await plan({ root, stack, policyPack });
    for (const { type, id } of planned.resources) {
      if (type !== "pulumi:pulumi:StackReference") continue;
      const name = id?.split("/").at(-1) ?? "";
      const { project, outputs } = await plan({ root, stack: name });
      await importOutputs(copy, name, project, deployed(outputs));
    }
  });

  it("asks for the same resources, with the same inputs and options", async () => {
    const { differences } = comparePreview(planned, Preview.parse(await previewJson(copy, stack)));
    expect(differences).toEqual([]);
  });

  it("breaks the same rules of the same pack, in the same words", async () => {
    expect(violationsAsTold(planned)).toEqual(toldViolations(await previewPolicies(copy, stack, policyPack)));
  });
});
