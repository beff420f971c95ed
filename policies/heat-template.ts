import { parseDocument, visit } from "yaml";
import { z } from "zod";
import { ifKnown, knownEntries } from "./if-known.ts";
import { inputOf, shaped } from "./heat-shape.ts";
import { heatTypes } from "./heat-types.ts";
import { Keyed, mapOf, type Resolve, resolver, typed, unknown } from "./heat-value.ts";

const Parameter = z.object({ type: z.unknown(), default: z.unknown(), hidden: z.unknown() }).partial();
const Resource = z.object({
  type: z.string(),
  properties: Keyed.nullish(),
  deletion_policy: z.unknown().optional(),
});

/** The parts of a HOT template that rules look at: https://docs.openstack.org/heat/latest/template_guide/hot_spec.html */
const Template = z.object({
  heat_template_version: z.string(),
  parameters: z.record(z.string(), Parameter.nullable()).nullish(),
  resources: z.record(z.string(), Resource),
});

/** A resource that a template asks for. */
export interface Asked {
  /** Its name in the template. */
  name: string;
  heatType: string;
  /** Pulumi's token for it; undefined: no rule knows it. */
  type: string | undefined;
  /** The properties as Pulumi names them; what cannot be told from the template is the mark of an unknown. */
  properties: Record<string, unknown>;
  /** Heat leaves it when the stack goes. */
  kept: boolean;
  /** Names of the template's resources that a property is made of, by Pulumi's name of the property. */
  uses: Readonly<Record<string, readonly string[]>>;
  /** What about it cannot be told, as the end of a sentence. */
  hides: readonly string[];
}

export interface HeatStack {
  resources: Asked[];
  parameters: { name: string; hidden: boolean; hasDefault: boolean }[];
  /** Whether the environment, where there is one, is YAML as it should be. */
  isEnvironmentRead: boolean;
  /** Types that the environment gives another meaning. */
  remapped: string[];
  /** Secrets whose payload the template itself holds. */
  payloads: string[];
}

/** What a Heat stack is asked for by its arguments. */
export interface HeatArgs {
  templateOpts?: Record<string, unknown> | undefined;
  environmentOpts?: Record<string, unknown> | undefined;
  parameters?: Record<string, unknown> | undefined;
}

/** Reads the template of a stack. A sentence's end instead: why it cannot be read. Undefined: it is not known yet. */
export function readHeatStack(args: HeatArgs): HeatStack | string | undefined {
  const text = ifKnown(() => args.templateOpts?.["Bin"] ?? null);
  if (text === undefined) return undefined;
  if (typeof text !== "string" || text.trim() === "") return "is fetched from elsewhere";
  const template = Template.safeParse(readYaml(text));
  if (!template.success) return "is no HOT template";
  const environmentText = ifKnown(() => args.environmentOpts?.["Bin"] ?? null) ?? null;
  const environment = Keyed.nullable().safeParse(environmentText === null ? null : readYaml(environmentText));
  const given = environment.data ?? {};
  const maps = ["parameter_defaults", "parameters"].map((key) => Keyed.safeParse(given[key]).data ?? {});
  const { resources, parameters } = template.data;
  const told = ifKnown(() => args.parameters ?? {}) ?? allOf(parameters, unknown);
  const own = knownEntries(told).map(([key, value]) => [key, value ?? unknown]);
  const values = { ...maps[0], ...maps[1], ...Object.fromEntries(own) };
  const files = ifKnown(() => mapOf(args.templateOpts?.["Files"])) ?? {};
  const parameter = (name: string) =>
    typed(values[name] ?? parameters?.[name]?.default ?? unknown, parameters?.[name]?.type);
  const asked = (branch: boolean) => {
    const resolve = resolver({ parameter, files, branch });
    return Object.entries(resources).flatMap(([name, resource]) => askedOf(name, resource, resolve));
  };
  const registry = mapOf(given["resource_registry"]) ?? {};
  return {
    resources: text.includes("if") ? [...asked(true), ...asked(false)] : asked(true),
    parameters: Object.entries(parameters ?? {}).map(([name, parameter]) => ({
      name,
      hidden: /^(true|t|1|on|y|yes)$/i.test(String(parameter?.hidden)),
      hasDefault: parameter?.default !== undefined && parameter.default !== "",
    })),
    isEnvironmentRead: environment.success,
    remapped: remappedIn(registry),
    payloads: Object.entries(resources)
      .filter(
        ([, { type, properties }]) => type === "OS::Barbican::Secret" && typeof properties?.["payload"] === "string",
      )
      .map(([name]) => name),
  };
}

