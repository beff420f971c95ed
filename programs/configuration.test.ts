import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { z } from "zod";
import { isolatedKeys, sharedKeys } from "./keys.ts";

/** What is read here of a JSON schema. */
interface Schema {
  type?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: unknown[];
  oneOf?: Schema[];
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
}

const words: Record<string, string> = {
  string: "text",
  integer: "whole number",
  number: "number",
  boolean: "boolean",
  array: "list",
};

/** Every key that takes a value, with its type in the words of the page. */
function keysOf(schema: Schema, path: string): Record<string, string> {
  if (schema.properties !== undefined)
    return Object.assign(
      {},
      ...Object.entries(schema.properties).map(([key, inner]) => keysOf(inner, `${path}${path && "."}${key}`)),
    );
  if (schema.oneOf?.every(({ properties }) => properties && "kind" in properties))
    return Object.assign({}, ...schema.oneOf.map((kind) => keysOf(kind, path)));
  if (typeof schema.additionalProperties === "object") {
    const isSecret = path.startsWith("secrets.");
    return isSecret ? { [`cais:${path}.<name>`]: "secret" } : keysOf(schema.additionalProperties, `${path}.<rule>`);
  }
  const word = schema.enum || schema.const !== undefined ? "choice" : words[schema.type ?? ""];
  return { [`cais:${path}`]: word ?? "group" };
}

const keys = (schema: z.ZodType) => keysOf(z.toJSONSchema(schema, { io: "input" }) as Schema, "");

it("docs/configuration.md has every key with its type, and tells which ones an isolated stack may have", () => {
  const page = readFileSync("docs/configuration.md", "utf8");
  const rows = [...page.matchAll(/^\| `(cais:[^`]+)` \| ([^|]+) \| (yes|no) \|/gm)];
  expect(Object.fromEntries(rows.map(([, key = "", type]) => [key, type]))).toEqual(keys(sharedKeys(["<stack>"])));
  const isolated = rows.flatMap(([, key = "", , may]) => (may === "yes" ? [key] : []));
  expect(isolated.toSorted()).toEqual(Object.keys(keys(isolatedKeys("<stack>"))).toSorted());
});
