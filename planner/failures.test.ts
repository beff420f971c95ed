import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Answer } from "./answers.ts";
import { type Plan, plan, PlanError } from "./index.ts";
import { unknown } from "./value.ts";

const fixture = (name: string) => path.join(import.meta.dirname, "fixtures", name);

/** The error of a plan that must fail. */
async function failure(planning: Promise<Plan>): Promise<PlanError> {
  const result = await planning.catch((error: unknown) => error);
  if (!(result instanceof PlanError)) throw new Error("the plan did not fail as planned", { cause: result });
  return result;
}

const container = "openstack:objectstorage/container:Container";

describe("a program with a mistake", () => {
  it.concurrent.each<[stack: string, code: string, message: string]>([
    ["throws", "program-failed", "main.ts:18: the program failed: TypeError: the flavour is not a number"],
    ["tells-a-secret", "program-failed", "main.ts:24: the program failed: [secret] is too long"],
    ["rejects", "program-failed", "main.ts:27: the program failed: the answer is 42"],
    ["logs-error", "program-failed", "the program failed: this cannot be deployed"],
    ["exits-early", "program-died", "the program ended before it was done; does it call process.exit?"],
    [
      "never-resolves",
      "program-died",
      `main.ts:32: the program ended before all was registered; is there a cycle, or a promise that never resolves? "waiting" [${container}] was waiting for the value of its input property "name" (main.ts:32)`,
    ],
    ["killed", "program-died", "the program was ended by SIGKILL before it was done"],
    [
      "duplicate",
      "duplicate-urn",
      `main.ts:8: two resources have the URN urn:pulumi:duplicate::failures::${container}::twice; give one of them another name or parent`,
    ],
    [
      "missing-parent",
      "missing-parent",
      `main.ts:8: the parent of ${container} orphan, urn:pulumi:other::failures::a:b:C::stranger, is no resource of this stack; register the parent first`,
    ],
    [
      "missing-config",
      "config-missing",
      "main.ts:33: Pulumi.missing-config.yaml lacks the config key failures:flavour: run `pulumi config set failures:flavour <value> --stack missing-config`",
    ],
    [
      "missing-secret",
      "config-missing",
      "main.ts:35: Pulumi.missing-secret.yaml lacks the config key failures:password: run `pulumi config set --secret failures:password <value> --stack missing-secret`",
    ],
    [
      "parsed-secret",
      "config-secret",
      "main.ts:34: the program reads the secret failures:closed as a JSON object, but a plan decrypts nothing; set its secret parts alone: `pulumi config set --secret --path 'failures:closed.<part>' <value> --stack parsed-secret`",
    ],
    [
      "unanswered",
      "invoke-unanswered",
      'main.ts:36: the data source openstack:images/getImage:getImage({"name":"debian-12","tag":"stable"}) has no offline answer; declare one in planner/answers.ts',
    ],
    [
      "trows",
      "stack-unknown",
      "there is no Pulumi.trows.yaml; did you mean throws? (there is duplicate, exits-early, killed, logs-error, missing-config, missing-parent, missing-secret, never-resolves, parsed-secret, rejects, tells-a-secret, throws, unanswered)",
    ],
  ])("%s: %s", async (stack, code, message) => {
    const error = await failure(plan({ root: fixture("failures"), stack }));
    expect({ code: error.code, message: error.message }).toEqual({ code, message });
  });

  it("gets the answer to a data source where one is declared", async () => {
    const answers: Record<string, Answer> = {
      "openstack:images/getImage:getImage": ({ name }, { stack }) => ({
        id: unknown,
        name: name ?? null,
        owner: stack,
      }),
    };
    const { outputs } = await plan({ root: fixture("failures"), stack: "unanswered", answers });
    expect(outputs["result"]).toEqual({ id: "[unknown]", name: "debian-12", owner: "unanswered" });
  });
});

it.concurrent.each<[pack: string, message: string]>([
  ["pack-broken", "pack-broken/index.ts:1: the policy pack in pack-broken/ does not work: the rules cannot be read"],
  [
    "pack-throwing",
    "pack-throwing/index.ts:8: the policy pack in pack-throwing/ does not work: Error validating resource with policy 'careless' from policy pack 'throwing@v1.2.3': TypeError: Cannot read properties of undefined (reading 'owner')",
  ],
  ["pack-ending", "the policy pack in pack-ending/ does not work: it ended while it was asked"],
])("tells why a policy pack fails: %s", async (pack, message) => {
  const error = await failure(plan({ root: fixture("empty"), stack: "test", policyPack: fixture(pack) }));
  expect({ code: error.code, message: error.message }).toEqual({ code: "pack-failed", message });
});

it("starts nothing when it is stopped before", async () => {
  const error = await failure(plan({ root: fixture("empty"), stack: "test", signal: AbortSignal.abort() }));
  expect({ code: error.code, message: error.message }).toEqual({
    code: "aborted",
    message: "the plan of test was stopped",
  });
});

// A loaded machine starts a program, and reaps an orphan, only after a while.
const patience = { timeout: 20_000, interval: 20 };

const projectFile = (main: string) =>
  `name: made\nmain: ${main}\nruntime: { name: nodejs, options: { typescript: false } }\n`;

