import { execFile, spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { stripVTControlCharacters } from "node:util";
import { parse, stringify } from "yaml";
import { z } from "zod";
import type { Json } from "../value.ts";

/** The version of the Pulumi CLI on PATH, such as `3.260.0`; undefined where there is none. */
export function cliVersion(): string | undefined {
  const { status, stdout } = spawnSync("pulumi", ["version"], { encoding: "utf8", env: environment("") });
  return status === 0 ? stdout.trim().replace(/^v/, "") : undefined;
}

/** A copy of a project that Pulumi's CLI may work in, with its state in a folder and nothing of the user's account. */
export interface Copy {
  /** The folder with Pulumi.yaml. */
  project: string;
  /** An existing folder. */
  state: string;
}

const StackFile = z
  .object({ config: z.record(z.string(), z.json()).nullish() })
  .loose()
  .nullable();

/**
 * Makes a stack of the copy. What is encrypted in its `Pulumi.<stack>.yaml` cannot be opened without its passphrase, so a
 * placeholder takes its place, encrypted anew.
 */
export async function initStack(copy: Copy, stack: string): Promise<void> {
  const file = path.join(copy.project, `Pulumi.${stack}.yaml`);
  const {
    encryptionsalt: _salt,
    secretsprovider: _provider,
    config,
    ...rest
  } = StackFile.parse(parse(await readFile(file, "utf8"))) ?? {};
  const secrets: string[] = [];
  const open = withoutSecrets(config ?? {}, secrets);
  await writeFile(file, stringify({ ...rest, config: open }));
  await pulumi(copy, ["stack", "init", stack]);
  for (const secret of secrets)
    await pulumi(copy, ["config", "set", "--secret", "--path", secret, "a-placeholder", "--stack", stack]);
}

/** Takes every `{ secure: … }` out of an object and adds its path to `paths`, as `--path` spells it. */
function withoutSecrets(object: { [key: string]: Json }, paths: string[], above = ""): { [key: string]: Json } {
  const open: [string, Json][] = [];
  for (const [key, item] of Object.entries(object)) {
    const at = above === "" ? key : `${above}.${key}`;
    if (isClosed(item)) paths.push(at);
    else open.push([key, isObject(item) ? withoutSecrets(item, paths, at) : item]);
  }
  return Object.fromEntries(open);
}

const isObject = (value: Json): value is { [key: string]: Json } =>
  value !== null && typeof value === "object" && !Array.isArray(value);

const isClosed = (value: Json): boolean => isObject(value) && typeof value["secure"] === "string";

/** `pulumi preview --json` of a stack. */
export async function previewJson(copy: Copy, stack: string): Promise<unknown> {
  return JSON.parse(await pulumi(copy, ["preview", "--json", "--stack", stack]));
}

/**
 * What `pulumi preview` says under `Policies:`, without the place of the pack; empty when no rule is broken. That a
 * mandatory one is broken is no error.
 */
export async function previewPolicies(copy: Copy, stack: string, policyPack: string): Promise<string> {
  const wanted = ["preview", "--suppress-progress", "--suppress-outputs", "--color", "never", "--stack", stack];
  const text = await pulumi(copy, [...wanted, "--policy-pack", policyPack], failedByPolicy);
  const [, policies = ""] = /^(Policies:\n(?:(?: .*)?\n)*)/m.exec(text) ?? [];
  return policies === "" ? "" : `${policies.trimEnd().replaceAll(/ \(local: .*\)$/gm, "")}\n`;
}

/** Whether a preview failed for a broken mandatory rule, and for nothing else. */
const failedByPolicy = (text: string): boolean =>
  / - \[mandatory\] /.test(text) && !/^ +error: (?!preview failed)/m.test(text);

/** Gives a stack outputs, as if it had been deployed, for others to refer to. */
export async function importOutputs(copy: Copy, stack: string, project: string, outputs: Json): Promise<void> {
  const type = "pulumi:pulumi:Stack";
  const urn = `urn:pulumi:${stack}::${project}::${type}::${project}-${stack}`;
  const manifest = { time: "2020-01-01T00:00:00Z", magic: "", version: "" };
  const deployment = { manifest, resources: [{ urn, type, custom: false, outputs }] };
  const file = path.join(copy.state, `${stack}.json`);
  await writeFile(file, JSON.stringify({ version: 3, deployment }));
  await pulumi(copy, ["stack", "import", "--file", file, "--stack", stack]);
}

/** Runs the CLI; the result is what it wrote. Throws with its errors when it fails, unless `isAnswer` takes it as an answer. */
function pulumi(copy: Copy, args: string[], isAnswer: (text: string) => boolean = () => false): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd: copy.project, env: environment(copy.state), maxBuffer: 64e6 };
    execFile("pulumi", [...args, "--non-interactive"], options, (cause, stdout, stderr) => {
      const text = stripVTControlCharacters(stdout);
      if (!cause || isAnswer(text)) resolve(text);
      else {
        const errors = [...text.split("\n"), ...stderr.split("\n")].filter((line) => line.includes("error: "));
        reject(new Error(`pulumi ${args.join(" ")} failed:\n${errors.join("\n")}`, { cause }));
      }
    });
  });
}

/** The CLI runs with the same Node as we do, and asks no service for anything. */
const environment = (state: string): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env["PATH"]}`,
  PULUMI_BACKEND_URL: `file://${state}`,
  PULUMI_CONFIG_PASSPHRASE: "not-a-secret",
  PULUMI_SKIP_UPDATE_CHECK: "true",
});
