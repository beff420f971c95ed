import { z } from "zod";
import { type HeatType, heatTypes } from "./heat-types.ts";
import { gap, mapOf, unknown } from "./heat-value.ts";

/** Whose keys are the user's own. */
const free = new Set(["metadata", "labels", "X-Container-Meta"]);

/** Texts that rules search, so that what is known of one counts. Any other with a gap in it is unknown. */
const searched = new Set(["user_data", "X-Container-Read", "X-Container-Write"]);

/** What Pulumi holds as a number. Heat takes texts for numbers and numbers for texts. */
const numeric = /(^|_)(size|ttl|timeout|length|port_range_m(in|ax)|protocol_port|count|index)$/;

function scalar(key: string, value: unknown): unknown {
  if (typeof value === "number") return numeric.test(key) ? value : String(value);
  if (typeof value !== "string" || value === unknown) return value;
  if (value.includes(gap) && !searched.has(key)) return unknown;
  if (numeric.test(key) && /^-?\d+$/.test(value)) return Number(value);
  // As Heat's YAML has it, and as it reads texts where a switch is asked for.
  if (/^(true|yes|on)$/i.test(value)) return true;
  return /^(false|no|off)$/i.test(value) ? false : value;
}

/** Properties of a Heat resource as Pulumi's resource has them. */
export function shaped(type: string, properties: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const known = Object.hasOwn(heatTypes, type) ? heatTypes[type] : undefined;
  const special = type === "OS::Nova::Server" ? serverOf(properties) : {};
  return {
    ...(known?.lacks ? { [known.lacks]: unknown } : {}),
    ...camelCase({ ...properties, ...special }, known?.renamed),
  };
}

function camelCase(properties: Readonly<Record<string, unknown>>, renamed: HeatType["renamed"] = {}) {
  const inside = (key: string, value: unknown): unknown => {
    if (Array.isArray(value)) return value.map((item: unknown) => inside(key, item));
    const map = mapOf(value);
    return map ? camelCase(map) : scalar(key, value);
  };
  return Object.fromEntries(
    Object.entries(properties).map(([key, value]): [string, unknown] => [
      nameOf(renamed[key], value) ?? camel(key),
      free.has(key) ? value : inside(key, value),
    ]),
  );
}

const camel = (key: string) => key.replaceAll(/_([a-z\d])/g, (_, letter: string) => letter.toUpperCase());

/** What Pulumi calls a property of a Heat resource. */
export function inputOf(type: string, property: string, value: unknown): string {
  const renamed = Object.hasOwn(heatTypes, type) ? heatTypes[type]?.renamed[property] : undefined;
  return nameOf(renamed, value) ?? camel(property);
}

/** Heat takes an id or a name in one property where Pulumi has two. */
function nameOf(renamed: string | { id: string; name: string } | undefined, value: unknown): string | undefined {
  if (typeof renamed !== "object") return renamed;
  return z.guid().safeParse(value).success ? renamed.id : renamed.name;
}

/** A server's networks and disks, which Heat writes otherwise than Nova's provider. */
function serverOf({ networks, block_device_mapping_v2: disks }: Readonly<Record<string, unknown>>) {
  return {
    ...(Array.isArray(networks) ? { networks: networks.map((item) => networkOf(mapOf(item)) ?? item) } : {}),
    ...(Array.isArray(disks) ? { block_devices: disks.map((item) => diskOf(mapOf(item)) ?? item) } : {}),
  };
}

function networkOf(network: Readonly<Record<string, unknown>> | undefined) {
  if (!network) return undefined;
  const { network: place, ...rest } = network;
  return place === undefined ? rest : { ...rest, [z.guid().safeParse(place).success ? "uuid" : "name"]: place };
}

function diskOf(disk: Readonly<Record<string, unknown>> | undefined) {
  if (!disk) return undefined;
  const source = ["volume", "snapshot", "image"].find((kind) => kind in disk || `${kind}_id` in disk) ?? "blank";
  return { ...disk, source_type: source, destination_type: disk["swap_size"] === undefined ? "volume" : "local" };
}
