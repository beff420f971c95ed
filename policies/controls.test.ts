import { describe, expect, it } from "vitest";
import { controls } from "./controls.ts";
import { rules } from "./rules.ts";

const all = Object.entries(controls).flatMap(([noun, list]) => list.map((control) => ({ noun, ...control })));

describe("the controls", () => {
  it("each have a rule, or say why not", () => {
    expect(all.filter(({ rules, why }) => rules.length === 0 && !why)).toEqual([]);
  });

  it("name rules that there are", () => {
    const known = new Set<string>(rules.map(({ name }) => name));
    expect(all.flatMap(({ rules }) => rules).filter((name) => !known.has(name))).toEqual([]);
  });
});
