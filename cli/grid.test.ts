import { describe, expect, it } from "vitest";
import { grid, printable } from "./grid.ts";

// Without colours, as vitest's output is no terminal.
const lines = (...given: Parameters<typeof grid>) => grid(...given).lines;

describe("a grid", () => {
  it("puts words at the left, numbers at the right, and no space at a line's end", () => {
    expect(
      lines(
        [{ name: "day" }, { name: "mm", align: "right" }, { name: "note" }],
        [
          ["2024-01-01", "1.5", "rain"],
          ["2024-01-02", "12.25", ""],
        ],
      ),
    ).toEqual(["day            mm  note", "2024-01-01    1.5  rain", "2024-01-02  12.25"]);
  });

  it("counts what a terminal shows: two places for a wide letter, none for an accent", () => {
    expect(
      lines(
        [{ name: "name" }, { name: "n" }],
        [
          ["東京", "1"],
          ["e\u0301te\u0301", "2"],
          ["👩‍🌾", "3"],
        ],
      ),
    ).toEqual(["name  n", "東京  1", "e\u0301te\u0301   2", "👩‍🌾    3"]);
  });

  it.each([
    [40, ["a                      b", "xxxxxxxxxxxxxxxxxxxx…  yyyyyyyyyyyyyyyyy"]],
    [26, ["a             b", "xxxxxxxxxxx…  yyyyyyyyyyy…"]],
    [80, [`a${" ".repeat(31)}b`, `${"x".repeat(30)}  ${"y".repeat(17)}`]],
  ])("narrows the widest cells until it fits %i places", (width, expected) => {
    const { lines, hidden } = grid([{ name: "a" }, { name: "b" }], [["x".repeat(30), "y".repeat(17)]], { width });
    expect(lines).toEqual(expected);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
    expect(hidden).toBe(0);
  });

  it("leaves out the last columns where even narrow ones have no place", () => {
    const columns = ["a", "b", "c", "d"].map((name) => ({ name }));
    const { lines, hidden } = grid(columns, [columns.map(() => "z".repeat(12))], { width: 24 });
    expect({ lines, hidden }).toEqual({ lines: ["a            b", "zzzzzzzzzz…  zzzzzzzzzz…"], hidden: 2 });
  });
});

it("shows nothing that a terminal acts upon", () => {
  expect(printable("a\u001B[2Jb\r\nc\td\u202Ee\u0085")).toBe("a�[2Jb↵c d�e�");
});
