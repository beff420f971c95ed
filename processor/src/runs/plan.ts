import { tableOf } from "@cais/spec/sinks.ts";
import type { Stack } from "@cais/spec/stack.ts";
import type { Engine } from "../engine/index.ts";
import type { OpenStack } from "./stack.ts";

type Table = Stack["tables"][number];

/** How a stack's tables depend on each other and on a run's rows. */
export interface Plan {
  /** Tables that are made of each run's rows, in the stack's order. */
  perRun: Table[];
  /** Tables that are made once for all runs of a batch, after the others. */
  shared: Table[];
  /** Tables that later SQL of the same kind or a sink sees whole, by name. */
  isSeen: (table: string) => boolean;
  /** Tables whose SQL reads `input`. */
  readsInput: (table: string) => boolean;
  /**
   * Whether a replay must read the whole file. Rows alone would make a table that is replaced by what `input` holds lose
   * the file's other rows; uniqueness is asked of all rows of a file; and what a preamble says is not kept with a row.
   */
  wholeFile: boolean;
}

const plans = new WeakMap<OpenStack, Plan>();

/** The plan of a stack, found in its SQL by the engine's own parser. */
export async function planOf(stack: OpenStack, engine: Engine): Promise<Plan> {
  const known = plans.get(stack);
  if (known !== undefined) return known;
  const { tables, sinks, contract } = stack.config.stack;
  const reads = await engine.reads(tables.map(({ name, sql }) => ({ name, sql: stack.config.sql[sql ?? ""] ?? "" })));
  const readBy = (reader: string, table: string) => reads[reader]?.includes(table.toLowerCase()) === true;
  const readsInput = (table: string) => readBy(table, "input");
  const appended = tables.filter(({ disposition }) => disposition === "append");
  const replaced = tables.filter(({ disposition }) => disposition === "replace");
  // Else a table that is replaced is part of what each run sees, so runs cannot share it.
  const canShare =
    !replaced.some(({ name }) => readsInput(name)) &&
    !appended.some(({ name }) => replaced.some((table) => readBy(name, table.name)));
  const seen = new Set(
    tables.map(({ name }) => name).filter((name) => tables.some((reader) => readBy(reader.name, name))),
  );
  for (const table of sinks.map(tableOf)) if (table !== undefined) seen.add(table);
  const plan: Plan = {
    perRun: canShare ? appended : tables,
    shared: canShare ? replaced : [],
    isSeen: (table) => seen.has(table),
    readsInput,
    wholeFile:
      replaced.some(({ name }) => readsInput(name)) ||
      contract.unique.length > 0 ||
      contract.columns.some(({ unique, from }) => unique || typeof from === "object"),
  };
  plans.set(stack, plan);
  return plan;
}
