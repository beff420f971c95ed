import { ifKnown } from "./if-known.ts";

/** A text among a resource's inputs. */
export interface TextInput {
  /** From the resource, such as `metadata.role` or `networks[0].name`. */
  readonly path: string;
  /** The last name in the path; of the `value` beside a `name`, that name. */
  readonly key: string;
  readonly text: string;
}

/** A text of an input that is known already; undefined where it is absent, unknown or no text. */
export function textOf(inputs: object, key: string): string | undefined {
  const value: unknown = ifKnown(() => Reflect.get(inputs, key));
  return typeof value === "string" ? value : undefined;
}

/** All texts among inputs that are known already, at any depth. */
export function* textsOf(inputs: object, path = "", key = ""): Generator<TextInput> {
  for (const name of Object.keys(inputs)) {
    const value: unknown = ifKnown(() => Reflect.get(inputs, name));
    const isItem = Array.isArray(inputs);
    const inner = isItem ? `${path}[${name}]` : path === "" ? name : `${path}.${name}`;
    const called = name === "value" ? (textOf(inputs, "name") ?? name) : name;
    if (typeof value === "string") yield { path: inner, key: isItem ? key : called, text: value };
    else if (typeof value === "object" && value !== null) yield* textsOf(value, inner, isItem ? key : name);
  }
}
