import { readdir, readFile, realpath } from "node:fs/promises";
import { statSync } from "node:fs";
import path from "node:path";
import { knownKeys } from "@cais/spec/known-keys.ts";
import { suggest } from "@cais/spec/suggest.ts";
import { parse } from "yaml";
import { z } from "zod";
import { type Location, PlanError } from "./error.ts";
import { type Json, secretMark } from "./value.ts";

/** A Pulumi project and the config of one of its stacks. */
export interface Project {
  root: string;
  name: string;
  stack: string;
  organization: string;
  /** The folder that the program runs in, and the program's path from there. */
  folder: string;
  entry: string;
  nodeArguments: string[];
  /** By full key (`cais:target`); structured values are JSON text. */
  config: Map<string, string>;
  secretKeys: string[];
}

const ProjectFile = z.object({
  name: z.string().regex(/^[\w.-]+$/),
  main: z.string().optional(),
  runtime: z.union([
    z.string().transform((name) => ({ name, options: {} })),
    z.object({
      name: z.string(),
      options: z.object({ typescript: z.boolean().optional(), nodeargs: z.string().optional() }).default({}),
    }),
  ]),
  config: z.record(z.string(), z.json()).nullish(),
});

/** What the CLI keeps in a stack's file (https://www.pulumi.com/docs/iac/concepts/projects/stack-settings-file). */
const StackFile = z
  .strictObject({
    config: z.record(z.string(), z.json()).nullish(),
    environment: z.json().optional(),
    secretsprovider: z.string().optional(),
    encryptionsalt: z.string().optional(),
    encryptedkey: z.string().optional(),
  })
  .nullable();

/** The names of the stacks that have a `Pulumi.<stack>.yaml`, sorted. */
export async function stacksOf(root: string): Promise<string[]> {
  const files = await readdir(root).catch((cause: unknown) => {
    throw new PlanError("project-invalid", `cannot read the folder ${root}`, { cause });
  });
  return files.flatMap((file) => /^Pulumi\.(.+)\.yaml$/.exec(file)?.[1] ?? []).toSorted();
}

/**
 * Reads `Pulumi.yaml` and `Pulumi.<stack>.yaml` in a folder. Secrets stay closed: each `{ secure: … }` becomes
 * the text `[secret]`, and its top-level key a secret key. Below `<project>:secrets` all must be closed.
 */
export async function loadProject(folder: string, stack: string): Promise<Project> {
  // Node tells places in a program by real paths.
  const root = await realpath(folder).catch((cause: unknown) => {
    throw new PlanError("project-invalid", `there is no folder ${folder}`, { cause });
  });
  const file = await readYaml(path.join(root, "Pulumi.yaml"), ProjectFile);
  const { name: runtime, options } = file.runtime;
  if (runtime !== "nodejs")
    throw new PlanError("project-invalid", `Pulumi.yaml: runtime is ${runtime}; only nodejs can be planned`);
  if (!("typescript" in options) || options.typescript !== false)
    throw new PlanError(
      "project-invalid",
      "Pulumi.yaml: set runtime.options.typescript to false; Node runs TypeScript itself, and a plan runs the program as Node does",
    );

  const stacks = await stacksOf(root);
  if (!stacks.includes(stack)) throw unknownStack(stack, stacks);
  const settings = await readYaml(path.join(root, `Pulumi.${stack}.yaml`), StackFile);

  const config = new Map<string, string>();
  const secretKeys = new Set<string>();
  const set = (key: string, value: Json, isSecret = false) => {
    const { value: open, secret } = closeSecrets(value);
    config.set(key, typeof open === "string" ? open : JSON.stringify(open));
    if (secret || isSecret) secretKeys.add(key);
    else secretKeys.delete(key);
  };
  const required: string[] = [];
  for (const [key, declared] of Object.entries(file.config ?? {})) {
    const full = fullKey(file.name, key);
    const declaration = declarationOf(declared);
    refuseOpenSecrets({ file: "Pulumi.yaml", project: file.name, stack }, full, declaration.value);
    if (declaration.value === null) required.push(full);
    else set(full, declaration.value, declaration.secret);
  }
  for (const [key, value] of Object.entries(settings?.config ?? {}))
    if (value !== null) {
      const full = fullKey(file.name, key);
      refuseOpenSecrets({ file: `Pulumi.${stack}.yaml`, project: file.name, stack }, full, value);
      set(full, value);
    }

  for (const key of required) if (!config.has(key)) throw missingConfig(key, stack, false);
  return {
    root,
    name: file.name,
    stack,
    organization: "organization",
    ...programOf(root, file.main),
    nodeArguments: "nodeargs" in options ? (options.nodeargs?.split(/\s+/).filter(Boolean) ?? []) : [],
    config,
    secretKeys: [...secretKeys],
  };
}

/** The error for a key that the stack must set. */
export const missingConfig = (key: string, stack: string, secret: boolean, location?: Location): PlanError =>
  new PlanError(
    "config-missing",
    `Pulumi.${stack}.yaml lacks the config key ${key}: run \`pulumi config set ${secret ? "--secret " : ""}${key} <value> --stack ${stack}\``,
    { location },
  );

