import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type Plan, plan, PlanError, References } from "./index.ts";
import { loadProject } from "./project.ts";
import { Secrets } from "./redact.ts";
import { givenBy } from "./stack-reference.ts";

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
      "main.ts:43: the program failed: the stack organization/references/gives gives no output nothing; it gives container, marked, mixed, password, plain, resource, told",
    ],
    [
      "circle",
      "stack-reference",
      "main.ts:4: the stacks refer to each other in a circle (circle-too -> circle -> circle-too), so none can be planned; take one of the references out",
    ],
    [
      "refers-to-itself",
      "stack-reference",
      "main.ts:4: the stacks refer to each other in a circle (refers-to-itself -> refers-to-itself), so none can be planned; take one of the references out",
    ],
    [
      "refers-to-failing",
      "stack-reference",
      "the stack fails, which the program refers to, has no plan: main.ts:48: the program failed: this stack has no program",
    ],
    [
      "refers-to-nothing",
      "stack-reference",
      'main.ts:4: the program refers to the stack "references//gives", which is no name of one; write <organization>/<project>/<stack>',
    ],
  ])("%s: %s", async (stack, code, message) => {
    const error = await plan({ root, stack, references }).catch((caught: unknown) => caught);
    if (!(error instanceof PlanError)) throw new Error("the plan did not fail as planned", { cause: error });
    expect({ code: error.code, message: error.message }).toEqual({ code, message });
  });
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
});
