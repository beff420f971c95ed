import { describe, expect, it } from "vitest";
import { StackName, TagValue } from "./names.ts";

const told = (result: { error?: { issues: { message: string }[] } | undefined }) =>
  result.error?.issues.map(({ message }) => message) ?? [];

describe("StackName", () => {
  it.each(["inmet", "a1", `a${"-".repeat(38)}z`, "platforms"])("takes %j", (name) => {
    expect(told(StackName.safeParse(name))).toEqual([]);
  });

  it.each(["", "a", "Inmet", "1a", "a-", `a${"b".repeat(40)}`])("refuses %j", (name) => {
    expect(told(StackName.safeParse(name))).toEqual([
      "2 to 40 characters: a-z, 0-9 and -, a letter first, no - at the end",
    ]);
  });

  it("keeps the name of what stacks share, so that no stack's switch is the platform's", () => {
    expect(told(StackName.safeParse("platform"))).toEqual([
      "is what the stacks of an environment share; choose another name",
    ]);
  });
});

describe("TagValue", () => {
  it.each(["a", "Gestão de dados", "x".repeat(48), "cc-1000/7"])("takes %j", (value) => {
    expect(told(TagValue.safeParse(value))).toEqual([]);
  });

  it.each(["", "a, b", "x".repeat(49), "a\nX-Container-Read: .r:*", " a", "a ", " "])("refuses %j", (value) => {
    expect(told(TagValue.safeParse(value))).toEqual([
      "1 to 48 characters, with no comma, no line break and no space at either end, since it becomes a tag",
    ]);
  });
});
