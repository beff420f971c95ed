import { execFile } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { mkdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { usePackages } from "./against-packages.ts";
import { PlanError } from "./error.ts";

/** The project as it was at a commit, in a folder of its own, its packages at hand. */
export interface Checkout {
  commit: string;
  /** Where Pulumi.yaml is, if there was one. */
  root: string;
  /** Removes it, unless packages were installed in it. */
  close(): Promise<void>;
}

/**
 * Checks out what the project in the folder `root` was at `ref` into `.cais/against/<commit>`, and leaves alone index,
 * working tree and what is uncommitted in it.
 * @throws PlanError when there is no such commit, or its packages have to be installed first
 */
export async function checkOut(root: string, ref: string, signal?: AbortSignal): Promise<Checkout> {
  const here = await realpath(root);
  const repository = await repositoryOf(here, ref, signal);
  const commit = await commitOf(here, ref, signal);
  const against = path.join(here, ".cais", "against");
  await mkdir(against, { recursive: true });
  const { folder, lock } = await claim(path.join(against, commit));
  const project = path.relative(repository, here);
  const isInstalled = hasPackages(folder, project);
  const index = `${folder}.index`;
  // The process may end before it is closed: a pager that has seen enough ends us amid the next plan.
  const leave = () => {
    for (const left of isInstalled ? [index, lock] : [folder, index, lock])
      rmSync(left, { recursive: true, force: true });
  };
  process.once("exit", leave);
  const release = async () => {
    process.off("exit", leave);
    await rm(lock, { force: true });
  };
  const remove = async () => {
    await rm(folder, { recursive: true, force: true });
    await release();
  };
  try {
    const environment = { GIT_INDEX_FILE: index };
    try {
      await git(repository, ["read-tree", commit], { signal, environment });
      // What was installed in it stays, so that it need not be installed again.
      if (!isInstalled) await rm(folder, { recursive: true, force: true });
      await git(repository, ["checkout-index", "--all", "--force", `--prefix=${folder}/`], { signal, environment });
    } finally {
      await rm(index, { force: true });
    }
  } catch (error) {
    await remove();
    throw error;
  }
  const close = isInstalled ? release : remove;
  try {
    if (!isInstalled) await usePackages({ ref, repository, project, folder });
  } catch (error) {
    // What has to be installed is installed in this folder.
    if (error instanceof PlanError && error.code === "packages-missing") await release();
    else await remove();
    throw error;
  }
  return { commit, root: path.join(folder, project), close };
}

async function repositoryOf(folder: string, ref: string, signal: AbortSignal | undefined): Promise<string> {
  try {
    return await realpath(await git(folder, ["rev-parse", "--show-toplevel"], { signal }));
  } catch (error) {
    if (error instanceof PlanError && error.message.includes("not a git repository"))
      throw new PlanError(
        "revision-unknown",
        `${folder} is in no git repository, so there is no ${ref} to compare with; run the command in a clone`,
        { cause: error },
      );
    throw error;
  }
}

async function commitOf(folder: string, ref: string, signal: AbortSignal | undefined): Promise<string> {
  try {
    return await git(folder, ["rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`], { signal });
  } catch (cause) {
    if (!(cause instanceof PlanError) || cause.code === "aborted") throw cause;
    const isShallow = (await git(folder, ["rev-parse", "--is-shallow-repository"], { signal })) === "true";
    const hint = isShallow
      ? "this clone has not the whole history: fetch it with `git fetch --unshallow`"
      : "`git log --all` lists what there is; what is only on a server has to be fetched first: `git fetch`";
    throw new PlanError("revision-unknown", `git knows no commit ${ref}; ${hint}`, { cause });
  }
}

/**
 * Takes a folder for this process alone. Its name is the same each time, unless another process has it now: what Node
 * keeps of compiled modules it keeps by their path. What a process left that was killed is taken over.
 */
async function claim(wanted: string): Promise<{ folder: string; lock: string }> {
  for (const folder of [wanted, `${wanted}.${process.pid}`]) {
    const lock = `${folder}.pid`;
    const isOurs = await writeFile(lock, String(process.pid), { flag: "wx" }).then(
      () => true,
      async (error: NodeJS.ErrnoException) => {
        if (error.code !== "EEXIST") throw error;
        if (isRunning(Number(await readFile(lock, "utf8")))) return false;
        await writeFile(lock, String(process.pid));
        return true;
      },
    );
    if (isOurs) return { folder, lock };
  }
  throw new PlanError("aborted", `${wanted} is in use by this very process; compare with one commit at a time`);
}

function isRunning(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs and is another user's.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** Whether npm has installed packages for the project, in its folder or one above it: it writes this file last. */
function hasPackages(folder: string, project: string): boolean {
  const places = project.split(path.sep).map((_, at, steps) => steps.slice(0, at + 1).join(path.sep));
  return ["", ...places].some((place) => existsSync(path.join(folder, place, "node_modules", ".package-lock.json")));
}

const run = promisify(execFile);

async function git(
  folder: string,
  args: string[],
  { signal, environment = {} }: { signal: AbortSignal | undefined; environment?: Record<string, string> },
): Promise<string> {
  try {
    const { stdout } = await run("git", args, {
      cwd: folder,
      // Messages are looked at. A hook is told where its repository is, from the folder that it runs in; git finds it.
      env: { ...process.env, GIT_DIR: undefined, GIT_WORK_TREE: undefined, LC_ALL: "C", ...environment },
      ...(signal ? { signal } : {}),
    });
    return stdout.trim();
  } catch (cause) {
    if (signal?.aborted) throw new PlanError("aborted", "the checkout was stopped", { cause });
    const missing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    const told = cause instanceof Error && "stderr" in cause ? String(cause.stderr).trim().split("\n")[0] : undefined;
    throw new PlanError(
      "git-failed",
      missing ? "there is no git on the PATH; install it" : `git ${args[0]} failed: ${told || String(cause)}`,
      { cause },
    );
  }
}
