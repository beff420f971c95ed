import { environments, targets } from "@cais/spec/names.ts";
import { knownKeys } from "@cais/spec/known-keys.ts";
import type { Stack } from "@cais/spec/stack.ts";
import { suggest } from "@cais/spec/suggest.ts";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { clusterKinds } from "../components/cluster/chosen.ts";
import type { BuiltTarget } from "../components/target.ts";
import {
  apiPort,
  balancerPort,
  holdsAll,
  isolatedKeys,
  type IsolatedSettings,
  opened,
  type Settings,
  sharedKeys,
} from "./keys.ts";

/** Keys whose value is a text: what looks like a number or JSON stays as it is written. */
const texts = new Set(["target", "environment", "owner", "costCentre", "image"]);

/** Where a config is from. */
interface Place {
  pulumiStack: string;
  target: BuiltTarget;
  /** All there are, in any environment: a protection or a secret of one that is not there is a slip of the pen. */
  stacks: Pick<Stack, "name" | "isolated">[];
}

/**
 * Reads a shared stack's config (full keys, texts) and leaves the other namespaces alone. Throws one `RunError` that names
 * every wrong key, what is there, what is expected and the command that sets it.
 */
export function readSettings(config: Record<string, string>, { stacks, pulumiStack, target }: Place): Settings {
  const schema = sharedKeys(stacks.map(({ name }) => name));
  const given = givenIn(config);
  const settings = read(schema, given, () => "");
  const apart = holdsAll(settings.environment, target)
    ? []
    : stacks.filter(({ isolated }) => isolated).map(({ name }) => name);
  refuse([
    ...misnamed(pulumiStack, { environment: settings.environment, target }),
    ...misplaced(settings, apart, pulumiStack),
    ...wrongPorts(settings, apart),
  ]);
  return settings;
}

/** Reads the config of the Pulumi stack of an isolated pipeline stack, with the same errors. */
export function readIsolatedSettings(config: Record<string, string>, name: string): IsolatedSettings {
  const shared = sharedKeys([name]);
  return read(isolatedKeys(name), givenIn(config), (path, key) =>
    knownKeys(shared, path).includes(key) ? " in an isolated stack: it is the shared one's." : "",
  );
}

/**
 * What a name such as `<environment>-<target>` says and the config denies: most likely the file is a copy of another
 * environment's, and would deploy that one a second time.
 */
function misnamed(pulumiStack: string, given: { environment: string; target: string }): string[] {
  const parts = pulumiStack.split("-");
  const named = {
    environment: environments.find((name) => name === parts[0]),
    target: targets.find((name) => name === parts.at(-1)),
  };
  return (["environment", "target"] as const).flatMap((key) =>
    named[key] === undefined || named[key] === given[key]
      ? []
      : `${nameOf([key])} is ${given[key]}, and the Pulumi stack is named ${pulumiStack}. Set it with: ${command("set", [key])} ${named[key]}`,
  );
}

/** What is said here of a pipeline stack that has a Pulumi stack of its own. */
function misplaced(
  { deletable, secrets = {}, databases = {} }: Settings,
  apart: string[],
  pulumiStack: string,
): string[] {
  const elsewhere = (name: string, path: PropertyKey[]) =>
    `${nameOf(path)} is of ${name}, which is isolated; set it with --stack ${pulumiStack}.${name}. Remove it here with: ${command("rm", path)}`;
  return [
    ...deletable.flatMap((name, index) => (apart.includes(name) ? elsewhere(name, ["deletable", index]) : [])),
    ...apart.filter((name) => name in secrets).map((name) => elsewhere(name, ["secrets", name])),
    ...apart.filter((name) => name in databases).map((name) => elsewhere(name, ["databases", name])),
  ];
}

/** Ports of the one machine that are given twice, or to a stack without a processor of its own. */
function wrongPorts(settings: Settings, apart: string[]): string[] {
  const { port = apiPort, loadBalancer } = settings.platform.api ?? {};
  // Each pod has an address of its own.
  const isOneMachine = settings.platform.cluster?.kind !== clusterKinds.pods;
  const taken = new Map([[port, "the shared processor has already on the same machine"]]);
  if (loadBalancer)
    taken.set(loadBalancer.port ?? balancerPort, "the load balancer has already for the shared processor");
  return Object.entries(opened(settings)).flatMap(([name, { port }]) => {
    const path = `cais:platform.isolated.${name}`;
    if (!apart.includes(name))
      return `${path} is of a stack that is not isolated here, so its API is the shared one's. Remove it with: ${command("rm", ["platform", "isolated", name])}`;
    const other = isOneMachine ? taken.get(port) : undefined;
    taken.set(port, `${name} has already on the same machine`);
    if (other === undefined) return [];
    return `${path}.port is ${port}, which ${other}. Set it with: ${command("set", ["platform", "isolated", name, "port"])} <value>`;
  });
}

function givenIn(config: Record<string, string>): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(config)) {
    const [namespace, name] = [key.slice(0, key.indexOf(":")), key.slice(key.indexOf(":") + 1)];
    if (namespace === "cais")
      given[name] = texts.has(name) ? value : name === "secrets" ? withoutValues(parsed(value)) : parsed(value);
  }
  return given;
}

/** `whyNot` ends the sentence about a key that is not known, where there is more to say than that. */
type WhyNot = (path: readonly PropertyKey[], key: string) => string;

function read<Schema extends z.ZodType>(schema: Schema, given: unknown, whyNot: WhyNot): z.output<Schema> {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  throw told(
    result.error.issues.flatMap((issue) => problemsOf(issue, given, schema, whyNot)),
    result.error,
  );
}

function refuse(problems: string[]): void {
  if (problems.length > 0) throw told(problems);
}

const told = (problems: string[], cause?: Error) =>
  new pulumi.RunError(`The stack's config is not right:\n${problems.map((problem) => `  ${problem}`).join("\n")}`, {
    cause,
  });

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

function problemsOf(issue: z.core.$ZodIssue, given: unknown, schema: z.ZodType, whyNot: WhyNot): string[] {
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      const known = knownKeys(schema, issue.path, given);
      const meant = suggest(key, known);
      const there = meant ? `; did you mean ${meant}?` : `: there is ${known.join(", ")}.`;
      return `${nameOf(path)} is not known${whyNot(issue.path, key) || there} Remove it with: ${command("rm", path)}`;
    });
  const found = valueAt(given, issue.path);
  const expected = issue.message.replace(/^Invalid input: /, "").replace(/, received \w+$/, "");
  const meant =
    issue.code === "invalid_value" && typeof found === "string" ? suggest(found, issue.values.map(String)) : undefined;
  // Set as a whole, a list would be a text.
  const toSet = issue.code === "invalid_type" && issue.expected === "array" ? [...issue.path, 0] : issue.path;
  // The CLI takes what looks like a number for one.
  const type =
    issue.code === "invalid_type" && issue.expected === "string" && found !== undefined ? "--type string " : "";
  return [
    `${nameOf(issue.path)} is ${found === undefined ? "missing" : JSON.stringify(found)}; ${expected}${meant ? `; did you mean ${meant}?` : "."} Set it with: ${command("set", toSet)} ${type}<value>${isListed(issue) ? `, or remove it with: ${command("rm", issue.path)}` : ""}`,
  ];
}

/** Whether it is about one of a list's items that there are. */
const isListed = ({ code, path }: z.core.$ZodIssue) => code === "invalid_value" && typeof path.at(-1) === "number";

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
