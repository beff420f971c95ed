import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadProject, stacksOf } from "./project.ts";

const runtime = "runtime: { name: nodejs, options: { typescript: false } }\n";

describe("a project", () => {
  let root: string;
  const write = (file: string, text: string) => writeFile(path.join(root, file), text);

  beforeEach(async () => {
    const tests = path.join(import.meta.dirname, "..", ".cais", "tests");
    await mkdir(tests, { recursive: true });
    root = await mkdtemp(path.join(tests, "project-"));
    await write("main.ts", "");
    await write("Pulumi.yaml", `name: made\nmain: main.ts\n${runtime}`);
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it("has the stacks that have a file, sorted", async () => {
    await write("Pulumi.prod-aws.inmet.yaml", "");
    await write("Pulumi.dev.yaml", "");
    expect(await stacksOf(root)).toEqual(["dev", "prod-aws.inmet"]);
  });

  it("has config by full key; values with structure are JSON, the stack's beat the project's", async () => {
    await write(
      "Pulumi.yaml",
      `name: made
main: main.ts
${runtime}
config:
  plain: from the project
  beaten: 1
  typed: { type: integer, default: 7 }
  valued: { value: { a: [1] } }
  hidden: { default: initial, secret: true }
  aws:region: eu-west-1
`,
    );
    await write(
      "Pulumi.dev.yaml",
      `config:
  made:beaten: 2
  unnamespaced: yes
  made:config:old: spelling
  made:empty:
  made:number: 1.50
  made:text: "007"
  made:list: [a, { b: null }]
`,
    );
    const { config, secretKeys } = await loadProject(root, "dev");
    expect(Object.fromEntries(config)).toEqual({
      "made:plain": "from the project",
      "made:beaten": "2",
      "made:typed": "7",
      "made:valued": '{"a":[1]}',
      "made:hidden": "initial",
      "aws:region": "eu-west-1",
      "made:unnamespaced": "yes",
      "made:old": "spelling",
      "made:number": "1.5",
      "made:text": "007",
      "made:list": '["a",{"b":null}]',
    });
    expect(secretKeys).toEqual(["made:hidden"]);
  });

  it("keeps secrets closed at any depth and marks their top-level key", async () => {
    await write(
      "Pulumi.dev.yaml",
      `config:
  made:whole: { secure: v1:a:b }
  made:deep: { inmet: [{ token: { secure: v1:a:b }, open: x }] }
  made:twin: { secure: not a secret, because: it has company }
`,
    );
    const { config, secretKeys } = await loadProject(root, "dev");
    expect(Object.fromEntries(config)).toEqual({
      "made:whole": "[secret]",
      "made:deep": '{"inmet":[{"token":"[secret]","open":"x"}]}',
      "made:twin": '{"secure":"not a secret","because":"it has company"}',
    });
    expect(secretKeys).toEqual(["made:whole", "made:deep"]);
  });

  it.each<[what: string, file: string, key: string]>([
    ["a text", "made:secrets: { platform: { api-token: PLAIN } }", "made:secrets.platform.api-token"],
    ["a number in a list", "secrets: [{ token: { secure: v1:a:b } }, { token: 7235 }]", "made:secrets[1].token"],
    ["a key that needs quotes", "made:config:secrets: { 'a.b': PLAIN }", 'made:secrets["a.b"]'],
    ["what is not closed alone", "made:secrets: { a: { secure: PLAIN, b: c } }", "made:secrets.a.secure"],
    ["all of it", "made:secrets: PLAIN", "made:secrets"],
    [
      "a path that was not taken for one",
      "'made:secrets.platform.api-token': PLAIN",
      "made:secrets.platform.api-token",
    ],
  ])("refuses a secret in plain text: %s", async (_, line, key) => {
    await write("Pulumi.dev.yaml", `config:\n  ${line}\n`);
    const error = await loadProject(root, "dev").catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: "config-secret",
      message: `Pulumi.dev.yaml: ${key} is in plain text, for all who see the file; run \`pulumi config set --secret --path '${key}' --stack dev\` with a new value, since this one could be read`,
    });
    expect(inspect(error)).not.toMatch(/PLAIN|7235/);
  });

  it("refuses a secret in plain text in Pulumi.yaml, and knows other keys by their own names", async () => {
    await write(
      "Pulumi.dev.yaml",
      "config: { aws:secrets: a, made:secretsOf: b, made:secrets: { c: { secure: v1:a:b }, d: {} } }",
    );
    expect((await loadProject(root, "dev")).secretKeys).toEqual(["made:secrets"]);
    await write(
      "Pulumi.yaml",
      `name: made\nmain: main.ts\n${runtime}config: { secrets: { value: { a: PLAIN }, secret: true } }\n`,
    );
    await expect(loadProject(root, "dev")).rejects.toThrow(/^Pulumi\.yaml: made:secrets\.a is in plain text, /);
  });

  it("has the program where main says, a folder or a file", async () => {
    await write("Pulumi.dev.yaml", "");
    expect(await loadProject(root, "dev")).toMatchObject({ folder: root, entry: "main.ts" });
    await mkdir(path.join(root, "programs"));
    await write("Pulumi.yaml", `name: made\nmain: programs\n${runtime}`);
    expect(await loadProject(root, "dev")).toMatchObject({ folder: path.join(root, "programs"), entry: "." });
  });

  it.each<[what: string, file: string, message: string]>([
    [
      "a key that is declared but not set",
      `name: made\n${runtime}config: { flavour: { type: string } }\n`,
      "Pulumi.dev.yaml lacks the config key made:flavour: run `pulumi config set made:flavour <value> --stack dev`",
    ],
    ["another language", "name: made\nruntime: python\n", "Pulumi.yaml: runtime is python; only nodejs can be planned"],
    [
      "a compiler",
      "name: made\nruntime: nodejs\n",
      "Pulumi.yaml: set runtime.options.typescript to false; Node runs TypeScript itself, and a plan runs the program as Node does",
    ],
    [
      "a program that is not there",
      `name: made\nmain: gone.ts\n${runtime}`,
      "Pulumi.yaml: main names gone.ts, which does not exist",
    ],
    ["no name", runtime, "Pulumi.yaml: name: Invalid input: expected string, received undefined"],
  ])("is refused with %s", async (_, file, message) => {
    await write("Pulumi.yaml", file);
    await write("Pulumi.dev.yaml", "");
    await expect(loadProject(root, "dev")).rejects.toThrow(message);
  });

  it("is refused with a key that no stack's file has, whose config would be lost", async () => {
    await write("Pulumi.dev.yaml", "confg: { a: b }\n");
    await expect(loadProject(root, "dev")).rejects.toThrow("Pulumi.dev.yaml: confg is not known; did you mean config?");
    await write("Pulumi.dev.yaml", "encryptionsalt: v1:x\nenvironment: [shared]\nconfig: { a: b }\n");
    expect((await loadProject(root, "dev")).config.get("made:a")).toBe("b");
  });

  it("is refused where there is none, or what is there is not YAML", async () => {
    await rm(path.join(root, "Pulumi.yaml"));
    await expect(loadProject(root, "dev")).rejects.toThrow(
      `cannot read ${path.join(root, "Pulumi.yaml")}; is this the root of a Pulumi project?`,
    );
    await write("Pulumi.yaml", "a: [");
    await expect(loadProject(root, "dev")).rejects.toThrow(
      "Pulumi.yaml is not YAML: Flow sequence in block collection must be sufficiently indented and end with a ] at line 1, column 5",
    );
  });
});
