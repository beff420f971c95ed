import { expect, it } from "vitest";
import { resolver, typed, unknown } from "./heat-value.ts";

const values: Readonly<Record<string, unknown>> = { acl: ".r:*", list: ["a", "b"], map: { a: { b: 1 } } };
const parameter = (name: string) => values[name] ?? unknown;
const files = { "a.sh": "run X" };
const later = { get_attr: ["net", "a"] };

it.each([
  ["a parameter", { get_param: "acl" }, ".r:*"],
  ["a part of a parameter", { get_param: ["map", "a", "b"] }, 1],
  ["a part that is not there", { get_param: ["map", "c", "b"] }, unknown],
  ["a file in a text", { str_replace: { template: { get_file: "a.sh" }, params: { X: "it" } } }, "run it"],
  ["longer names first, each place once", { str_replace: { template: "a ab", params: { a: "ab", ab: "c" } } }, "ab c"],
  ["a text with a gap", { list_join: [",", ["a", later]] }, "a,[unknown]"],
  ["a text that is all gap", { list_join: ["", [later]] }, unknown],
  ["several lists in one text", { list_join: ["-", ["a"], { get_param: "list" }] }, "a-a-b"],
  ["lists one after the other", { list_concat: [["x"], { get_param: "list" }] }, ["x", "a", "b"]],
  ["maps in one another", { map_merge: [{ a: 1, b: 1 }, { b: 2 }] }, { a: 1, b: 2 }],
  ["a map with an unknown one", { map_merge: [{ a: 1 }, later] }, unknown],
  ["an item that is left out", ["a", { if: ["c", "b"] }, { x: { if: ["c", 1, 2] } }], ["a", "b", { x: 1 }]],
  [
    "every way",
    { repeat: { for_each: { X: ["1", "2"], Y: ["a", "b"] }, template: "X-Y" } },
    ["1-a", "1-b", "2-a", "2-b"],
  ],
  [
    "side by side",
    { repeat: { for_each: { X: ["1", "2"], Y: ["a", "b"] }, permutations: false, template: { X: "Y" } } },
    [{ 1: "a" }, { 2: "b" }],
  ],
  ["too many", { repeat: { for_each: { X: Array(40).fill(1), Y: Array(40).fill(1) }, template: "X" } }, unknown],
  [
    "a text that grows too long",
    { str_replace: { template: "X".repeat(2000), params: { X: "x".repeat(1000) } } },
    unknown,
  ],
  ["what only Heat knows", { digest: ["sha512", "a"] }, unknown],
])("works out %s", (_, value, expected) => {
  expect(resolver({ parameter, files, branch: true })(value)).toEqual(expected);
});

it("takes the other value of an if, or leaves it out", () => {
  const other = resolver({ parameter, files: {}, branch: false });
  expect(other({ a: { if: ["c", 1, 2] }, b: { if: ["c", 1] } })).toEqual({ a: 2 });
});

it("repeats only so often in all", () => {
  const inner = { repeat: { for_each: { Y: Array(900).fill(1) }, template: "X" } };
  expect(resolver({ parameter, files: {}, branch: true })([inner, inner])).toEqual([Array(900).fill("X"), unknown]);
});

it("reads parameters as their type has them", () => {
  expect(typed("a, b", "comma_delimited_list")).toEqual(["a", "b"]);
  expect(typed('{"a":1}', "json")).toEqual({ a: 1 });
  expect(typed("{", "json")).toBe("{");
  expect(typed("1", "string")).toBe("1");
  expect(typed(unknown, "json")).toBe(unknown);
});
