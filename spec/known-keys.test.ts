import { expect, it } from "vitest";
import { z } from "zod";
import { knownKeys } from "./known-keys.ts";

const schema = z.strictObject({
  name: z.string(),
  place: z
    .strictObject({
      store: z.strictObject({ path: z.string() }).optional(),
      ports: z.array(z.strictObject({ from: z.number(), to: z.number() }).prefault({ from: 1, to: 2 })),
    })
    .default({ ports: [] }),
});

it.each([
  [[], ["name", "place"]],
  [["place"], ["store", "ports"]],
  [["place", "store"], ["path"]],
  [
    ["place", "ports", 3],
    ["from", "to"],
  ],
  [["place", "ports"], []],
  [["name"], []],
  [["place", "door", "handle"], []],
])("at %j knows %j", (path, keys) => {
  expect(knownKeys(schema, path)).toEqual(keys);
});

const kinds = z.strictObject({
  machine: z
    .discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("one"), wheels: z.number() }),
      z.strictObject({ kind: z.literal("two"), wings: z.strictObject({ span: z.number() }) }),
    ])
    .optional(),
});

it.each([
  [{ machine: { kind: "one" } }, ["machine"], ["kind", "wheels"]],
  [{ machine: { kind: "two" } }, ["machine"], ["kind", "wings"]],
  [{ machine: { kind: "two" } }, ["machine", "wings"], ["span"]],
  [{ machine: { kind: "three" } }, ["machine"], []],
  [{}, ["machine"], []],
])("of %j at %j knows %j", (given, path, keys) => {
  expect(knownKeys(kinds, path, given)).toEqual(keys);
});
