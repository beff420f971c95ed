import aliaspb from "@pulumi/pulumi/proto/alias_pb.js";
import type callbackpb from "@pulumi/pulumi/proto/callback_pb.js";
import type respb from "@pulumi/pulumi/proto/resource_pb.js";
import type { Location } from "./error.ts";
import { locate } from "./location.ts";
import { createUrn, packageOf, providedPackage, referenceUrn, urnName, urnType } from "./urn.ts";
import { collapse, decode, dependent, type Properties, secret, unknown } from "./value.ts";

/** What an alias may leave open: whatever is not given is as it is now. */
export interface AliasSpec {
  urn?: string;
  name?: string;
  type?: string;
  stack?: string;
  project?: string;
  parent?: string;
  noParent?: boolean;
}

/** A resource as the program asked for it; later the options that it inherits, and its outputs, are added. */
export interface Registration {
  urn: string;
  type: string;
  name: string;
  parent: string;
  custom: boolean;
  /** A component that only its provider's binary can build. */
  remote: boolean;
  /** Read (`X.get`), not created. */
  read: boolean;
  /** Known only for what is read or imported. */
  id: string;
  inputs: Properties;
  /** What a component registered at its end. */
  outputs: Properties | undefined;
  dependencies: string[];
  propertyDependencies: Record<string, string[]>;
  /** `<urn>::<id>` of the provider, and those that children may inherit, by package. */
  provider: string;
  providers: Record<string, string>;
  protect: boolean | undefined;
  retainOnDelete: boolean | undefined;
  deletedWith: string;
  aliases: AliasSpec[];
  /** The aliases, those inherited from the parent's included. */
  aliasUrns: string[];
  ignoreChanges: string[];
  replaceOnChanges: string[];
  deleteBeforeReplace: boolean | undefined;
  additionalSecretOutputs: string[];
  version: string;
  packageRef: string;
  transforms: callbackpb.Callback[];
  location: Location | undefined;
}

const blank = {
  urn: "",
  outputs: undefined,
  propertyDependencies: {},
  providers: {},
  protect: undefined,
  retainOnDelete: undefined,
  deletedWith: "",
  aliases: [],
  aliasUrns: [],
  ignoreChanges: [],
  replaceOnChanges: [],
  deleteBeforeReplace: undefined,
  transforms: [],
} satisfies Partial<Registration>;

export function fromRegisterRequest(request: respb.RegisterResourceRequest, root: string): Registration {
  const propertyDependencies: Record<string, string[]> = {};
  request.getPropertydependenciesMap().forEach((value, key) => {
    propertyDependencies[key] = value.getUrnsList();
  });
  return {
    ...blank,
    type: request.getType(),
    name: request.getName(),
    parent: request.getParent(),
    custom: request.getCustom(),
    remote: request.getRemote(),
    read: false,
    id: request.getImportid(),
    inputs: decode(request.getObject()),
    dependencies: request.getDependenciesList(),
    propertyDependencies,
    provider: request.getProvider(),
    providers: Object.fromEntries(request.getProvidersMap().toArray()),
    protect: request.hasProtect() ? request.getProtect() : undefined,
    retainOnDelete: request.hasRetainondelete() ? request.getRetainondelete() : undefined,
    deletedWith: request.getDeletedwith(),
    aliases: request.getAliasesList().map(aliasFrom),
    ignoreChanges: request.getIgnorechangesList(),
    replaceOnChanges: request.getReplaceonchangesList(),
    deleteBeforeReplace: request.getDeletebeforereplacedefined() ? request.getDeletebeforereplace() : undefined,
    additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
    version: request.getVersion(),
    packageRef: request.getPackageref(),
    transforms: request.getTransformsList(),
    location: locate(request.getStacktrace(), root),
  };
}

export function fromReadRequest(request: respb.ReadResourceRequest, root: string): Registration {
  return {
    ...blank,
    type: request.getType(),
    name: request.getName(),
    parent: request.getParent(),
    custom: true,
    remote: false,
    read: true,
    id: request.getId(),
    inputs: decode(request.getProperties()),
    dependencies: request.getDependenciesList(),
    provider: request.getProvider(),
    additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
    version: request.getVersion(),
    packageRef: request.getPackageref(),
    location: locate(request.getStacktrace(), root),
  };
}

/** The provider that the engine makes for a package when the program names none. */
export const defaultProvider = (pkg: string, version: string, parent: string, inputs: Properties): Registration => ({
  ...blank,
  type: `pulumi:providers:${pkg}`,
  name: version ? `default_${version.replaceAll(".", "_")}` : "default",
  parent,
  custom: true,
  remote: false,
  read: false,
  id: "",
  inputs: version ? { ...inputs, version } : inputs,
  dependencies: [],
  provider: "",
  additionalSecretOutputs: [],
  version,
  packageRef: "",
  location: undefined,
});

