import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { checkOut } from "./against-checkout.ts";
import { type Pair, planAgainst } from "./against-plans.ts";

const tests = path.join(import.meta.dirname, "..", ".cais", "tests");
const runtime = "runtime: { name: nodejs, options: { typescript: false } }";
const lockfile = (version: string) => ({
  packages: {
    "": {},
    "node_modules/@made/words": { resolved: "words", link: true },
    "node_modules/zod": { version, integrity: `sha512-${version}` },
    "node_modules/vitest": { version, dev: true },
    words: {},
  },
});

/** A repository; the project is in its folder `infra`, with a package of its own. */
let repository: string;
let root: string;

const git = (...args: string[]) => {
  const settings = ["user.name=Ana", "user.email=ana@example.org", "commit.gpgSign=false"].flatMap((one) => [
    "-c",
    one,
  ]);
  return execFileSync("git", [...settings, ...args], { cwd: repository, encoding: "utf8" }).trim();
};

/** Writes files, by their paths in the project; null removes one. */
async function write(files: Record<string, string | null>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(root, name);
    await mkdir(path.dirname(file), { recursive: true });
    if (text === null) await rm(file);
    else await writeFile(file, text);
  }
}

const lists = async () => (await readdir(path.join(root, ".cais", "against"))).toSorted();

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.unreachable("it did not fail"),
    ({ code, message }: { code: string; message: string }) => ({ code, message }),
  );
}

beforeAll(async () => {
  await mkdir(tests, { recursive: true });
  repository = await mkdtemp(path.join(tests, "against-"));
  root = path.join(repository, "infra");
  await write({
    ".gitignore": "node_modules/\n.cais/\n",
    "Pulumi.yaml": `name: made\nmain: main.ts\n${runtime}\n`,
    "Pulumi.same.yaml": "",
    "Pulumi.gone.yaml": "",
    "main.ts": `export { word } from "@made/words/index.ts";\nexport const here = import.meta.dirname;\n`,
    "words/index.ts": `export const word = "old";\n`,
    "package-lock.json": JSON.stringify(lockfile("1.0.0")),
  });
  await mkdir(path.join(root, "node_modules", "@made"), { recursive: true });
  await symlink("../../words", path.join(root, "node_modules", "@made", "words"));
  git("init", "--quiet", "--initial-branch=main");
  git("add", ".");
  git("commit", "--quiet", "--message=first");
});
afterAll(() => rm(repository, { recursive: true, force: true }));

describe("stacks as they were at a commit", () => {
  it("are planned with what was committed then, beside what is not committed yet", async () => {
    await write({
      "words/index.ts": `export const word = "new";\n`,
      "Pulumi.gone.yaml": null,
      "Pulumi.new.yaml": "",
      "package-lock.json": JSON.stringify({ ...lockfile("1.0.0"), version: "2.0.0" }),
    });
    const status = git("status", "--porcelain");
    const commit = git("rev-parse", "main");
    const pairs: Pair[] = [];
    for await (const pair of planAgainst({ root, ref: "main" })) pairs.push(pair);
    expect(
      pairs.map(({ before, after, ...pair }) => ({ ...pair, before: before?.outputs, after: after?.outputs })),
    ).toEqual([
      { stack: "gone", commit, before: { word: "old", here: root }, after: undefined },
      { stack: "new", commit, before: undefined, after: { word: "new", here: root } },
      { stack: "same", commit, before: { word: "old", here: root }, after: { word: "new", here: root } },
    ]);
    expect(git("status", "--porcelain")).toBe(status);
    expect(await lists()).toEqual([]);
  });

  it("fail with the commit's name when the program of then does", async () => {
    await write({ "words/index.ts": `throw new Error("not yet");\nexport const word = 1;\n` });
    git("commit", "--quiet", "--all", "--message=broken");
    await write({ "words/index.ts": `export const word = "new";\n` });
    const pairs = planAgainst({ root, ref: "main", stacks: ["same"] });
    expect(await failure(pairs.next())).toEqual({
      code: "program-failed",
      message: "at main, words/index.ts:1: the program failed: not yet",
    });
    expect(await lists()).toEqual([]);
  });
});

