import type { LineageNode } from "@cais/spec/lineage.ts";
import { expect, it } from "vitest";
import { lineageLines } from "./lineage-text.ts";

const node = (id: string, more: Partial<LineageNode> = {}): LineageNode => ({
  id,
  kind: "table",
  name: id,
  layer: "silver",
  sink: null,
  state: "done",
  rows: 2,
  bytes: null,
  how: null,
  version: null,
  location: null,
  delivery: null,
  ...more,
});

it("tells a lineage as a tree, and what is made of several once", () => {
  const nodes = [
    node("file", { kind: "file", name: "a\u001B[2J.csv", layer: null, rows: 1 }),
    node("a", { how: { mode: "incremental" }, version: 3 }),
    node("b", { state: "none" }),
    node("both", { layer: "gold", how: { mode: "full", why: "joins" } }),
    node("sink", {
      kind: "sink",
      name: "both",
      layer: null,
      sink: "bi",
      state: "failed",
      delivery: { id: 1, state: "failed", error: "It was refused." },
    }),
    node("late", {
      kind: "sink",
      layer: null,
      sink: "bi",
      delivery: { id: 2, state: "superseded", error: "It was down." },
    }),
  ];
  const edges = ["file>a", "file>b", "a>both", "b>both", "both>sink", "both>late"].map((edge) => {
    const [from = "", to = ""] = edge.split(">");
    return { from, to };
  });
  expect(lineageLines({ run: "r", stack: "s", nodes, edges })).toEqual([
    "a�[2J.csv  1 row",
    "├─ a (silver)  2 rows  from new rows only  version 3",
    "│  └─ both (gold)  2 rows  made anew: joins",
    "│     ├─ bi: both  failed  2 rows  It was refused.",
    "│     └─ bi: late  2 rows  a later delivery took its place",
    "└─ b (silver)  not made",
    "   └─ both (gold) (see above)",
  ]);
});