/** Takes over what a resource leaves to its parent: protect, retainOnDelete, deletedWith and the provider. */
export function inherit(registration: Registration, parents: Registration[]): void {
  const [parent] = parents;
  if (parent) {
    registration.protect ??= parent.protect;
    registration.retainOnDelete ??= parent.retainOnDelete;
    registration.deletedWith ||= parent.deletedWith;
    if (!registration.custom) {
      // A component hands providers on; a provider of its own says which package it is for.
      registration.provider ||= parent.provider;
      registration.providers = { ...parent.providers, ...registration.providers };
    }
  }
  inheritProvider(registration, parents);
}

/** Finds the provider: the nearest of the parents' that serves the resource's package. */
export function inheritProvider(registration: Registration, parents: Registration[]): void {
  if (registration.provider || !(registration.custom || registration.remote)) return;
  const pkg = packageOf(registration.type);
  for (const { provider, providers } of [registration, ...parents]) {
    const found = providers[pkg] ?? (serves(provider, pkg) ? provider : undefined);
    if (found) {
      registration.provider = found;
      return;
    }
  }
}

const serves = (reference: string, pkg: string): boolean =>
  reference !== "" && providedPackage(urnType(referenceUrn(reference))) === pkg;

/**
 * Writes what each property depends on into its value, unless that tells it already. The engine does so before a resource's own transforms, and takes
 * the dependencies from what they leave.
 */
export function moveDependencies(registration: Registration): void {
  for (const [key, value] of Object.entries(registration.inputs)) {
    const within = new Set<string>();
    collapse(value, within);
    const urns = registration.propertyDependencies[key] ?? [];
    if (urns.some((urn) => !within.has(urn))) registration.inputs[key] = dependent(value, urns);
  }
  registration.propertyDependencies = {};
}

/** Turns output values into plain ones; what they depend on becomes the property's and the resource's dependency. */
export function collapseInputs(registration: Registration): void {
  const all = new Set(registration.dependencies);
  // Not changed in place: what a registration begins with is shared by all.
  registration.propertyDependencies = { ...registration.propertyDependencies };
  for (const [key, value] of Object.entries(registration.inputs)) {
    const dependencies = new Set(registration.propertyDependencies[key]);
    registration.inputs[key] = collapse(value, dependencies);
    registration.propertyDependencies[key] = [...dependencies];
    for (const urn of dependencies) all.add(urn);
  }
  registration.dependencies = [...all];
}

/** Every URN that a resource may have had: its own aliases, and under each URN that its parent may have had. */
export function aliasUrnsOf(
  { urn, name, type, parent, aliases }: Registration,
  parentAliases: string[],
  { stack, project }: { stack: string; project: string },
): string[] {
  const own = aliases.map((alias) =>
    alias.urn
      ? alias.urn
      : createUrn(
          alias.stack || stack,
          alias.project || project,
          alias.noParent ? "" : alias.parent || parent,
          alias.type || type,
          alias.name || name,
        ),
  );
  const names = [name, ...aliases.flatMap((alias) => alias.name ?? [])];
  const types = [type, ...aliases.flatMap((alias) => alias.type ?? [])];
  const inherited = parentAliases.flatMap((old) =>
    names.flatMap((child) => types.map((kind) => createUrn(stack, project, old, kind, renamed(child, parent, old)))),
  );
  return [...new Set([...own, ...inherited])].filter((alias) => alias !== urn);
}

/** A child named after its parent was named after the parent's old name. */
function renamed(child: string, parent: string, oldParent: string): string {
  const name = urnName(parent);
  return child.startsWith(name) ? urnName(oldParent) + child.slice(name.length) : child;
}

export function aliasFrom(alias: aliaspb.Alias): AliasSpec {
  const spec = alias.getSpec();
  if (!spec) return { urn: alias.getUrn() };
  return {
    ...(spec.getName() && { name: spec.getName() }),
    ...(spec.getType() && { type: spec.getType() }),
    ...(spec.getStack() && { stack: spec.getStack() }),
    ...(spec.getProject() && { project: spec.getProject() }),
    ...(spec.getParenturn() && { parent: spec.getParenturn() }),
    ...(spec.getNoparent() && { noParent: true }),
  };
}

export function aliasTo(alias: AliasSpec): aliaspb.Alias {
  const message = new aliaspb.Alias();
  if (alias.urn) return message.setUrn(alias.urn);
  const spec = new aliaspb.Alias.Spec()
    .setName(alias.name ?? "")
    .setType(alias.type ?? "")
    .setStack(alias.stack ?? "")
    .setProject(alias.project ?? "");
  if (alias.noParent) spec.setNoparent(true);
  else if (alias.parent) spec.setParenturn(alias.parent);
  return message.setSpec(spec);
}

/**
 * What a program gets back: its inputs. Whatever else a resource has, the SDK takes as unknown in a dry run; so it does
 * with all of a remote component, whose outputs need not be its inputs.
 */
export function outputsOf({ inputs, outputs, custom, additionalSecretOutputs }: Registration): Properties {
  if (!custom) return outputs ?? {};
  const own = { ...inputs };
  for (const key of additionalSecretOutputs) own[key] = secret(own[key] ?? unknown);
  return own;
}
