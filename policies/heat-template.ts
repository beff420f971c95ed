import { parseDocument } from "yaml";
import { z } from "zod";
import { ifKnown, knownEntries } from "./if-known.ts";
import { type HeatType, heatTypes } from "./heat-types.ts";

/** As `@pulumi/policy` spells a text that only a deployment can know. */
const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

const Keyed = z.record(z.string(), z.unknown());
const Parameter = z.object({ default: z.unknown(), hidden: z.unknown() }).partial();
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
type Template = z.output<typeof Template>;

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
}

export interface HeatStack {
  resources: Asked[];
  parameters: { name: string; hidden: boolean; hasDefault: boolean }[];
  /** Types that the environment gives another meaning. */
  remapped: string[];
  /** Secrets whose payload the template itself holds. */
  payloads: string[];
}

/** What a Heat stack is asked for by its arguments. */
export interface HeatArgs {
  templateOpts?: Record<string, unknown>;
  environmentOpts?: Record<string, unknown>;
  parameters?: Record<string, unknown>;
}

/** Reads the template of a stack. A sentence's end instead: why it cannot be read. Undefined: it is not known yet. */
export function readHeatStack(args: HeatArgs): HeatStack | string | undefined {
  const text = ifKnown(() => args.templateOpts?.["Bin"] ?? null);
  if (text === undefined) return undefined;
  if (typeof text !== "string" || text.trim() === "") return "is fetched from elsewhere";
  const template = Template.safeParse(readYaml(text));
  if (!template.success) return "is no HOT template";
  const environment = Keyed.safeParse(readYaml(ifKnown(() => args.environmentOpts?.["Bin"])));
  const given = environment.data ?? {};
  const maps = ["parameter_defaults", "parameters"].map((key) => Keyed.safeParse(given[key]).data ?? {});
  const told = ifKnown(() => args.parameters ?? {}) ?? mapOf(template.data.parameters, unknown);
  const own = knownEntries(told).map(([key, value]) => [key, value ?? unknown]);
  const values = { ...maps[0], ...maps[1], ...Object.fromEntries(own) };
  const files = ifKnown(() => Keyed.safeParse(args.templateOpts?.["Files"]).data) ?? {};
  const resolve = resolver(template.data, values, files);
  const registry = Keyed.safeParse(given["resource_registry"]).data ?? {};
  return {
    resources: Object.entries(template.data.resources).flatMap(([name, resource]) => askedOf(name, resource, resolve)),
    parameters: Object.entries(template.data.parameters ?? {}).map(([name, parameter]) => ({
      name,
      hidden: /^(true|t|1|on|y|yes)$/i.test(String(parameter?.hidden)),
      hasDefault: parameter?.default !== undefined && parameter.default !== "",
    })),
    remapped: Object.keys(registry).filter((key) => key !== "resources"),
    payloads: Object.entries(template.data.resources)
      .filter(
        ([, { type, properties }]) => type === "OS::Barbican::Secret" && typeof properties?.["payload"] === "string",
      )
      .map(([name]) => name),
  };
}

const mapOf = (keys: object | null | undefined, value: string) =>
  Object.fromEntries(Object.keys(keys ?? {}).map((key) => [key, value]));

/** What was read already: every rule asks for the same templates. */
const documents = new Map<string, unknown>();

/** Undefined for what is no YAML, or holds more aliases than the parser follows: it is then no template. */
function readYaml(text: unknown): unknown {
  if (typeof text !== "string") return undefined;
  if (!documents.has(text)) documents.set(text, parse(text));
  return documents.get(text);
}

function parse(text: string): unknown {
  const document = parseDocument(text);
  if (document.errors.length > 0) return undefined;
  try {
    return document.toJS();
  } catch (error) {
    if (error instanceof ReferenceError) return undefined;
    throw error;
  }
}

type Resolve = (value: unknown) => unknown;

