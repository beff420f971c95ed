import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { appendFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { Unavailable } from "./peer.ts";

const run = promisify(execFile);
/** Its answer is asked before a package starts its service: https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt */
const policy = "/usr/sbin/policy-rc.d";
const lists = "/var/lib/apt/lists";
const DAY = 86_400_000;
const settings = [
  "DPkg::Lock::Timeout=600",
  "Acquire::Retries=3",
  // Nothing here outlives a crash of the machine, and nobody reads the manuals.
  "Dpkg::Options::=--force-unsafe-io",
  "Dpkg::Options::=--force-confold",
  "Dpkg::Options::=--path-exclude=/usr/share/doc/*",
  "Dpkg::Options::=--path-exclude=/usr/share/man/*",
];
const options = ["-y", ...settings.flatMap((setting) => ["-o", setting])];

/**
 * Installs those of Debian's packages that are missing, and starts none of their services. What apt-get says is in the file
 * `log`. Throws `Unavailable` where they cannot be had.
 */
export async function installDebianPackages(packages: readonly string[], log: string): Promise<void> {
  const missing = await missingOf(packages);
  if (missing.length === 0) return;
  const names = missing.join(", ");
  if (process.getuid?.() !== 0) throw new Unavailable(`Debian's ${names} are not installed, and only root may do that`);
  // A policy that is there already is the machine's own.
  const mayStart = existsSync(policy) ? undefined : policy;
  if (mayStart) await writeFile(mayStart, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    await aptGetFresh(["install", "--no-install-recommends", ...missing], log);
  } catch (cause) {
    throw new Unavailable(`Debian's ${names} cannot be installed; see ${log}: ${reasonOf(cause)}`, { cause });
  } finally {
    if (mayStart) await rm(mayStart);
  }
}

/** Downloads one of Debian's packages into a folder and installs nothing. Throws `Unavailable` where it cannot be had. */
export async function downloadDebianPackage(name: string, folder: string, log: string): Promise<void> {
  try {
    // Else apt-get would drop root's rights, and could not write into a folder of root's.
    await aptGetFresh(["download", "-o", "APT::Sandbox::User=root", name], log, folder);
  } catch (cause) {
    throw new Unavailable(`Debian's ${name} cannot be downloaded; see ${log}: ${reasonOf(cause)}`, { cause });
  }
}

async function missingOf(packages: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (const name of packages) {
    try {
      const { stdout } = await run("dpkg-query", ["-W", "-f=${db:Status-Status}", name]);
      if (stdout !== "installed") missing.push(name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT")
        throw new Unavailable("this is no Debian: there is no dpkg-query", { cause: error });
      // dpkg-query ends with 1 when it does not know the package.
      missing.push(name);
    }
  }
  return missing;
}

async function areListsFresh(): Promise<boolean> {
  if (!(await readdir(lists)).some((name) => name.includes("Packages"))) return false;
  // apt-get keeps the mirror's time of each list, which may be old; the folder's own tells when it last asked.
  return Date.now() - (await stat(lists)).mtimeMs < DAY;
}

/** Runs apt-get with lists of today. */
async function aptGetFresh(arguments_: string[], log: string, cwd?: string): Promise<void> {
  if (!(await areListsFresh())) await aptGet(["update"], log);
  try {
    await aptGet(arguments_, log, cwd);
  } catch {
    // Mirrors drop what a list from yesterday still names; and a mirror may be away for a moment.
    await aptGet(["update"], log);
    await aptGet(arguments_, log, cwd);
  }
}

async function aptGet(arguments_: string[], log: string, cwd?: string): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const limits = { env, ...(cwd !== undefined && { cwd }), maxBuffer: 64 * 1024 * 1024, timeout: 15 * 60_000 };
  try {
    const { stdout, stderr } = await run("apt-get", [...options, ...arguments_], limits);
    await appendFile(log, stdout + stderr);
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    await appendFile(log, stdout + stderr);
    throw error;
  }
}

/** The last thing that apt-get complained of. */
function reasonOf(error: unknown): string {
  const { stderr = "", message } = error as { stderr?: string; message: string };
  return stderr.trim().split("\n").at(-1) || message;
}