/** Keys without a namespace are the project's; `ns:config:name` is an old spelling of `ns:name`. */
function fullKey(project: string, key: string): string {
  if (!key.includes(":")) return `${project}:${key}`;
  return key.replace(/^([^:]+):config:/, "$1:");
}

const isObject = (value: Json): value is { [key: string]: Json } =>
  value !== null && typeof value === "object" && !Array.isArray(value);

/** `config:` of Pulumi.yaml holds values, or declarations with a type and perhaps a value or default. */
function declarationOf(declared: Json): { value: Json; secret: boolean } {
  if (!isObject(declared)) return { value: declared, secret: false };
  return { value: declared["value"] ?? declared["default"] ?? null, secret: declared["secret"] === true };
}

/** All below `<project>:secrets` is encrypted: a value that is not was committed for all to read. */
function refuseOpenSecrets(where: { file: string; project: string; stack: string }, key: string, value: Json): void {
  const { file, project, stack } = where;
  if (key !== `${project}:secrets` && !key.startsWith(`${project}:secrets.`)) return;
  const open = openPath(value, key);
  if (open !== undefined)
    throw new PlanError(
      "config-secret",
      `${file}: ${open} is in plain text, for all who see the file; run \`pulumi config set --secret --path '${open}' --stack ${stack}\` with a new value, since this one could be read`,
    );
}

/** The path, as `--path` spells it, of the first value that is not `{ secure: … }`. */
function openPath(value: Json, at: string): string | undefined {
  if (value === null || isClosed(value)) return undefined;
  const entries = Array.isArray(value)
    ? value.map((item, index) => [`${at}[${index}]`, item] as const)
    : isObject(value)
      ? Object.entries(value).map(
          ([key, item]) => [at + (/^[\w-]+$/.test(key) ? `.${key}` : `["${key}"]`), item] as const,
        )
      : undefined;
  if (!entries) return at;
  for (const [path, item] of entries) {
    const open = openPath(item, path);
    if (open !== undefined) return open;
  }
  return undefined;
}

const isClosed = (value: Json): boolean =>
  isObject(value) && Object.keys(value).length === 1 && typeof value["secure"] === "string";

function closeSecrets(value: Json): { value: Json; secret: boolean } {
  if (isClosed(value)) return { value: secretMark, secret: true };
  if (isObject(value)) {
    const entries = Object.entries(value).map(([key, item]) => [key, closeSecrets(item)] as const);
    return {
      value: Object.fromEntries(entries.map(([key, item]) => [key, item.value])),
      secret: entries.some(([, item]) => item.secret),
    };
  }
  if (!Array.isArray(value)) return { value, secret: false };
  const items = value.map(closeSecrets);
  return { value: items.map((item) => item.value), secret: items.some((item) => item.secret) };
}

function programOf(root: string, main: string | undefined): { folder: string; entry: string } {
  if (main === undefined) return { folder: root, entry: "." };
  const program = path.resolve(root, main);
  const stats = statSync(program, { throwIfNoEntry: false });
  if (!stats) throw new PlanError("project-invalid", `Pulumi.yaml: main names ${main}, which does not exist`);
  return stats.isDirectory()
    ? { folder: program, entry: "." }
    : { folder: path.dirname(program), entry: path.basename(program) };
}

/** The first line of the library's message, which goes on with the lines around the mistake. */
const sentenceOf = (cause: unknown) =>
  (cause instanceof Error ? cause.message : String(cause)).split("\n")[0]?.replace(/:$/, "");

async function readYaml<Schema extends z.ZodType>(file: string, schema: Schema): Promise<z.output<Schema>> {
  const name = path.basename(file);
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new PlanError("project-invalid", `cannot read ${file}; is this the root of a Pulumi project?`, { cause });
  });
  let content: unknown;
  try {
    content = parse(text);
  } catch (cause) {
    throw new PlanError("project-invalid", `${name} is not YAML: ${sentenceOf(cause)}`, { cause });
  }
  const result = schema.safeParse(content);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue?.code === "unrecognized_keys") {
    const [key = ""] = issue.keys;
    const known = knownKeys(schema, issue.path);
    const nearest = suggest(key, known);
    throw new PlanError(
      "project-invalid",
      `${name}: ${key} is not known${nearest ? `; did you mean ${nearest}?` : `: there is ${known.join(", ")}`}`,
      { cause: result.error },
    );
  }
  throw new PlanError("project-invalid", `${name}: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`, {
    cause: result.error,
  });
}

function unknownStack(stack: string, stacks: string[]): PlanError {
  const nearest = suggest(stack, stacks);
  const there = stacks.length === 0 ? "there is no stack yet" : `there is ${stacks.join(", ")}`;
  return new PlanError(
    "stack-unknown",
    `there is no Pulumi.${stack}.yaml${nearest ? `; did you mean ${nearest}?` : ""} (${there})`,
  );
}
