import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { type Plan, plan, PlanError, References } from "./index.ts";
import { loadProject } from "./project.ts";
import { Secrets } from "./redact.ts";
import { givenBy, referredStack } from "./stack-reference.ts";

const root = path.join(import.meta.dirname, "fixtures", "references");

describe("the plan of a program that refers to a stack", () => {
  const references = new References();
  let planned: Plan;
  beforeAll(async () => {
    planned = await plan({ root, stack: "refers", references });
  }, 60_000);

  it("has what is known of that stack's outputs, each by itself", () => {
    expect(planned.outputs).toEqual({
      plain: { text: "a", list: [1, true] },
      list: [1, true],
      container: "[unknown]",
      known: "[unknown]",
      part: "b",
      resource: "[unknown]",
      password: "[secret]",
      marked: "[secret]",
      told: "it is [secret]",
      nothing: "not there",
      details: { value: { text: "a", list: [1, true] } },
      elsewhere: "[unknown]",
      absent: "[unknown]",
    });
    expect(JSON.stringify(planned)).not.toContain("GIVEN");
  });

  it("lists the reference as what is read", () => {
    const read = planned.resources.filter((resource) => resource.read);
    expect(read.map(({ type, id, inputs }) => ({ type, id, inputs }))).toEqual(
      ["elsewhere/prod", "references/gives", "references/givse"].map((name) => ({
        type: "pulumi:pulumi:StackReference",
        id: `organization/${name}`,
        inputs: { name: `organization/${name}` },
      })),
    );
  });

  it("says of which stacks nothing is known", () => {
    expect(planned.messages.map(({ level, text }) => [level, text])).toEqual([
      ["info", "organization/elsewhere/prod is a stack of another project, so nothing is known of its outputs."],
      [
        "warning",
        "There is no Pulumi.givse.yaml, so nothing is known of the outputs of organization/references/givse; did you mean gives?",
      ],
    ]);
  });

  it.each([
    [
      "misses",
      "program-failed",
      "main.ts:44: the program failed: the stack organization/references/gives gives no output nothing; it gives container, marked, mixed, password, plain, resource, told",
    ],
    [
      "circle",
      "stack-reference",
      "main.ts:4: the stacks refer to each other in a circle (circle-too -> circle -> circle-too), so none can be planned; take one of the references out",
    ],
    [
      "refers-to-failing",
      "stack-reference",
      "the stack fails, which the program refers to, has no plan: main.ts:48: the program failed: this stack has no program",
    ],
  ])("%s: %s", async (stack, code, message) => {
    const error = await plan({ root, stack, references }).catch((caught: unknown) => caught);
    if (!(error instanceof PlanError)) throw new Error("the plan did not fail as planned", { cause: error });
    expect({ code: error.code, message: error.message }).toEqual({ code, message });
  });
});

it("a plan that is stopped ends the plan of the stack that it refers to", async () => {
  await mkdir(path.join(".cais", "tests"), { recursive: true });
  const folder = await mkdtemp(path.join(".cais", "tests", "references-"));
  try {
    const runtime = "runtime: { name: nodejs, options: { typescript: false } }";
    await writeFile(path.join(folder, "Pulumi.yaml"), `name: made\nmain: main.ts\n${runtime}\n`);
    for (const stack of ["outer", "inner"]) await writeFile(path.join(folder, `Pulumi.${stack}.yaml`), "");
    await writeFile(
      path.join(folder, "main.ts"),
      `import * as pulumi from "@pulumi/pulumi";
      import { renameSync, writeFileSync } from "node:fs";
      if (pulumi.getStack() === "inner") {
        writeFileSync("pid.part", String(process.pid));
        renameSync("pid.part", "pid");
        await new Promise(() => setInterval(() => {}, 1000));
      } else new pulumi.StackReference("inner");`,
    );
    const controller = new AbortController();
    const planning = plan({ root: folder, stack: "outer", signal: controller.signal });
    const refused = planning.catch((error: unknown) => error);
    const pid = Number(
      await vi.waitFor(() => readFile(path.join(folder, "pid"), "utf8"), { timeout: 25_000, interval: 50 }),
    );
    expect(process.kill(pid, 0)).toBe(true);
    controller.abort();
    expect(await refused).toMatchObject({ code: "aborted", message: "the plan of outer was stopped" });
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

describe("References", () => {
  const given = givenBy({ a: 1 }, new Secrets());
  /** References and a way to plan that counts. */
  async function counting(outcome: () => Promise<typeof given> = () => Promise.resolve(given)) {
    const references = new References();
    const from = await loadProject(root, "refers");
    let plans = 0;
    const ask = (stack: string) =>
      references.of(from, stack, () => {
        plans++;
        return outcome();
      });
    return { references, from, ask, plans: () => plans };
  }

  it("plan a stack once, however often and however soon it is asked for again", async () => {
    const { ask, plans } = await counting();
    expect(await Promise.all([ask("gives"), ask("gives")])).toEqual([given, given]);
    expect(await ask("gives")).toBe(given);
    expect(plans()).toBe(1);
    await ask("fails");
    expect(plans()).toBe(2);
  });

  it("need no plan of a stack that was planned for itself", async () => {
    const { references, from, ask, plans } = await counting();
    references.keep({ ...from, stack: "gives" }, given);
    expect(await ask("gives")).toBe(given);
    expect(plans()).toBe(0);
  });

  it("plan a stack again whose plan failed", async () => {
    const { ask, plans } = await counting(() => Promise.reject(new Error("not this time")));
    await expect(ask("gives")).rejects.toThrow("not this time");
    await expect(ask("gives")).rejects.toThrow("not this time");
    expect(plans()).toBe(2);
  });

  it("refuse a stack that refers to itself, by whatever way", async () => {
    const { references, from, ask } = await counting();
    await expect(ask("refers")).rejects.toThrow("(refers -> refers)");
    await ask("gives");
    await references.of({ ...from, stack: "gives" }, "fails", () => Promise.resolve(given));
    const back = references.of({ ...from, stack: "fails" }, "refers", () => Promise.resolve(given));
    await expect(back).rejects.toThrow(
      "the stacks refer to each other in a circle (fails -> refers -> gives -> fails), so none can be planned; take one of the references out",
    );
  });

  it.each(["references//gives", "", "a/b/c/d"])("refuse %j, which names no stack", async (name) => {
    await expect(referredStack(name, await loadProject(root, "refers"))).rejects.toThrow(
      `the program refers to the stack "${name}", which is no name of one; write <organization>/<project>/<stack>`,
    );
  });

  it("take a stack by its name alone or after an organization, too", async () => {
    const project = await loadProject(root, "refers");
    for (const name of ["gives", "acme/gives", "acme/references/gives"])
      expect(await referredStack(name, project)).toEqual({ stack: "gives" });
  });
});
