import structpb from "google-protobuf/google/protobuf/struct_pb.js";
import { PlanError } from "./error.ts";

/**
 * Property values as they travel between program, engine and policy pack. Most are plain JSON; what JSON cannot say is
 * an object with a signature (sdk/nodejs/runtime/rpc.ts of pulumi/pulumi lists them).
 */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Properties = { [key: string]: Json };

const signatureKey = "4dabf18193072939515e22adb298388d";
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
const outputSignature = "d0e6a833031e9bbcd3f4e8bde6ca49a4";
const referenceSignature = "5cf8f73096256a8f31e491e813e4eb8e";
const assetSignature = "c44067f5952c0a294b673a41bacd8c17";
const archiveSignature = "0def7320c3a5731c473e5ecbe6d01bc7";

/** Stands for a value that only a deployment can know. */
export const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

// The SDK writes only the first; providers and other languages write one per type.
const unknowns = new Set([
  unknown,
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
  "030794c1-ac77-496b-92df-f27374a8bd58",
  "e48ece36-62e2-4504-bad9-02848725956a",
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
]);

/** How a secret and an unknown look in a plan. */
export const secretMark = "[secret]";
export const unknownMark = "[unknown]";

type Visited =
  | { kind: "plain"; value: null | boolean | number | string }
  | { kind: "unknown" }
  | { kind: "secret"; value: Json }
  | { kind: "output"; value: Json | undefined; secret: boolean; dependencies: string[] }
  | { kind: "reference"; value: Properties }
  | { kind: "asset"; value: Properties }
  | { kind: "list"; value: Json[] }
  | { kind: "object"; value: Properties };

const strings = (value: Json | undefined): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];

function visit(value: Json): Visited {
  if (typeof value === "string" && unknowns.has(value)) return { kind: "unknown" };
  if (value === null || typeof value !== "object") return { kind: "plain", value };
  if (Array.isArray(value)) return { kind: "list", value };
  switch (value[signatureKey]) {
    case secretSignature:
      return { kind: "secret", value: value["value"] ?? null };
    case outputSignature:
      return {
        kind: "output",
        value: value["value"],
        secret: value["secret"] === true,
        dependencies: strings(value["dependencies"]),
      };
    case referenceSignature:
      return { kind: "reference", value };
    case assetSignature:
    case archiveSignature:
      return { kind: "asset", value };
    default:
      return { kind: "object", value };
  }
}

const mapValues = (value: Properties, change: (item: Json) => Json): Properties =>
  Object.fromEntries(Object.entries(value).map(([key, item]) => [key, change(item)]));

/** Wraps a value as a secret. */
export const secret = (value: Json): Json =>
  visit(value).kind === "secret" ? value : { [signatureKey]: secretSignature, value };

/** A value as an output value that depends on these URNs; what is unknown or secret in it becomes an output value, too. */
export function dependent(value: Json, dependencies: string[]): Json {
  const inner = withOutputs(value);
  const seen = visit(inner);
  if (seen.kind !== "output") return { [signatureKey]: outputSignature, value: inner, dependencies };
  return {
    [signatureKey]: outputSignature,
    ...(seen.value === undefined ? {} : { value: seen.value }),
    secret: seen.secret,
    dependencies: [...new Set([...seen.dependencies, ...dependencies])],
  };
}

function withOutputs(value: Json): Json {
  const seen = visit(value);
  if (seen.kind === "unknown") return { [signatureKey]: outputSignature };
  if (seen.kind === "secret")
    return {
      [signatureKey]: outputSignature,
      ...(visit(seen.value).kind === "unknown" ? {} : { value: withOutputs(seen.value) }),
      secret: true,
    };
  if (seen.kind === "list") return seen.value.map(withOutputs);
  if (seen.kind === "object") return mapValues(seen.value, withOutputs);
  return value;
}

/** Turns output values into plain, secret or unknown ones and adds the URNs they depend on to `dependencies`. */
export function collapse(value: Json, dependencies: Set<string>): Json {
  const seen = visit(value);
  switch (seen.kind) {
    case "output": {
      for (const urn of seen.dependencies) dependencies.add(urn);
      const inner = seen.value === undefined ? unknown : collapse(seen.value, dependencies);
      return seen.secret ? secret(inner) : inner;
    }
    case "secret":
      return secret(collapse(seen.value, dependencies));
    case "list":
      return seen.value.map((item) => collapse(item, dependencies));
    case "object":
    case "asset":
      return mapValues(seen.value, (item) => collapse(item, dependencies));
    default:
      return value;
  }
}

/** A reference as its id, or as its URN where it has none (a component). An empty id is an unknown one. */
function flatReference(reference: Properties): Json {
  if (!("id" in reference)) return reference["urn"] ?? null;
  return reference["id"] === "" || reference["id"] === null ? unknown : (reference["id"] ?? unknown);
}

