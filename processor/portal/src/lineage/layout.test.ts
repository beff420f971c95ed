import { describe, expect, it } from "vitest";
import { layOut, type Graph } from "./layout.ts";

const sizes = { width: 400, box: { min: 80, max: 200, height: 40 }, gap: { x: 20, y: 10 } };
const graph = (edges: string[], last: string[] = []): Graph => {
  const pairs = edges.map((edge) => edge.split(">")).map(([from = "", to = ""]) => ({ from, to }));
  const ids = [...new Set(pairs.flatMap(({ from, to }) => [from, to]))];
  return { nodes: ids.map((id) => ({ id, last: last.includes(id) })), edges: pairs };
};
const placed = (of: Graph) => Object.fromEntries([...layOut(of, sizes).boxes].map(([id, { x, y }]) => [id, [x, y]]));

const chain = (length: number) => graph(Array.from({ length: length - 1 }, (_, index) => `${index}>${index + 1}`));

describe("a lineage is laid out", () => {
  it("from the left to the right, each box after all that it is made of", () => {
    expect(layOut(graph(["file>a", "a>b"]), sizes)).toEqual({
      width: 400,
      height: 40,
      boxes: new Map([
        ["file", { x: 0, y: 0, width: 120, height: 40 }],
        ["a", { x: 140, y: 0, width: 120, height: 40 }],
        ["b", { x: 280, y: 0, width: 120, height: 40 }],
      ]),
      curves: ["M120 20C130 20 130 20 140 20", "M260 20C270 20 270 20 280 20"],
    });
  });

  it("with the last ones in the last column, and an edge that passes one between its boxes", () => {
    // file > silver > gold, and a sink of each: silver's edge passes gold's column.
    const { boxes, curves, height } = layOut(graph(["file>s", "s>g", "g>x", "s>y"], ["x", "y"]), sizes);
    expect([...boxes].map(([id, { x }]) => [id, x])).toEqual([
      ["file", 0],
      ["s", 105],
      ["g", 210],
      ["x", 315],
      ["y", 315],
    ]);
    expect(height).toBe(90);
    // Beside gold's box (14 to 54), not through it.
    expect(curves[3]).toBe("M190 45C200 45 200 70 210 70H295C305 70 305 70 315 70");
    expect(boxes.get("g")).toMatchObject({ y: 14, height: 40 });
  });

  it("so that edges cross as little as they must", () => {
    // Given in the crossing order: a's and b's children are named the other way round.
    expect(placed(graph(["file>a", "file>b", "b>y", "a>x"]))).toMatchObject({
      a: [140, 0],
      b: [140, 50],
      x: [280, 0],
      y: [280, 50],
    });
    expect(placed(graph(["file>a", "file>b", "b>q", "a>p"]))).toMatchObject({ p: [280, 0], q: [280, 50] });
  });

  it("never with boxes that are too small or too large", () => {
    expect(layOut(chain(8), sizes)).toMatchObject({ width: 8 * 80 + 7 * 20 });
    expect(layOut({ nodes: [{ id: "one" }], edges: [] }, sizes)).toMatchObject({ width: 200, height: 40 });
    expect(layOut({ nodes: [], edges: [] }, sizes)).toMatchObject({ height: 0, curves: [] });
  });
});
