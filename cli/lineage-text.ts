import type { Lineage, LineageNode } from "@cais/spec/lineage.ts";
import { printable } from "./grid.ts";
import { formatRows, troubleOf } from "./run-text.ts";

/** A run's lineage as a tree: below each what is made of it. What is made of several is told once, and then named. */
export function lineageLines({ nodes, edges }: Lineage): string[] {
  const lines: string[] = [];
  const told = new Set<string>();

  function tell(node: LineageNode, before: string, mark: string, below: string): void {
    const again = told.has(node.id);
    told.add(node.id);
    lines.push(
      `${before}${mark}${again ? `${describe(node)} (see above)` : [describe(node), ...factsOf(node)].join("  ")}`,
    );
    if (again) return;
    const children = edges.flatMap(({ from, to }) => (from === node.id ? nodes.filter(({ id }) => id === to) : []));
    for (const [index, child] of children.entries()) {
      const last = index === children.length - 1;
      tell(child, before + below, last ? "└─ " : "├─ ", last ? "   " : "│  ");
    }
  }

  for (const node of nodes) if (!edges.some(({ to }) => to === node.id)) tell(node, "", "", "");
  return lines;
}

const describe = ({ kind, name, layer, sink }: LineageNode): string =>
  kind === "file" ? printable(name) : kind === "table" ? `${name} (${layer})` : `${sink}: ${name}`;

function factsOf({ state, rows, how, version, location, kind, delivery }: LineageNode): string[] {
  const trouble = delivery && troubleOf(delivery);
  return [
    ...(state === "done" ? [] : [state === "none" ? "not made" : state]),
    ...(rows === null || state === "none" ? [] : [formatRows(rows)]),
    ...(how === null
      ? []
      : [how.mode === "incremental" ? "from new rows only" : `made anew${how.why ? `: ${how.why}` : ""}`]),
    ...(version === null ? [] : [`version ${version}`]),
    ...(kind === "sink" && location !== null ? [printable(location)] : []),
    ...(delivery?.state === "superseded" ? ["a later delivery took its place"] : []),
    ...(trouble === null ? [] : [trouble]),
  ];
}
