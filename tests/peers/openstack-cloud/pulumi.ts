import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { stripVTControlCharacters } from "node:util";
import { parse, stringify } from "yaml";
import { z } from "zod";

const root = path.join(import.meta.dirname, "..", "..", "..");

/** A copy of the project that Pulumi's CLI deploys from, with its state in a folder and nothing of the user's account. */
export interface Copy {
  project: string;
  env: NodeJS.ProcessEnv;
}

const StackFile = z.looseObject({ config: z.record(z.string(), z.json()) });
export type Config = z.output<typeof StackFile>["config"];

const Deployment = z.object({
  deployment: z.object({
    // Absent where nothing was deployed yet, and where all of it is gone.
    resources: z
      .array(
        z.object({
          urn: z.string(),
          type: z.string(),
          id: z.string().optional(),
          inputs: z.record(z.string(), z.unknown()).default({}),
        }),
      )
      .default([]),
  }),
});
/** What Pulumi's state holds of a resource; its secrets are in the open. */
export type Resource = z.output<typeof Deployment>["deployment"]["resources"][number];

/** Copies the project into a new folder; `cloud` is the name of who deploys in the `clouds.yaml` of the environment. */
export async function copyProject(cloud: string): Promise<Copy> {
  const folder = path.join(root, ".cais", "peers");
  await mkdir(folder, { recursive: true });
  const project = await mkdtemp(path.join(folder, "deploy-"));
  await mkdir(path.join(project, "state"));
  await symlink(path.join(root, "programs"), path.join(project, "programs"));
  await cp(path.join(root, "Pulumi.yaml"), path.join(project, "Pulumi.yaml"));
  const env = {
    ...process.env,
    PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env["PATH"]}`,
    PULUMI_BACKEND_URL: `file://${path.join(project, "state")}`,
    PULUMI_CONFIG_PASSPHRASE: "not-a-secret",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    OS_CLOUD: cloud,
  };
  return { project, env };
}

/** Makes a stack with the config of the project's own `Pulumi.<stack>.yaml`, changed; secrets are set anew. */
export async function makeStack(
  copy: Copy,
  stack: string,
  change: (config: Config) => Config,
  secrets: Record<string, string> = {},
): Promise<void> {
  const { config } = StackFile.parse(parse(await readFile(path.join(root, `Pulumi.${stack}.yaml`), "utf8")));
  const { "cais:secrets": _, ...open } = config;
  await writeFile(path.join(copy.project, `Pulumi.${stack}.yaml`), stringify({ config: change(open) }));
  await pulumi(copy, ["stack", "init", stack]);
  for (const [key, value] of Object.entries(secrets))
    await pulumi(copy, ["config", "set", "--secret", "--path", key, value, "--stack", stack]);
}

/** Deploys a stack. What it tells is the result. */
export const up = (copy: Copy, stack: string): Promise<string> =>
  pulumi(copy, ["up", "--yes", "--skip-preview", "--suppress-outputs", "--stack", stack]);

/** Sets a value of a stack's config. */
export const set = (copy: Copy, stack: string, key: string, value: string): Promise<string> =>
  pulumi(copy, ["config", "set", "--path", key, value, "--stack", stack]);

/** Reads the cloud anew and fails when it, or the program, is not as the state says. */
export const expectNoChanges = (copy: Copy, stack: string): Promise<string> =>
  pulumi(copy, ["preview", "--refresh", "--expect-no-changes", "--suppress-outputs", "--stack", stack]);

/** Deletes all that a stack has, or one resource of it. Without its preview it would delete what it may before it refuses the rest. */
export const destroy = (copy: Copy, stack: string, urn?: string): Promise<string> => {
  const target = urn === undefined ? [] : ["--target", urn];
  return pulumi(copy, ["destroy", "--yes", "--suppress-outputs", "--stack", stack, ...target]);
};

/** What a stack has. */
export async function resourcesOf(copy: Copy, stack: string): Promise<Resource[]> {
  const state = await pulumi(copy, ["stack", "export", "--show-secrets", "--stack", stack]);
  return Deployment.parse(JSON.parse(state)).deployment.resources;
}

/** Runs the CLI. Throws with what it told when it fails. */
export function pulumi({ project, env }: Copy, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd: project, env, maxBuffer: 64e6 };
    execFile("pulumi", [...args, "--non-interactive", "--color", "never"], options, (cause, stdout, stderr) => {
      const text = stripVTControlCharacters(stdout);
      if (!cause) return resolve(text);
      const told = `${text}\n${stderr}`.split("\n").filter((line) => /error|violat|\* /i.test(line));
      reject(new Error(`pulumi ${args.join(" ")} failed:\n${told.join("\n")}`, { cause }));
    });
  });
}
