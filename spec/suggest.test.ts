import { expect, it } from "vitest";
import { suggest } from "./suggest.ts";

const keys = ["name", "owner", "environments", "contract", "tables", "sinks"];

it.each([
  ["ownr", "owner"],
  ["onwer", "owner"],
  ["Contract", "contract"],
  ["enviroments", "environments"],
  ["sink", "sinks"],
])("suggests for %s %s", (found, meant) => {
  expect(suggest(found, keys)).toBe(meant);
});

it("suggests nothing when nothing is near", () => {
  expect(suggest("schedule", keys)).toBeUndefined();
  expect(suggest("x", keys)).toBeUndefined();
  expect(suggest("x", ["y"])).toBeUndefined();
  expect(suggest("x", ["X"])).toBe("X");
});

it("takes the nearest of several", () => {
  expect(suggest("mim", ["max", "min"])).toBe("min");
});
