import { existsSync } from "node:fs";
import { mkdir, readFile, symlink } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { PlanError } from "./error.ts";

// https://docs.npmjs.com/cli/v11/configuring-npm/package-lock-json, versions 2 and 3
const Lockfile = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      integrity: z.string().optional(),
      resolved: z.string().optional(),
      link: z.boolean().optional(),
      dev: z.boolean().optional(),
    }),
  ),
});

interface Packages {
  /** By their places (`node_modules/zod`), what tells one from another. Those for development alone are left out. */
  installed: Map<string, { version: string; integrity: string }>;
  /** The project's own packages, by their places, with their folders. */
  own: Map<string, string>;
}

/**
 * Lets the program in `folder`, a checkout below the project, use the packages that are installed for the project: Node
 * finds those of a folder above by itself, but the project's own packages must be the checkout's, not today's.
 * @throws PlanError `packages-missing` when the lockfiles ask for different packages
 */
export async function usePackages(checkout: {
  ref: string;
  repository: string;
  /** The project's folder from the repository's on. */
  project: string;
  folder: string;
}): Promise<void> {
  const { ref, repository, project, folder } = checkout;
  const at = lockfileFolder([repository, folder], project);
  if (at === undefined) return;
  const now = await readLockfile(path.join(repository, at));
  const then = await readLockfile(path.join(folder, at));
  const different = [...new Set([...now.installed.keys(), ...then.installed.keys()])].filter(
    (place) => now.installed.get(place)?.integrity !== then.installed.get(place)?.integrity,
  );
  if (different.length > 0) {
    const [first = "", ...others] = different;
    const side = ({ installed }: Packages) => installed.get(first)?.version ?? "none";
    const name = first.replace(/^.*node_modules\//, "");
    const more = others.length > 0 ? ` and ${others.length} more` : "";
    throw new PlanError(
      "packages-missing",
      `${ref} uses other packages (${name} ${side(then)} there, ${side(now)} here${more}): run \`npm ci --prefix ${path.relative(process.cwd(), path.join(folder, at)) || "."}\` once, then this command again; they stay there until you remove the folder`,
    );
  }
  for (const [place, own] of then.own) await link(path.join(folder, at, place), path.join(folder, at, own));
  for (const workspace of new Set(then.own.values())) {
    const packages = path.join(repository, at, workspace, "node_modules");
    if (existsSync(packages)) await link(path.join(folder, at, workspace, "node_modules"), packages);
  }
}

/** The folder of package-lock.json, from the project's upward, as a path from the repository's. */
function lockfileFolder(repositories: string[], project: string): string | undefined {
  for (let folder = project; ; folder = path.dirname(folder)) {
    if (repositories.some((repository) => existsSync(path.join(repository, folder, "package-lock.json"))))
      return folder;
    if (folder === "" || folder === ".") return undefined;
  }
}

async function readLockfile(folder: string): Promise<Packages> {
  const file = path.join(folder, "package-lock.json");
  const packages: Packages = { installed: new Map(), own: new Map() };
  if (!existsSync(file)) return packages;
  let content: unknown;
  try {
    content = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new PlanError("project-invalid", `${file} is not JSON: ${cause.message}`, { cause });
  }
  const { data, error } = Lockfile.safeParse(content);
  if (error)
    throw new PlanError("project-invalid", `${file} has no \`packages\`: write it anew with npm 7 or newer`, {
      cause: error,
    });
  for (const [place, { version = "", integrity = version, resolved = "", link, dev }] of Object.entries(data.packages))
    if (link) packages.own.set(place, resolved);
    else if (!dev && /(^|\/)node_modules\//.test(place)) packages.installed.set(place, { version, integrity });
  return packages;
}

async function link(place: string, folder: string): Promise<void> {
  await mkdir(path.dirname(place), { recursive: true });
  // Windows lets everyone make a junction, but not a symbolic link.
  await symlink(folder, place, "junction");
}