const allOf = (keys: object | null | undefined, value: string) =>
  Object.fromEntries(Object.keys(keys ?? {}).map((key) => [key, value]));

/** Types are remapped for all resources, or below `resources` for those of a name; beside those stand hooks. */
const remappedIn = (registry: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(registry).flatMap(([key, value]) => (key === "resources" ? typesIn(value) : [key]));

const typesIn = (value: unknown): string[] =>
  Object.entries(mapOf(value) ?? {}).flatMap(([key, inner]) => (key.includes("::") ? [key] : typesIn(inner)));

/** What was read already: every rule asks for the same templates. */
const documents = new Map<string, unknown>();

/** Undefined for what is no YAML, or holds more aliases than the parser follows: it is then no template. */
function readYaml(text: unknown): unknown {
  if (typeof text !== "string") return undefined;
  if (!documents.has(text)) documents.set(text, parse(text));
  return documents.get(text);
}

function parse(text: string): unknown {
  // Heat's parser knows merge keys.
  const document = parseDocument(text, { merge: true });
  if (document.errors.length > 0) return undefined;
  try {
    // A key that JavaScript would lose, and a value inside of itself, are for nobody's good.
    let lost = false;
    visit(document, { Scalar: (_, { value }) => void (lost ||= value === "__proto__") });
    const value: unknown = document.toJS();
    return lost || JSON.stringify(value) === undefined ? undefined : value;
  } catch (error) {
    // Too many aliases, a circle of them, or more levels than there is room for.
    if (error instanceof ReferenceError || error instanceof TypeError || error instanceof RangeError) return undefined;
    throw error;
  }
}

type HeatResource = z.output<typeof Resource>;

/** The resource, or what a group repeats; each rule of a security group is one, too, as Pulumi has it. */
function askedOf(name: string, { type, properties, deletion_policy }: HeatResource, resolve: Resolve): Asked[] {
  if (type === "OS::Heat::ResourceGroup") {
    const repeated = Resource.safeParse(properties?.["resource_def"]);
    if (repeated.success) return askedOf(name, repeated.data, resolve);
  }
  const known = Object.hasOwn(heatTypes, type) ? heatTypes[type] : undefined;
  const resolved = resolve(properties ?? {});
  const given = mapOf(resolved) ?? {};
  const { rules, ...rest } = given;
  const group = type === "OS::Neutron::SecurityGroup";
  const asked: Asked = {
    name,
    heatType: type,
    type: mapOf(resolved) && known?.type,
    properties: shaped(type, group ? rest : given),
    kept: /^(retain|snapshot)$/i.test(String(deletion_policy)),
    uses: Object.fromEntries(
      Object.entries(properties ?? {}).map(([key, value]) => [inputOf(type, key, value), [...usedBy(value)]]),
    ),
    hides: [
      ...(mapOf(resolved) ? [] : ["has properties that only Heat knows"]),
      ...("value_specs" in given ? ["has value_specs, which may ask for anything"] : []),
      ...(group && rules === unknown ? ["has rules that only Heat knows"] : []),
    ],
  };
  if (!group || !Array.isArray(rules)) return [asked];
  return [asked, ...rules.flatMap((rule, index) => ruleOf(`${name}'s rule ${index + 1}`, rule))];
}

function ruleOf(name: string, rule: unknown): Asked[] {
  const given = mapOf(rule);
  const heatType = "OS::Neutron::SecurityGroupRule";
  if (!given) return [];
  // Without an id the group itself is meant.
  const own = given["remote_mode"] === "remote_group_id" && !given["remote_group_id"];
  const properties = shaped(heatType, {
    direction: "ingress",
    ethertype: "IPv4",
    ...given,
    ...(own ? { remote_group_id: unknown } : {}),
  });
  return [{ name, heatType, type: heatTypes[heatType]?.type, properties, kept: false, uses: {}, hides: [] }];
}

/** The resources that a value is made of. */
function* usedBy(value: unknown): Generator<string> {
  if (Array.isArray(value)) for (const item of value) yield* usedBy(item);
  for (const [key, inner] of Object.entries(mapOf(value) ?? {}))
    if (key === "get_resource") yield String(inner);
    else if (key === "get_attr" && Array.isArray(inner)) yield String(inner[0]);
    else yield* usedBy(inner);
}