describe("a project made for the test", () => {
  const tests = path.join(import.meta.dirname, "..", ".cais", "tests");
  let folder: string;

  beforeEach(async () => {
    await mkdir(tests, { recursive: true });
    folder = await mkdtemp(path.join(tests, "planner-"));
    await writeFile(path.join(folder, "Pulumi.yaml"), projectFile("main.ts"));
    await writeFile(path.join(folder, "Pulumi.test.yaml"), "");
    await writeFile(path.join(folder, "main.ts"), "");
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("has a syntax error, which is told with its line", async () => {
    await writeFile(path.join(folder, "main.ts"), "export const fine = 1;\nexport const = 2;\n");
    const error = await failure(plan({ root: folder, stack: "test" }));
    expect(error.code).toBe("program-failed");
    expect(error.message).toMatch(/^main\.ts:2: the program failed: SyntaxError\b/);
    expect(error.message).not.toMatch(/\n\s+at /);
  });

  it("names a file itself, which is told from the root on", async () => {
    await mkdir(path.join(folder, "programs"));
    await writeFile(path.join(folder, "Pulumi.yaml"), projectFile("programs/main.ts"));
    await writeFile(path.join(folder, "stack.yaml"), "");
    await writeFile(
      path.join(folder, "programs", "main.ts"),
      `class StackError extends Error { override name = "StackError"; }
      throw new StackError("The stack is not right:\\n  ../stack.yaml:3:7: no such layer\\n  stack.yaml:9:1: no such table");`,
    );
    const error = await failure(plan({ root: folder, stack: "test" }));
    expect(error.message).toBe(
      "the program failed: The stack is not right:\n  stack.yaml:3:7: no such layer\n  stack.yaml:9:1: no such table",
    );
    expect(error.location).toEqual({ file: "stack.yaml", line: 3 });
  });

  it.each<[what: string, program: string, message: string]>([
    [
      "without the SDK's words",
      `new Container("x", { name: pulumi.output(1).apply(() => {
        throw new pulumi.RunError("The token is missing; set it");
      }) });`,
      "the program failed: The token is missing; set it",
    ],
    [
      "without the name of its class, which the SDK shows as Node does",
      `new Container("x", { name: pulumi.output(1).apply(() => { throw new Refusal("the stack is wrong"); }) });`,
      "the program failed: the stack is wrong",
    ],
    [
      "without the name of its class",
      `throw new Refusal("the stack is wrong");`,
      "the program failed: the stack is wrong",
    ],
    [
      "as it is: a sentence may begin like a class",
      `throw new pulumi.RunError("Usage: a");`,
      "the program failed: Usage: a",
    ],
    ["as it is, after its class", `throw new Refusal("Usage: a");`, "the program failed: Usage: a"],
    [
      "where it threw what is no Error",
      `throw { code: 3 };`,
      "the program failed: what was thrown is no Error but { code: 3 }",
    ],
  ])("tells users a sentence, %s", async (_, program, message) => {
    await writeFile(
      path.join(folder, "main.ts"),
      `import * as pulumi from "@pulumi/pulumi";
      import { Container } from "@pulumi/openstack/objectstorage/container.js";
      class Refusal extends Error { override name = "Refusal"; }
      ${program}`,
    );
    expect((await failure(plan({ root: folder, stack: "test" }))).message.replace(/^main\.ts:4: /, "")).toBe(message);
  });

  it("is refused with another version of the SDK", async () => {
    const sdk = path.join(folder, "node_modules", "@pulumi", "pulumi");
    await mkdir(sdk, { recursive: true });
    await writeFile(path.join(sdk, "package.json"), '{ "name": "@pulumi/pulumi", "version": "3.269.0" }');
    const error = await failure(plan({ root: folder, stack: "test" }));
    expect({ code: error.code, message: error.message }).toEqual({
      code: "sdk-version",
      message: "the program uses @pulumi/pulumi 3.269.0, but plans are made with 3.270.0 only: install that version",
    });
  });

  it("leaves nothing running, whatever the program does", async () => {
    await writeFile(
      path.join(folder, "main.ts"),
      `import { spawn } from "node:child_process";
      const left = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit" });
      left.unref();
      export const pid = left.pid;`,
    );
    const { outputs } = await plan({ root: folder, stack: "test" });
    expect(outputs["pid"]).toBeGreaterThan(0);
    await vi.waitFor(() => expect(() => process.kill(Number(outputs["pid"]), 0)).toThrow(/ESRCH/), patience);
  });

  it("is stopped with all that it started, and its port closed", async () => {
    await writeFile(
      path.join(folder, "main.ts"),
      `import { spawn } from "node:child_process";
      import { writeFileSync, renameSync } from "node:fs";
      const grandchild = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
      const facts = { pids: [process.pid, grandchild.pid], monitor: process.env.PULUMI_NODEJS_MONITOR };
      writeFileSync("facts.part", JSON.stringify(facts));
      renameSync("facts.part", "facts.json");
      await new Promise(() => setInterval(() => {}, 1000));`,
    );
    const controller = new AbortController();
    const planning = failure(plan({ root: folder, stack: "test", signal: controller.signal }));
    const facts: { pids: number[]; monitor: string } = await vi.waitFor(
      async () => JSON.parse(await readFile(path.join(folder, "facts.json"), "utf8")),
      patience,
    );
    for (const pid of facts.pids) expect(process.kill(pid, 0)).toBe(true);

    controller.abort();
    expect(await planning).toMatchObject({ code: "aborted", message: "the plan of test was stopped" });
    for (const pid of facts.pids) await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(/ESRCH/), patience);
    const [host = "", port] = facts.monitor.split(":");
    const refused = await new Promise((resolve) => {
      connect(Number(port), host)
        .once("error", resolve)
        .once("connect", () => resolve("connected"));
    });
    expect(refused).toMatchObject({ code: "ECONNREFUSED" });
  });
});