/** Replaces references to resources by their ids: the policy SDK refuses the signature of a reference. */
export function withoutReferences(value: Json): Json {
  const seen = visit(value);
  if (seen.kind === "reference") return flatReference(seen.value);
  if (seen.kind === "secret") return secret(withoutReferences(seen.value));
  if (seen.kind === "list") return seen.value.map(withoutReferences);
  if (seen.kind === "object") return mapValues(seen.value, withoutReferences);
  return value;
}

/**
 * A collapsed value as plain JSON that may be shown: secrets are `[secret]`, unknowns `[unknown]`, references URNs.
 * `redact` sees every other text, keys too.
 * @throws PlanError when keys of an object differ only in what `redact` takes away
 */
export function mask(value: Json, redact: (text: string) => string): Json {
  const seen = visit(value);
  switch (seen.kind) {
    case "unknown":
      return unknownMark;
    case "secret":
      return secretMark;
    case "output":
      if (seen.secret) return secretMark;
      return seen.value === undefined ? unknownMark : mask(seen.value, redact);
    case "reference":
      return mask(seen.value["urn"] ?? null, redact);
    case "list":
      return seen.value.map((item) => mask(item, redact));
    case "asset": {
      // Besides its signature, the SDK gives an asset a hash and marks of its own.
      const { [signatureKey]: _signature, __pulumiAsset, __pulumiArchive, hash: _hash, ...rest } = seen.value;
      return maskAll(rest, redact);
    }
    case "object":
      return maskAll(seen.value, redact);
    case "plain":
      return typeof seen.value === "string" ? redact(seen.value) : seen.value;
  }
}

/** `mask` for an object: its keys may tell a secret, too. */
export function maskAll(properties: Properties, redact: (text: string) => string): Properties {
  const shown = new Map<string, Json>();
  for (const [key, item] of Object.entries(properties)) {
    if (shown.has(redact(key)))
      throw new PlanError(
        "secret-in-name",
        `two keys of an object differ only in a secret (${redact(key)}), and keys are shown; take the secret out of them`,
      );
    shown.set(redact(key), mask(item, redact));
  }
  return Object.fromEntries(shown);
}

/** Whether a value holds a secret or an unknown anywhere. */
export function marks(value: Json): { secret: boolean; unknown: boolean } {
  const found = { secret: false, unknown: false };
  const walk = (item: Json): void => {
    const seen = visit(item);
    if (seen.kind === "unknown") found.unknown = true;
    else if (seen.kind === "secret") {
      found.secret = true;
      walk(seen.value);
    } else if (seen.kind === "output") {
      found.secret ||= seen.secret;
      if (seen.value === undefined) found.unknown = true;
      else walk(seen.value);
    } else if (seen.kind === "list") seen.value.forEach(walk);
    else if (seen.kind === "object" || seen.kind === "asset") Object.values(seen.value).forEach(walk);
    else if (seen.kind === "plain" && seen.value === secretMark) found.secret = true;
  };
  walk(value);
  return found;
}

/** Adds every text inside a secret to `into`. */
export function secretTexts(value: Json, into: Set<string>, inside = false): void {
  const seen = visit(value);
  if (seen.kind === "plain") {
    if (inside && typeof seen.value === "string") into.add(seen.value);
  } else if (seen.kind === "secret") secretTexts(seen.value, into, true);
  else if (seen.kind === "output") {
    if (seen.value !== undefined) secretTexts(seen.value, into, inside || seen.secret);
  } else if (seen.kind === "list") for (const item of seen.value) secretTexts(item, into, inside);
  else if (seen.kind === "object" || seen.kind === "asset")
    for (const item of Object.values(seen.value)) secretTexts(item, into, inside);
}

export function encode(properties: Properties): structpb.Struct {
  return structpb.Struct.fromJavaScript(properties);
}

export function decode(struct: structpb.Struct | undefined): Properties {
  const properties: Properties = {};
  struct?.getFieldsMap().forEach((value, key) => {
    properties[key] = decodeValue(value);
  });
  return properties;
}

function decodeValue(value: structpb.Value): Json {
  switch (value.getKindCase()) {
    case structpb.Value.KindCase.NUMBER_VALUE:
      return value.getNumberValue();
    case structpb.Value.KindCase.STRING_VALUE:
      return value.getStringValue();
    case structpb.Value.KindCase.BOOL_VALUE:
      return value.getBoolValue();
    case structpb.Value.KindCase.STRUCT_VALUE:
      return decode(value.getStructValue());
    case structpb.Value.KindCase.LIST_VALUE:
      return value.getListValue()?.getValuesList().map(decodeValue) ?? [];
    default:
      return null;
  }
}