/** Puts values where a template refers to them; a reference to what only Heat knows becomes unknown. */
function resolver(template: Template, values: Record<string, unknown>, files: Record<string, unknown>): Resolve {
  const resolve: Resolve = (value) => {
    if (Array.isArray(value)) return value.map(resolve);
    const map = typeof value === "string" ? undefined : Keyed.safeParse(value).data;
    if (!map) return value;
    const [[name = "", argument] = [], ...others] = Object.entries(map);
    if (
      others.length > 0 ||
      !/^(get_|str_|list_|map_|yaql$|repeat$|digest$|filter$|if$|make_url$|resource_facade$)/.test(name)
    )
      return Object.fromEntries(Object.entries(map).map(([key, item]) => [key, resolve(item)]));
    if (name === "get_param" && typeof argument === "string")
      return values[argument] ?? template.parameters?.[argument]?.default ?? unknown;
    if (name === "get_file" && typeof argument === "string") return files[argument] ?? unknown;
    return unknown;
  };
  return resolve;
}

type HeatResource = z.output<typeof Resource>;

/** The resource, or what a group repeats; each rule of a security group is one, too, as Pulumi has it. */
function askedOf(name: string, { type, properties, deletion_policy }: HeatResource, resolve: Resolve): Asked[] {
  if (type === "OS::Heat::ResourceGroup") {
    const repeated = Resource.safeParse(Keyed.safeParse(properties).data?.["resource_def"]);
    if (repeated.success) return askedOf(name, repeated.data, resolve);
  }
  const known = Object.hasOwn(heatTypes, type) ? heatTypes[type] : undefined;
  const given = Keyed.parse(resolve(properties ?? {}));
  const { rules, ...rest } = given;
  const group = type === "OS::Neutron::SecurityGroup";
  const asked = {
    name,
    heatType: type,
    type: known?.type,
    properties: {
      ...(known?.lacks ? { [known.lacks]: unknown } : {}),
      ...camelCase(group ? rest : given, known?.renamed),
    },
    kept: /^(retain|snapshot)$/i.test(String(deletion_policy)),
  };
  if (!group || !Array.isArray(rules)) return [asked];
  return [asked, ...rules.flatMap((rule, index) => ruleOf(`${name}'s rule ${index + 1}`, rule))];
}

function ruleOf(name: string, rule: unknown): Asked[] {
  const given = Keyed.safeParse(rule);
  const heatType = "OS::Neutron::SecurityGroupRule";
  if (!given.success) return [];
  // Without an id the group itself is meant.
  const own = given.data["remote_mode"] === "remote_group_id" && !given.data["remote_group_id"];
  const properties = camelCase({
    direction: "ingress",
    ethertype: "IPv4",
    ...given.data,
    ...(own ? { remote_group_id: unknown } : {}),
  });
  return [{ name, heatType, type: heatTypes[heatType]?.type, properties, kept: false }];
}

/** Whose keys are the user's own. */
const free = new Set(["metadata", "labels", "value_specs", "X-Container-Meta"]);

function camelCase(properties: Record<string, unknown>, renamed: HeatType["renamed"] = {}) {
  const inside = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(inside);
    const map = typeof value === "string" ? undefined : Keyed.safeParse(value).data;
    return map ? camelCase(map) : value;
  };
  return Object.fromEntries(
    Object.entries(properties).map(([key, value]): [string, unknown] => [
      nameOf(renamed[key], value) ?? key.replaceAll(/_([a-z\d])/g, (_, letter: string) => letter.toUpperCase()),
      free.has(key) ? value : inside(value),
    ]),
  );
}

/** Heat takes an id or a name in one property where Pulumi has two. */
function nameOf(renamed: string | { id: string; name: string } | undefined, value: unknown): string | undefined {
  if (typeof renamed !== "object") return renamed;
  return z.guid().safeParse(value).success ? renamed.id : renamed.name;
}
