import type { Delivery, Run, RunOutput } from "@cais/spec/api.ts";
import type { Lineage, LineageNode, LineageState } from "@cais/spec/lineage.ts";
import { kindOf, type Sink, tableOf } from "@cais/spec/sinks.ts";
import type { Stack } from "@cais/spec/stack.ts";
import type { Plan } from "./plan.ts";

export interface LineageOf extends Pick<Plan, "reads" | "readsInput"> {
  run: Run;
  stack: Stack;
}

/** What a run made of what, by the stack's SQL of now, and who is told of how it ended. */
export function lineageOf({ run, stack, reads, readsInput }: LineageOf): Lineage {
  const nodes: LineageNode[] = [fileNode(run)];
  const edges: Lineage["edges"] = [];
  for (const { name, layer } of stack.tables) {
    nodes.push({ ...tableNode(run, name), layer });
    if (readsInput(name)) edges.push({ from: "file", to: `table/${name}` });
    for (const read of reads(name)) edges.push({ from: `table/${read}`, to: `table/${name}` });
  }
  for (const [nth, sink] of stack.sinks.entries()) {
    const table = tableOf(sink);
    if (table === undefined) {
      const told = toldNode(run, sink, nth);
      if (told === undefined) continue;
      nodes.push(told);
      edges.push({ from: "file", to: told.id });
      continue;
    }
    const node = sinkNode(run, sink, nth, table);
    nodes.push(node);
    edges.push({ from: `table/${table}`, to: node.id });
  }
  return { run: run.id, stack: stack.name, nodes, edges };
}

const nothing = {
  layer: null,
  sink: null,
  rows: null,
  bytes: null,
  how: null,
  version: null,
  location: null,
  delivery: null,
} satisfies Partial<LineageNode>;

const moves = ({ state }: Run) => state === "queued" || state === "running";

function fileNode(run: Run): LineageNode {
  const { file, rows, state } = run;
  const lost = state === "quarantined" || (state === "failed" && run.outputs.length === 0);
  return {
    ...nothing,
    id: "file",
    kind: "file",
    name: file.name,
    state: lost ? "failed" : rows.read === 0 && moves(run) ? "waiting" : "done",
    rows: rows.read,
    bytes: file.bytes,
    location: file.key,
  };
}

/** What became of something that is not there. */
function missing(run: Run, step: string): LineageState {
  if (moves(run)) return "waiting";
  return run.steps.some(({ name, finishedAt }) => name === step && finishedAt === null) ? "failed" : "none";
}

function tableNode(run: Run, name: string): LineageNode {
  const node = { ...nothing, id: `table/${name}`, kind: "table", name } as const;
  const output = run.outputs.find((output) => output.kind === "table" && output.name === name);
  if (output === undefined) return { ...node, state: missing(run, `tables/${name}`) };
  const { rows, bytes, location, how = null, version = null } = output;
  return { ...node, state: "done", rows, bytes, location, how, version };
}

const delivered: Record<Delivery["state"], LineageState> = {
  pending: "waiting",
  delivering: "waiting",
  retrying: "waiting",
  delivered: "done",
  superseded: "done",
  failed: "failed",
};

function sinkNode(run: Run, sink: Sink, nth: number, table: string): LineageNode {
  const kind = kindOf(sink);
  const id = `${nth}-${kind}-${table}`;
  const node = { ...nothing, id: `sink/${id}`, kind: "sink", name: table, sink: kind } as const;
  const output = outputOf(run, sink, table);
  const made = { rows: output?.rows ?? null, bytes: output?.bytes ?? null, location: output?.location ?? null };
  const delivery = run.deliveries.find((delivery) => delivery.sink === id);
  if (delivery !== undefined) {
    const { rows, bytes, error, state } = delivery;
    return { ...node, ...made, rows, bytes, state: delivered[state], delivery: { id: delivery.id, state, error } };
  }
  if (output === undefined) return { ...node, state: missing(run, `sinks/${kind}/${table}`) };
  return { ...node, ...made, state: "done" };
}

/** A sink that gets no rows but is told of the run's end, or refreshed after it; undefined: not of such an end. */
function toldNode(run: Run, sink: Sink, nth: number): LineageNode | undefined {
  const name = sink.webhook?.url.secret ?? sink.bi?.refresh?.dataset;
  const endings: readonly string[] = sink.webhook?.on ?? ["done"];
  if (name === undefined || (!moves(run) && !endings.includes(run.state))) return undefined;
  const kind = kindOf(sink);
  const id = `${nth}-${kind}-${name}`;
  const node = { ...nothing, id: `sink/${id}`, kind: "sink", name, sink: kind } as const;
  // Of each end that the run came to it is told once: the last one counts.
  const last = run.deliveries.findLast((delivery) => delivery.sink === id);
  if (last === undefined) return { ...node, state: moves(run) ? "waiting" : "none" };
  return { ...node, state: delivered[last.state], delivery: { id: last.id, state: last.state, error: last.error } };
}

/** What a sink delivered in the run itself, by its place in the stack. */
export function deliveredIn(run: Run, { sinks }: Stack, nth: number): RunOutput | undefined {
  const sink = sinks[nth];
  const table = sink && tableOf(sink);
  return sink === undefined || table === undefined ? undefined : outputOf(run, sink, table);
}

/** Of two sinks of one kind and table, each is known by the key that it is given. */
function outputOf(run: Run, sink: Sink, table: string): RunOutput | undefined {
  const key = (sink.csv ?? sink.parquet)?.to.replace(/\.[^./]*$/, "") ?? "";
  return run.outputs.find(
    ({ kind, name, location }) => kind === kindOf(sink) && name === table && location.includes(key),
  );
}
