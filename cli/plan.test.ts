import { execFileSync, spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { projectRoot } from "./root.ts";

const fixtures = join(projectRoot, "planner", "fixtures");

interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a Node process with these arguments, without colours; sends it Ctrl-C once `interrupt` is settled. */
async function run(args: string[], interrupt?: Promise<unknown>): Promise<Result> {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const interrupted = interrupt?.then(() => child.kill("SIGINT"));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended, interrupted]);
  return { code, stdout, stderr };
}

/** Runs `cais plan` or `cais check` on a project that is not this one. */
const runOn = (root: string, command: "plan" | "check", args: string[], interrupt?: Promise<unknown>) => {
  const module = pathToFileURL(join(import.meta.dirname, `${command}.ts`)).href;
  const pack = command === "check" ? `, ${JSON.stringify(join(fixtures, "pack"))}` : "";
  const script = `import { ${command}Command } from ${JSON.stringify(module)};
    const command = ${command}Command(${JSON.stringify(root)}${pack});
    await command.parseAsync(${JSON.stringify(args)}, { from: "user" }).catch((error) => {
      process.stderr.write(error.message);
      process.exitCode = error.exitCode;
    });`;
  return run(["--input-type=module", "--eval", script], interrupt);
};

describe("cais plan", () => {
  it("prints the tree, the notes, the outputs and the counts", async () => {
    const { code, stdout, stderr } = await runOn(join(fixtures, "platform"), "plan", ["test"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.split("\n")).toEqual(
      expect.arrayContaining([
        "Offline plan of test: what the program asks for, not what a provider would answer.",
        "platform-test  pulumi:pulumi:Stack",
        "├─ store  fixture:storage:Store  protected",
        "│  └─ store-container  openstack:objectstorage/container:Container  protected",
        "├─ keypair  openstack:compute/keypair:Keypair  1 unknown  2 secret",
        "├─ public  openstack:networking/network:Network  read, not made",
        "└─ remote  remote:index:Cluster  opaque: only its provider knows what is in it  1 unknown",
        "  warning store: encryptionKey is unsupported here",
        "  note the password is [secret]",
        '  secrets: "[secret]"',
        "9 resources",
        "  2  openstack:networking/network:Network",
      ]),
    );
    expect(stdout).not.toContain("default_3_15_2");
  });

  it("prints one object with --json: the plan of the one stack, or plans", async () => {
    const one = await runOn(join(fixtures, "empty"), "plan", ["test", "--json"]);
    const stackPlan = {
      project: "empty",
      stack: "test",
      outputs: { answer: 42 },
      policies: [],
      violations: [],
      messages: [],
    };
    expect(JSON.parse(one.stdout)).toMatchObject(stackPlan);
    const all = await runOn(join(fixtures, "empty"), "plan", ["--json"]);
    expect(JSON.parse(all.stdout)).toMatchObject({ plans: [stackPlan] });
  });

  it("prints a failure as an object with --json, its sentence apart, and which of several stacks it is of", async () => {
    const { code, stdout, stderr } = await runOn(join(fixtures, "failures"), "plan", ["throws", "rejects", "--json"]);
    const message = "throws: main.ts:18: the program failed: TypeError: the flavour is not a number";
    expect({ code, stderr }).toEqual({ code: 1, stderr: message });
    expect(JSON.parse(stdout)).toEqual({
      error: { code: "program-failed", message, location: { file: "main.ts", line: 18 } },
    });
  });

  it("ends in silence when its reader does not want to read on", async () => {
    // As main.ts does for all commands; anything else that went wrong would be told.
    const script = `process.stdout.on("error", ({ code }) => process.stderr.write(code));
      const { write } = await import(${JSON.stringify(pathToFileURL(join(import.meta.dirname, "planning.ts")).href)});
      for (let left = 100; left > 0; left--) { write("x".repeat(10_000)); await new Promise(setImmediate); }
      process.stderr.write(" done");`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.destroy();
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    const [stderr, code] = await Promise.all([text(child.stderr), ended]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/^(EPIPE)+ done$/) });
  });

  it("is a wrong command for a stack that is not there", async () => {
    const { code, stdout, stderr } = await run([join(import.meta.dirname, "main.ts"), "plan", "prod-openstak"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^cais: there is no Pulumi\.prod-openstak\.yaml; did you mean prod-openstack\? \(there is /);
  });

  it("draws a graph", async () => {
    const { code, stdout, stderr } = await runOn(join(fixtures, "empty"), "plan", ["test", "--graph"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toBe('flowchart LR\n  s0r0("empty-test<br/>pulumi:Stack")\n');
  });

  it("is a wrong command with two kinds of output", async () => {
    const { code, stdout, stderr } = await run([join(import.meta.dirname, "main.ts"), "plan", "--json", "--markdown"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^cais: option '--json' cannot be used with option '--markdown'\n/);
  });

  describe("against a commit", () => {
    let folder: string;
    const git = (...args: string[]) =>
      execFileSync("git", ["-c", "user.name=Ana", "-c", "user.email=ana@example.org", ...args], { cwd: folder });
    beforeAll(async () => {
      const tests = join(projectRoot, ".cais", "tests");
      await mkdir(tests, { recursive: true });
      folder = await mkdtemp(join(tests, "plan-against-"));
      await writeFile(
        join(folder, "Pulumi.yaml"),
        "name: made\nmain: main.ts\nruntime: { name: nodejs, options: { typescript: false } }\n",
      );
      await writeFile(join(folder, "Pulumi.test.yaml"), "");
      await writeFile(join(folder, "main.ts"), "export const size = 1;\n");
      git("init", "--quiet");
      git("add", "Pulumi.yaml", "Pulumi.test.yaml", "main.ts");
      git("-c", "commit.gpgSign=false", "commit", "--quiet", "--message=first");
      await writeFile(join(folder, "main.ts"), "export const size = 2;\n");
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    it("prints what changes", async () => {
      const { code, stdout, stderr } = await runOn(folder, "plan", ["--against", "HEAD"]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(/^What changes from HEAD \([0-9a-f]{12}\): what the programs ask for, /);
      expect(stdout.split("\n").slice(2)).toEqual([
        "test  1 changed",
        "",
        "  platform",
        "  ~ made-test  pulumi:pulumi:Stack",
        "      output size: 1 → 2",
        "",
        "",
      ]);
    });

    it("prints one object with --json", async () => {
      const { stdout } = await runOn(folder, "plan", ["test", "--against", "HEAD", "--json"]);
      const details = [{ of: "output", path: "size", before: 1, after: 2 }];
      expect(JSON.parse(stdout)).toEqual({
        against: { ref: "HEAD", commit: String(git("rev-parse", "HEAD")).trim() },
        stacks: [{ stack: "test", side: "both", changes: [expect.objectContaining({ kind: "changed", details })] }],
      });
    });
  });

  describe("stopped by Ctrl-C", () => {
    let folder: string;
    beforeAll(async () => {
      const tests = join(projectRoot, ".cais", "tests");
      await mkdir(tests, { recursive: true });
      folder = await mkdtemp(join(tests, "plan-"));
      await writeFile(
        join(folder, "Pulumi.yaml"),
        "name: slow\nmain: main.ts\nruntime: { name: nodejs, options: { typescript: false } }\n",
      );
      await writeFile(join(folder, "Pulumi.test.yaml"), "");
      await writeFile(
        join(folder, "main.ts"),
        `import { writeFileSync } from "node:fs";
        writeFileSync("pid", String(process.pid));
        await new Promise(() => setInterval(() => {}, 1000));`,
      );
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    afterEach(() => rm(join(folder, "pid")));

    const error = { code: "aborted", message: "the plan of test was stopped", location: null };
    it.each<["plan" | "check", string[], unknown]>([
      ["plan", [], ""],
      ["plan", ["--json"], { error }],
      ["check", [], ""],
    ])("ends the program, too: %s %s", async (command, args, stdout) => {
      const patience = { timeout: 20_000, interval: 20 };
      const started = vi.waitFor(async () => {
        const written = Number(await readFile(join(folder, "pid"), "utf8"));
        expect(written).toBeGreaterThan(0);
        return written;
      }, patience);
      const result = await runOn(folder, command, ["test", ...args], started);
      const pid = await started;
      expect({ ...result, stdout: result.stdout && JSON.parse(result.stdout) }).toEqual({
        code: 130,
        stdout,
        stderr: "\nInterrupted: the plan of test was stopped, with all that it had started.\n",
      });
      await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(/ESRCH/), patience);
    });
  });
});
