import { z } from "zod";
import type { Plan, PlannedResource } from "./plan.ts";
import { isDefaultProvider, referenceUrn } from "./urn.ts";
import { type Json, secretMark, unknown, unknownMark } from "./value.ts";

const urns = z.array(z.string()).default([]);

/** What `pulumi preview --json` prints, as far as a plan says the same (pkg/display/json.go of pulumi/pulumi). */
export const Preview = z.object({
  steps: z.array(
    z.object({
      urn: z.string(),
      newState: z.object({
        type: z.string(),
        custom: z.boolean(),
        external: z.boolean().default(false),
        id: z.string().optional(),
        importID: z.string().optional(),
        inputs: z.record(z.string(), z.json()).default({}),
        parent: z.string().optional(),
        dependencies: urns,
        propertyDependencies: z.record(z.string(), z.array(z.string())).default({}),
        provider: z.string().optional(),
        protect: z.boolean().default(false),
        retainOnDelete: z.boolean().default(false),
        deletedWith: z.string().optional(),
        ignoreChanges: urns,
        replaceOnChanges: urns,
        additionalSecretOutputs: urns,
      }),
    }),
  ),
});
export type Preview = z.output<typeof Preview>;
type State = Preview["steps"][number]["newState"];

/** How a plan and a preview of the same program compare. */
export interface Comparison {
  /** A sentence for each thing that both must say alike, and do not. */
  differences: string[];
  /** `<type> <key>` of inputs that the program did not give: a provider's Check added them. */
  added: string[];
  /** `<type> <key>` of inputs that are unknown offline, and known to a provider: its Check made up a name that they hold. */
  learned: string[];
}

/**
 * Compares what the program asks for. Default providers are in no preview, and names that its Check makes up are in no plan.
 * Aliases are not compared: a preview tells only the one under which it found the resource in the state.
 */
export function comparePreview({ resources }: Plan, { steps }: Preview): Comparison {
  const comparison = { differences: [] as string[], added: new Set<string>(), learned: new Set<string>() };
  const planned = new Map(resources.filter((resource) => !isDefaultProvider(resource)).map((r) => [r.urn, r]));
  const previewed = new Map(steps.map(({ urn, newState }) => [urn, newState]));
  for (const urn of previewed.keys())
    if (!planned.has(urn)) comparison.differences.push(`${urn} is in the preview alone`);
  for (const [urn, resource] of planned) {
    const state = previewed.get(urn);
    if (!state) {
      comparison.differences.push(`${urn} is in the plan alone`);
      continue;
    }
    const theirs = factsOf(state);
    for (const [key, ours] of Object.entries(planFacts(resource)))
      if (JSON.stringify(ours) !== JSON.stringify(theirs[key]))
        comparison.differences.push(
          `${urn}: ${key} is ${JSON.stringify(ours)} in the plan and ${JSON.stringify(theirs[key])} in the preview`,
        );
    // What is read has no inputs in a preview: a provider is asked by its id alone.
    if (!resource.read) compareValues(resource.inputs, state.inputs, { resource, path: "", comparison });
  }
  return {
    differences: comparison.differences,
    added: [...comparison.added].toSorted(),
    learned: [...comparison.learned].toSorted(),
  };
}

