import { isDeepStrictEqual } from "node:util";
import { type Difference, differences, isCovered, parsePath, spellPath } from "./against-values.ts";
import type { Plan, PlannedResource } from "./plan.ts";
import { pipelinesOf } from "./pipeline-of.ts";
import { isDefaultProvider, providedPackage } from "./urn.ts";
import type { Json } from "./value.ts";

/** What a change of the program does to one resource. */
export interface Change {
  kind: "created" | "changed" | "deleted";
  /** As it will be; of what is deleted, as it was. */
  urn: string;
  /** The URN that it had, where an alias says that it is the same resource; else null. */
  was: string | null;
  type: string;
  name: string;
  /** The pipeline stack that it is for; null for what an environment's stacks share. */
  pipeline: string | null;
  /** A provider makes it; else it is a component. */
  custom: boolean;
  /** It is only read: nothing is made or deleted. */
  read: boolean;
  /** A remote component: what changes in it, only its provider knows. */
  opaque: boolean;
  /** Of what is deleted, whether it is protected: a deployment refuses to delete it. */
  protect: boolean;
  /** Of what is deleted, whether it stays where it is and is only forgotten. */
  retainOnDelete: boolean;
  /** What is different; only of what is changed. */
  details: Detail[];
}

/** `before` or `after` is absent where there was, or is, no value. */
export interface Detail extends Omit<Difference, "path"> {
  /**
   * An input; a resource option; a stack output; or where an input that is `[unknown]` or `[secret]` on both sides comes
   * from, as URNs.
   */
  of: "input" | "option" | "output" | "source";
  /** As Pulumi spells it; an item of a list that is known by its name is `[name=x]`. */
  path: string;
}

/**
 * What a deployment of `after` would do where `before` is deployed, by the two programs alone: resources are paired by
 * URN or alias. Whether a changed one is replaced only its provider knows. A secret that changed for another, and
 * whatever is `[unknown]` on both sides, looks the same. Either side may be absent.
 */
export function compare(before: Plan | undefined, after: Plan | undefined): Change[] {
  const old = byKey(before);
  const current = byKey(after);
  // By the URNs on the earlier side, the keys on the later one: an alias or another default provider is no change.
  const renamed = new Map<string, string>();
  for (const [key, { urn }] of old) renamed.set(urn, key);
  for (const [key, { aliases }] of current) {
    if (old.has(key)) continue;
    const former = aliases.find((alias) => old.has(alias) && !current.has(alias));
    if (former !== undefined && renamed.get(former) === former) renamed.set(former, key);
  }
  const pairs = new Map([...old.values()].map((resource) => [renamed.get(resource.urn) ?? resource.urn, resource]));
  const keys = new Map([...current].map(([key, { urn }]) => [urn, key]));
  const forms = {
    before: (urn: string) => renamed.get(urn) ?? urn,
    after: (urn: string) => keys.get(urn) ?? urn,
  };
  const pipelines = { before: pipelinesOf(before), after: pipelinesOf(after) };
  const changes: Change[] = [];
  for (const [key, resource] of current) {
    const pipeline = pipelines.after.get(resource.urn) ?? null;
    const former = pairs.get(key);
    if (!former) {
      if (!isDefaultProvider(resource)) changes.push(toChange("created", resource, pipeline));
      continue;
    }
    const details = detailsOf(former, resource, forms);
    if (resource.parent === null) details.push(...tell("output", differences(before?.outputs, after?.outputs)));
    const was = former.urn === resource.urn || isDefaultProvider(resource) ? null : former.urn;
    if (details.length > 0 || was !== null)
      changes.push({ ...toChange("changed", resource, pipeline), was, details, protect: false, retainOnDelete: false });
  }
  for (const [key, resource] of pairs)
    if (!current.has(key) && !isDefaultProvider(resource))
      changes.push(toChange("deleted", resource, pipelines.before.get(resource.urn) ?? null));
  return changes;
}

/** By URN; default providers, whose names hold their versions, by what they provide. */
function byKey(plan: Plan | undefined): Map<string, PlannedResource> {
  const found = new Map<string, PlannedResource>();
  for (const resource of plan?.resources ?? []) {
    const general = `${providedPackage(resource.type)} by default`;
    found.set(isDefaultProvider(resource) && !found.has(general) ? general : resource.urn, resource);
  }
  return found;
}

function toChange(kind: Change["kind"], resource: PlannedResource, pipeline: string | null): Change {
  const { urn, type, name, custom, read, opaque, protect, retainOnDelete } = resource;
  const isDeleted = kind === "deleted";
  return {
    kind,
    urn,
    was: null,
    type,
    name,
    pipeline,
    custom,
    read,
    opaque,
    protect: isDeleted && protect,
    retainOnDelete: isDeleted && retainOnDelete,
    details: [],
  };
}

/** How the two sides spell a URN so that it can be compared. */
type Forms = Record<"before" | "after", (urn: string) => string>;

function detailsOf(before: PlannedResource, after: PlannedResource, forms: Forms): Detail[] {
  const ignored = after.ignoreChanges.map(parsePath);
  const inputs = differences(before.inputs, after.inputs).filter(({ path }) => !isCovered(path, ignored));
  const told = new Set(inputs.map(({ path }) => path[0]));
  const hidden = [...after.unknownInputs, ...after.secretInputs].filter(
    (key) =>
      !told.has(key) &&
      (before.unknownInputs.includes(key) || before.secretInputs.includes(key)) &&
      !isCovered([key], ignored),
  );
  const sources = [...new Set(hidden)].flatMap((key) => {
    const from = (before.propertyDependencies[key] ?? []).map(forms.before).toSorted();
    const to = (after.propertyDependencies[key] ?? []).map(forms.after).toSorted();
    return isDeepStrictEqual(from, to) ? [] : [{ path: [key], before: from, after: to }];
  });
  const chosen = differences(options(before, forms.before), options(after, forms.after));
  return [...tell("input", inputs), ...tell("source", sources), ...tell("option", chosen)];
}

/** What a deployment does with a resource, apart from its inputs. */
function options(resource: PlannedResource, form: (urn: string) => string): Record<string, Json> {
  const { parent, provider, deletedWith, protect, retainOnDelete, deleteBeforeReplace, read, id } = resource;
  const urns = { parent: parent && form(parent), provider: provider && form(provider) };
  return {
    ...urns,
    protect,
    retainOnDelete,
    deletedWith: deletedWith && form(deletedWith),
    deleteBeforeReplace,
    ignoreChanges: resource.ignoreChanges.toSorted(),
    replaceOnChanges: resource.replaceOnChanges.toSorted(),
    additionalSecretOutputs: resource.additionalSecretOutputs.toSorted(),
    read,
    id,
  };
}

const tell = (of: Detail["of"], found: Difference[]): Detail[] =>
  found.map(({ path, ...sides }) => ({ of, path: spellPath(path), ...sides }));
