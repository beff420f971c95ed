import { LineageBinding } from "@cais/spec/bindings.ts";
import { knownKeys } from "@cais/spec/known-keys.ts";
import { environments, platformName, TagValue } from "@cais/spec/names.ts";
import { suggest } from "@cais/spec/suggest.ts";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { PolicySettings } from "../policies/settings.ts";

const Cidr = z.union([z.cidrv4(), z.cidrv6()], "must be a range such as 10.0.0.0/8");

const Network = z.strictObject({
  cidr: z.cidrv4().optional(),
  dnsServers: z.array(z.ipv4()).optional(),
  external: z.strictObject({ id: z.string().min(1), name: z.string().min(1) }).optional(),
});

const Cluster = z.strictObject({
  kind: z.enum(["vm"]),
  machine: z.string().min(1),
  image: z.string().min(1),
  stateGB: z.number().int().positive().optional(),
  stateDiskType: z.string().min(1).optional(),
  publicAddress: z.boolean().optional(),
});

const Api = z.strictObject({
  port: z.number().int().min(1024).max(65_535).optional(),
  allowFrom: z.array(Cidr).optional(),
});

const Limits = z.strictObject({
  memoryBytes: z.number().int().min(512e6),
  cpus: z.number().positive(),
  tempBytes: z.number().int().positive(),
});

/** What an environment is given under `cais:`. The docs of its target say what each key does. */
function settingsOf(stacks: string[]) {
  const parts: [string, ...string[]] = [platformName, ...stacks];
  return z.strictObject({
    target: z.string().optional().describe("Read by components/target.ts."),
    allowDataDeletion: z.boolean().optional().describe("Read by components/target.ts."),
    environment: z.enum(environments),
    owner: TagValue,
    costCentre: TagValue.optional(),
    image: z.string().min(1).optional(),
    policies: PolicySettings.optional().describe("Read by the policy pack."),
    deletable: z.array(z.enum(parts)).default([]),
    secrets: z
      .strictObject(Object.fromEntries(parts.map((part) => [part, z.record(z.string(), z.literal(true))])))
      .partial()
      .optional(),
    platform: z
      .strictObject({
        network: Network.optional(),
        cluster: Cluster.optional(),
        api: Api.optional(),
        limits: Limits.optional(),
        allowPrivate: z.array(Cidr).optional(),
        lineage: LineageBinding.optional(),
      })
      .prefault({}),
  });
}
type Schema = ReturnType<typeof settingsOf>;
export type Settings = z.output<Schema>;

/** Keys whose value is a text: what looks like a number or JSON stays as it is written. */
const texts = new Set(["target", "environment", "owner", "costCentre", "image"]);

/**
 * Reads a stack's config (full keys, texts) and leaves the other namespaces alone. Throws one `RunError` that names every
 * wrong key, what is there, what is expected and the command that sets it. `stacks` are all there are, in any environment:
 * a protection or a secret of one that is not there is a slip of the pen.
 */
export function readSettings(config: Record<string, string>, stacks: string[]): Settings {
  const given: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(config)) {
    const [namespace, name] = [key.slice(0, key.indexOf(":")), key.slice(key.indexOf(":") + 1)];
    if (namespace === "cais")
      given[name] = texts.has(name) ? value : name === "secrets" ? withoutValues(parsed(value)) : parsed(value);
  }
  const schema = settingsOf(stacks);
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) => problemsOf(issue, given, schema));
  throw new pulumi.RunError(
    `The stack's config is not right:\n${problems.map((problem) => `  ${problem}`).join("\n")}`,
    {
      cause: result.error,
    },
  );
}

function parsed(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch (error) {
    // Only structured values are JSON: what is not is a text, and the schema says whether a text will do.
    if (error instanceof SyntaxError) return value;
    throw error;
  }
}

/** Which secrets are set. Each is checked where it is used: here they may be placeholders, and no message may tell one. */
const withoutValues = (secrets: unknown) =>
  Object.fromEntries(Object.entries(keysOf(secrets)).map(([part, names]) => [part, toTrue(keysOf(names))]));
const keysOf = (value: unknown): Record<string, unknown> => z.looseObject({}).catch({}).parse(value);
const toTrue = (names: Record<string, unknown>) => Object.fromEntries(Object.keys(names).map((name) => [name, true]));

function problemsOf(issue: z.core.$ZodIssue, given: unknown, schema: Schema): string[] {
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      const known = knownKeys(schema, issue.path);
      const meant = suggest(key, known);
      return `${nameOf(path)} is not known${meant ? `; did you mean ${meant}?` : `: there is ${known.join(", ")}.`} Remove it with: ${command("rm", path)}`;
    });
  const found = valueAt(given, issue.path);
  const expected = issue.message.replace(/^Invalid input: /, "").replace(/, received \w+$/, "");
  const meant =
    issue.code === "invalid_value" && typeof found === "string" ? suggest(found, issue.values.map(String)) : undefined;
  return [
    `${nameOf(issue.path)} is ${found === undefined ? "missing" : JSON.stringify(found)}; ${expected}${meant ? `; did you mean ${meant}?` : "."} Set it with: ${command("set", issue.path)} <value>`,
  ];
}

/** As Pulumi's `--path` spells it. */
const nameOf = (path: readonly PropertyKey[]) =>
  path.reduce<string>(
    (name, part, i) => name + (typeof part === "number" ? `[${part}]` : `${i === 0 ? "" : "."}${String(part)}`),
    "cais:",
  );

const command = (verb: string, path: readonly PropertyKey[]) =>
  path.length > 1 ? `pulumi config ${verb} --path '${nameOf(path)}'` : `pulumi config ${verb} ${nameOf(path)}`;

const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (inner, part) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, part) : undefined),
    value,
  );
