import { type Location, PlanError } from "./error.ts";
import type { Monitor } from "./monitor.ts";
import type { Project } from "./project.ts";
import type { Redact, Secrets } from "./redact.ts";
import type { Registration } from "./registration.ts";
import { referenceUrn } from "./urn.ts";
import { type Json, marks, maskAll } from "./value.ts";

/**
 * An offline plan: what the program asks for, not what a provider would answer. All of it is plain JSON and may be
 * shown: secrets are `[secret]`, and what only a deployment can know is `[unknown]`.
 */
export interface Plan {
  project: string;
  stack: string;
  /** From the stack down, children after their parent, siblings by type and name. */
  resources: PlannedResource[];
  /** The stack's outputs. */
  outputs: Record<string, Json>;
  /** The rules of the policy pack that were checked; empty without a pack. */
  policies: string[];
  /** What the pack tells of those rules. */
  rules: Rule[];
  violations: Violation[];
  /** What program and policy pack said, in their order. */
  messages: Message[];
}

export interface PlannedResource {
  urn: string;
  type: string;
  name: string;
  /** A URN; null for the stack itself. */
  parent: string | null;
  /** A provider makes it; else it is a component. */
  custom: boolean;
  /** A remote component: its children are known only to its provider's binary. */
  opaque: boolean;
  /** It exists already and is only read. */
  read: boolean;
  /** The id of what is read or imported, else null. */
  id: string | null;
  inputs: Record<string, Json>;
  /** What a component gives to the rest of the program; null for the stack, and for what a provider makes. */
  outputs: Record<string, Json> | null;
  /** Names of inputs that hold a secret, or a value that is not known yet, at any depth. */
  secretInputs: string[];
  unknownInputs: string[];
  dependencies: string[];
  propertyDependencies: Record<string, string[]>;
  /** The URN of its provider, null for components. */
  provider: string | null;
  protect: boolean;
  retainOnDelete: boolean;
  deletedWith: string | null;
  /** URNs that the resource may have had. */
  aliases: string[];
  ignoreChanges: string[];
  replaceOnChanges: string[];
  deleteBeforeReplace: boolean;
  additionalSecretOutputs: string[];
  /** Where the program asks for it; null for the stack and for default providers. */
  location: Location | null;
}

/** A rule of a policy pack, at the level that it has for the stack. */
export interface Rule {
  name: string;
  description: string;
  level: "advisory" | "mandatory";
  severity: "low" | "medium" | "high" | "critical" | null;
  /** What to do about a violation, and where more is told. */
  remediation: string | null;
  url: string | null;
}

/** A rule that a resource, or the stack as a whole, breaks. */
export interface Violation {
  policy: string;
  pack: string;
  level: "advisory" | "mandatory";
  severity: "low" | "medium" | "high" | "critical" | null;
  message: string;
  urn: string;
}

export interface Message {
  level: "info" | "warning";
  text: string;
  /** The resource that it is about. */
  urn: string | null;
  from: "program" | "policy-pack";
}

/**
 * Makes the plan of what the monitor saw. A secret is taken out of every text in it: the same text becomes the same
 * everywhere, so that parents, dependencies and violations still name their resource.
 * @throws PlanError when a URN or a key would no longer name one thing alone
 */
export function toPlan(
  { name: project, stack }: Project,
  { resources, rootUrn }: Monitor,
  secrets: Secrets,
  review: { rules: Rule[]; violations: Violation[]; messages: Message[] },
): Plan {
  const redact = secrets.redact();
  const redactLines = secrets.redactLines();
  const named = new Set<string>();
  for (const { urn, location } of resources.values()) {
    if (named.has(redact(urn)))
      throw new PlanError(
        "secret-in-name",
        `the names of two resources differ only in a secret (${redact(urn)}), and names are shown; take the secret out of them`,
        { location, urn },
      );
    named.add(redact(urn));
  }
  return {
    project: redact(project),
    stack: redact(stack),
    resources: fromTheRoot([...resources.values()]).map((resource) => toPlanned(resource, redact)),
    outputs: maskAll(resources.get(rootUrn)?.outputs ?? {}, redact),
    policies: review.rules.map(({ name }) => redact(name)),
    rules: review.rules.map((rule) => ({
      ...rule,
      name: redact(rule.name),
      description: redactLines(rule.description),
      remediation: rule.remediation && redactLines(rule.remediation),
    })),
    violations: review.violations.map(({ policy, pack, level, severity, message, urn }) => ({
      policy: redact(policy),
      pack: redact(pack),
      level,
      severity,
      message: redactLines(message),
      urn: redact(urn),
    })),
    messages: review.messages.map(({ level, text, urn, from }) => ({
      level,
      text: redactLines(text),
      urn: urn && redact(urn),
      from,
    })),
  };
}

function toPlanned(resource: Registration, redact: Redact): PlannedResource {
  const marked = Object.entries(resource.inputs).map(([key, value]) => ({ key: redact(key), ...marks(value) }));
  return {
    urn: redact(resource.urn),
    type: redact(resource.type),
    name: redact(resource.name),
    parent: redact(resource.parent) || null,
    custom: resource.custom,
    opaque: resource.remote,
    read: resource.read,
    id: redact(resource.id) || null,
    inputs: maskAll(resource.inputs, redact),
    outputs: resource.parent && resource.outputs ? maskAll(resource.outputs, redact) : null,
    secretInputs: marked.filter(({ secret }) => secret).map(({ key }) => key),
    unknownInputs: marked.filter(({ unknown }) => unknown).map(({ key }) => key),
    dependencies: resource.dependencies.toSorted().map(redact),
    propertyDependencies: Object.fromEntries(
      Object.entries(resource.propertyDependencies)
        .filter(([, urns]) => urns.length > 0)
        .map(([key, urns]) => [redact(key), urns.toSorted().map(redact)]),
    ),
    provider:
      (resource.custom || resource.remote) && resource.provider ? redact(referenceUrn(resource.provider)) : null,
    protect: resource.protect ?? false,
    retainOnDelete: resource.retainOnDelete ?? false,
    deletedWith: redact(resource.deletedWith) || null,
    aliases: resource.aliasUrns.map(redact),
    ignoreChanges: resource.ignoreChanges.map(redact),
    replaceOnChanges: resource.replaceOnChanges.map(redact),
    deleteBeforeReplace: resource.deleteBeforeReplace ?? false,
    additionalSecretOutputs: resource.additionalSecretOutputs.map(redact),
    location: resource.location ? { ...resource.location, file: redact(resource.location.file) } : null,
  };
}

/** Registrations come in an order that timing decides; a plan must not. */
function fromTheRoot(resources: Registration[]): Registration[] {
  const children = Map.groupBy(resources, ({ parent }) => parent);
  const below = (parent: string): Registration[] =>
    (children.get(parent) ?? []).toSorted(byTypeAndName).flatMap((resource) => [resource, ...below(resource.urn)]);
  return below("");
}

const byTypeAndName = (a: Registration, b: Registration): number =>
  `${a.type} ${a.name}` < `${b.type} ${b.name}` ? -1 : 1;