describe("a checkout", () => {
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(path.join(root, ".cais"), { recursive: true, force: true });
  });

  it("is refused where git knows no such commit, and where there is no git", async () => {
    expect(await failure(checkOut(root, "--help"))).toEqual({
      code: "revision-unknown",
      message:
        "git knows no commit --help; `git log --all` lists what there is; what is only on a server has to be fetched first: `git fetch`",
    });
    const outside = await mkdtemp(path.join(tests, "outside-"));
    vi.stubEnv("GIT_CEILING_DIRECTORIES", tests);
    try {
      expect(await failure(checkOut(outside, "main"))).toEqual({
        code: "revision-unknown",
        message: `${outside} is in no git repository, so there is no main to compare with; run the command in a clone`,
      });
    } finally {
      await rm(outside, { recursive: true });
    }
    vi.stubEnv("PATH", "");
    expect(await failure(checkOut(root, "main"))).toEqual({
      code: "git-failed",
      message: "there is no git on the PATH; install it",
    });
  });

  it("wants its packages installed where they are others, and keeps them", async () => {
    const commit = git("rev-parse", "main");
    await write({ "package-lock.json": JSON.stringify(lockfile("1.1.0")) });
    const folder = path.join(root, ".cais", "against", commit);
    const installed = path.join(folder, "infra");
    expect(await failure(checkOut(root, "main"))).toEqual({
      code: "packages-missing",
      message: `main uses other packages (zod 1.0.0 there, 1.1.0 here): run \`npm ci --prefix ${path.relative(process.cwd(), installed)}\` once, then this command again; they stay there until you remove the folder`,
    });
    expect(await lists()).toEqual([commit]);

    // What npm writes at the end of an installation.
    await write({ [`.cais/against/${commit}/infra/node_modules/.package-lock.json`]: "{}" });
    await write({ [`.cais/against/${commit}/infra/main.ts`]: "changed by hand" });
    const checkout = await checkOut(root, "main");
    expect(checkout).toMatchObject({ commit, root: installed });
    expect(await readFile(path.join(installed, "main.ts"), "utf8")).toContain("@made/words");
    await checkout.close();
    expect(await lists()).toEqual([commit]);
  });

  it("takes over what a process left that has ended, and leaves alone what another one uses", async () => {
    const commit = git("rev-parse", "main");
    await write({ "package-lock.json": JSON.stringify(lockfile("1.0.0")) });
    await write({ [`.cais/against/${commit}.pid`]: "999999999", [`.cais/against/${commit}/left.ts`]: "" });
    // As a hook has it.
    vi.stubEnv("GIT_DIR", ".git");
    const first = await checkOut(root, "main");
    vi.unstubAllEnvs();
    expect(first.root).toBe(path.join(root, ".cais", "against", commit, "infra"));
    expect(existsSync(path.join(root, ".cais", "against", commit, "left.ts"))).toBe(false);
    const second = await checkOut(root, "main");
    expect(second.root).toBe(path.join(root, ".cais", "against", `${commit}.${process.pid}`, "infra"));
    await first.close();
    await second.close();
    expect(await lists()).toEqual([]);
  });

  it("goes with the process that made it, when that ends before it is closed", async () => {
    await write({ "package-lock.json": JSON.stringify(lockfile("1.0.0")) });
    const script = `const { checkOut } = await import(${JSON.stringify(path.join(import.meta.dirname, "against-checkout.ts"))});
      const { root } = await checkOut(${JSON.stringify(root)}, "main");
      console.log((await import("node:fs")).existsSync(root));
      process.exit();`;
    const told = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
    expect(told).toBe("true\n");
    expect(await lists()).toEqual([]);
  });
});