const filled = (dependencies: Record<string, string[]>): Json =>
  Object.fromEntries(
    Object.entries(dependencies)
      .filter(([, all]) => all.length > 0)
      .map(([key, all]) => [key, all.toSorted()] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );

const planFacts = (resource: PlannedResource): Record<string, Json> => ({
  type: resource.type,
  parent: resource.parent,
  custom: resource.custom,
  read: resource.read,
  id: resource.id,
  dependencies: resource.dependencies.toSorted(),
  propertyDependencies: filled(resource.propertyDependencies),
  provider: resource.provider,
  protect: resource.protect,
  retainOnDelete: resource.retainOnDelete,
  deletedWith: resource.deletedWith,
  ignoreChanges: resource.ignoreChanges.toSorted(),
  replaceOnChanges: resource.replaceOnChanges.toSorted(),
  additionalSecretOutputs: resource.additionalSecretOutputs.toSorted(),
});

const factsOf = (state: State): Record<string, Json> => ({
  type: state.type,
  parent: state.parent ?? null,
  custom: state.custom,
  read: state.external,
  id: state.id ?? state.importID ?? null,
  dependencies: state.dependencies.toSorted(),
  propertyDependencies: filled(state.propertyDependencies),
  provider: state.provider === undefined ? null : referenceUrn(state.provider),
  protect: state.protect,
  retainOnDelete: state.retainOnDelete,
  deletedWith: state.deletedWith ?? null,
  ignoreChanges: state.ignoreChanges.toSorted(),
  replaceOnChanges: state.replaceOnChanges.toSorted(),
  additionalSecretOutputs: state.additionalSecretOutputs.toSorted(),
});

interface Place {
  resource: PlannedResource;
  /** From the resource's inputs, without the numbers of a list's items. */
  path: string;
  comparison: { differences: string[]; added: Set<string>; learned: Set<string> };
}

function compareValues(ours: Json, theirs: Json, place: Place): void {
  if (isSame(ours, theirs, place)) return;
  const { resource, path, comparison } = place;
  if (ours === unknownMark && theirs !== secretMark) comparison.learned.add(`${resource.type} ${path}`);
  else if (Array.isArray(ours) && Array.isArray(theirs) && ours.length === theirs.length)
    ours.forEach((item, index) => compareValues(item, theirs[index] ?? null, place));
  else if (isObject(ours) && isObject(theirs))
    for (const key of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
      const inner = { ...place, path: path === "" ? key : `${path}.${key}` };
      const [mine, other] = [ours[key], theirs[key]];
      if (other === undefined) comparison.differences.push(`${resource.urn}: ${inner.path} is in the plan alone`);
      else if (mine !== undefined) compareValues(mine, other, inner);
      else if (!marksOfAssets.has(key)) comparison.added.add(`${resource.type} ${inner.path}`);
    }
  else
    comparison.differences.push(
      `${resource.urn}: ${path} is ${JSON.stringify(ours)} in the plan and ${JSON.stringify(theirs)} in the preview`,
    );
}

function isSame(ours: Json, theirs: Json, { resource }: Place): boolean {
  if (theirs === unknown)
    // A provider that takes no references to resources is given the id of what the plan names by its URN.
    return ours === unknownMark || (typeof ours === "string" && resource.dependencies.includes(ours));
  // Of a list whose secret a provider's Check gave back in clear, the engine makes all a secret again.
  if (theirs === secretMark && Array.isArray(ours)) return JSON.stringify(ours).includes(JSON.stringify(secretMark));
  return JSON.stringify(ours) === JSON.stringify(theirs);
}

/** What an asset has besides its content: a signature and a digest, which a plan leaves out. */
const marksOfAssets = new Set(["4dabf18193072939515e22adb298388d", "hash"]);

const isObject = (value: Json): value is { [key: string]: Json } =>
  value !== null && typeof value === "object" && !Array.isArray(value);

/** A violation as the CLI's text tells it, under `Policies:`; lines of what it says are joined by `\n`. */
export interface ToldViolation {
  policy: string;
  pack: string;
  level: string;
  severity: string | null;
  /** Type and name; a module's second half, which repeats the first, is left out of the type. */
  resource: string;
  message: string;
}

/** Reads the violations out of the text of `pulumi preview --policy-pack`, sorted. */
export function toldViolations(text: string): ToldViolation[] {
  const lines = text.split("\n");
  const start = lines.indexOf("Policies:");
  const found: ToldViolation[] = [];
  let pack = "";
  for (const line of start === -1 ? [] : lines.slice(start + 1)) {
    if (/^\S/.test(line)) break;
    const named = /^ {4}\S+ (\S+)@v\S+/.exec(line);
    const [, level, severity, policy, resource] =
      /^ {8}- \[(\w+)\] {1,2}(?:\[severity: (\w+)\] {2})?(\S+) {2}\((.+)\)$/.exec(line) ?? [];
    const last = found.at(-1);
    if (named) pack = named[1] ?? "";
    else if (level && policy && resource)
      found.push({ policy, pack, level, severity: severity ?? null, resource, message: "" });
    else if (last && line.startsWith(" ".repeat(10)))
      last.message += `${last.message === "" ? "" : "\n"}${line.slice(10)}`;
  }
  return sorted(found);
}

/** The violations of a plan as the CLI would tell them, sorted. */
export const violationsAsTold = ({ violations, resources }: Plan): ToldViolation[] =>
  sorted(
    violations.map(({ urn, policy, pack, level, severity, message }) => {
      const about = resources.find((resource) => resource.urn === urn);
      return { policy, pack, level, severity, resource: `${shortType(about?.type ?? "")}: ${about?.name}`, message };
    }),
  );

/** `openstack:networking/port:Port` is told as `openstack:networking:Port`. */
const shortType = (type: string): string => type.replace(/^([^:]+:[^:/]+)\/[^:]+:/, "$1:");

const sorted = (violations: ToldViolation[]): ToldViolation[] =>
  violations.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
