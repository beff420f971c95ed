import { expect, it } from "vitest";
import { countReasons } from "./reasons.ts";

const row = (row: number, reason: string) => ({ row, reason, member: null, column: null, value: null, text: null });

it("counts reasons, the most frequent first, ties in the order of the file", () => {
  expect(countReasons([row(2, "b"), row(3, "a"), row(4, "c"), row(5, "a")])).toEqual([
    { reason: "a", count: 2 },
    { reason: "b", count: 1 },
    { reason: "c", count: 1 },
  ]);
  expect(countReasons([])).toEqual([]);
});
