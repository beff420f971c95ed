import type { Plan, PlannedResource } from "./plan.ts";
import { printable } from "./printable.ts";
import { isDefaultProvider } from "./urn.ts";

// What Mermaid draws unless its page allows more (maxEdges, maxTextSize of
// https://mermaid.js.org/config/schema-docs/config.html); GitHub does not.
const mostEdges = 500;
const mostCharacters = 50_000;
// Each edge is looked at with all that its end needs.
const mostReduced = 2000;

/** A node of the graph: a resource, or a component with all that is below it. */
interface Node {
  id: string;
  resource: PlannedResource;
  children: Node[];
  /** How many resources it stands for besides itself. */
  hidden: number;
  /** Nodes that must be there before it. */
  needs: Set<Node>;
}

/**
 * Plans as a Mermaid flowchart: each stack and component is a box around its resources, an arrow goes from a resource to
 * what needs it. Arrows that follow from others are left out. A graph that is too large for Mermaid shows components
 * alone, and `fits` if Mermaid draws at least those.
 */
export function graphOf(plans: Plan[]): { text: string; shows: "resources" | "components"; fits: boolean } {
  const whole = draw(plans, Number.POSITIVE_INFINITY);
  if (whole.fits) return { ...whole, shows: "resources" };
  return { ...draw(plans, 1), shows: "components" };
}

/** Draws what is at most `depth` below each stack. */
function draw(plans: Plan[], depth: number): { text: string; fits: boolean } {
  const roots = plans.map((plan, at) => nodesOf(plan, `s${at}`, depth));
  const all = roots.flatMap((root) => [...walk(root)]);
  const reduced = all.length <= mostReduced ? reduce(all) : new Map(all.map((node) => [node, [...node.needs]]));
  const edges = all.flatMap((node) => (reduced.get(node) ?? []).map((need) => `  ${need.id} --> ${node.id}`));
  const text = ["flowchart LR", ...roots.flatMap((root) => boxOf(root, "  ")), ...edges, ""].join("\n");
  return { text, fits: edges.length <= mostEdges && text.length <= mostCharacters };
}

/** The nodes of a plan, with the stack at the top. */
function nodesOf({ resources }: Plan, prefix: string, depth: number): Node {
  const shown = resources.filter((resource) => !isDefaultProvider(resource));
  const children = Map.groupBy(shown, ({ parent }) => parent);
  const byUrn = new Map<string, Node>();
  const make = (resource: PlannedResource, level: number): Node => {
    const node: Node = { id: `${prefix}r${byUrn.size}`, resource, children: [], hidden: 0, needs: new Set() };
    byUrn.set(resource.urn, node);
    for (const child of children.get(resource.urn) ?? []) {
      if (level < depth) node.children.push(make(child, level + 1));
      else node.hidden += fold(child, node);
    }
    return node;
  };
  const fold = ({ urn }: PlannedResource, into: Node): number => {
    byUrn.set(urn, into);
    return (children.get(urn) ?? []).reduce((sum, child) => sum + fold(child, into), 1);
  };
  const [stack] = children.get(null) ?? [];
  if (!stack) throw new Error("a plan has no stack to draw");
  const root = make(stack, 0);
  const above = new Map([...walk(root)].flatMap((node) => node.children.map((child) => [child, node] as const)));
  const holds = (outer: Node, inner: Node): boolean => {
    for (let node: Node | undefined = inner; node; node = above.get(node)) if (node === outer) return true;
    return false;
  };
  for (const { urn, dependencies } of shown) {
    const node = byUrn.get(urn);
    for (const dependency of dependencies) {
      const need = byUrn.get(dependency);
      // Mermaid draws no arrow from a box to what is in it.
      if (node && need && !holds(need, node) && !holds(node, need)) node.needs.add(need);
    }
  }
  return root;
}

function* walk(node: Node): Generator<Node> {
  yield node;
  for (const child of node.children) yield* walk(child);
}

/** What each node needs that none of its other needs brings along. */
function reduce(nodes: Node[]): Map<Node, Node[]> {
  const reached = new Map<Node, Set<Node>>();
  const reach = (node: Node): Set<Node> => {
    const known = reached.get(node);
    if (known) return known;
    const found = new Set<Node>();
    // Folded into components, needs may go in a circle.
    reached.set(node, found);
    for (const need of node.needs) {
      found.add(need);
      for (const further of reach(need)) found.add(further);
    }
    return found;
  };
  return new Map(
    nodes.map((node) => {
      const needs = [...node.needs];
      return [
        node,
        needs.filter(
          (need) => !needs.some((other) => other !== need && reach(other).has(need) && !reach(need).has(other)),
        ),
      ];
    }),
  );
}

function boxOf(node: Node, indent: string): string[] {
  const { id, resource, children, hidden } = node;
  const label = labelOf(resource, hidden);
  if (children.length === 0) return [`${indent}${id}${shape(resource, label)}`];
  return [
    `${indent}subgraph ${id}[${label}]`,
    ...children.flatMap((child) => boxOf(child, `${indent}  `)),
    `${indent}end`,
  ];
}

/** A provider's resource has corners, a component is round, what only exists already is a hexagon. */
function shape({ custom, read }: PlannedResource, label: string): string {
  if (read) return `{{${label}}}`;
  return custom ? `[${label}]` : `(${label})`;
}

function labelOf({ name, type, protect, opaque }: PlannedResource, hidden: number): string {
  const facts = [hidden > 0 && `${hidden} in it`, protect && "protected", opaque && "opaque"].filter(
    (fact) => fact !== false,
  );
  const kind = type.replace(/:[\w/-]+:/, ":");
  return `"${[name, kind, ...facts].map(escaped).join("<br/>")}"`;
}

/** Text that is neither HTML nor Markdown nor Mermaid: https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters */
const escaped = (text: string): string =>
  printable(text).replaceAll(/[^\p{L}\p{N} /:,()@=-]|:(?=fa-)/gu, (character) => `#${character.codePointAt(0)};`);
