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
  /** Tables whose SQL reads `input`, and the bronze one, which is it. */
  readsInput: (table: string) => boolean;
  /** Names of the stack's tables that a table's SQL reads, in the stack's order. */
  reads: (table: string) => string[];
  /**
   * The appended table of which SQL of an appended or merged one sees what the run added alone, since its own result is added;
   * undefined: it sees all that it reads as it is.
   */
  addedOf: (table: string) => string | undefined;
  /**
   * What a replaced table can grow by: what its SQL gives for rows that were added to `of`; or why it must be made whole. It
   * is right only while rows were only added to `of` and the SQL stays the same.
   */
  grows: (table: string) => { of: string } | { why: string };
  /** The bronze table. */
  bronze: string | undefined;
  /**
   * Whether a replay must read the whole file. Rows alone would make a table that is replaced by what `input` holds lose
   * the file's other rows; uniqueness is asked of all rows of a file; and what a preamble says is not kept with a row.
   */
  wholeFile: boolean;
}

/** What a plan is made of. */
type Planned = { config: Pick<OpenStack["config"], "stack" | "sql"> };

const plans = new WeakMap<Planned, Plan>();

/** The plan of a stack, found in its SQL by the engine's own parser. */
export async function planOf(stack: Planned, engine: Pick<Engine, "reads">): Promise<Plan> {
  const known = plans.get(stack);
  if (known !== undefined) return known;
  const { tables, sinks, contract } = stack.config.stack;
  const made = tables.flatMap(({ name, sql }) =>
    sql === undefined ? [] : [{ name, sql: stack.config.sql[sql] ?? "" }],
  );
  const reads = await engine.reads(made);
  const bronze = tables.find(({ layer }) => layer === "bronze")?.name;
  const readBy = (reader: string, table: string) => reads[reader]?.tables.includes(table.toLowerCase()) === true;
  const readsInput = (table: string) => table === bronze || readBy(table, "input");
  // SQL that reads its own table or a later one is refused where it is made, since it sees those before it alone.
  const before = (reader: string) =>
    tables.slice(
      0,
      tables.findIndex(({ name }) => name === reader),
    );
  const readOf = (reader: string) => before(reader).filter(({ name }) => readBy(reader, name));
  const added = tables.filter(({ disposition }) => disposition !== "replace");
  const replaced = tables.filter(({ disposition }) => disposition === "replace");

  const addedOf = ({ name, disposition }: Table): string | undefined => {
    if (disposition === "replace" || readsInput(name)) return undefined;
    const appended = readOf(name).filter((table) => table.disposition === "append");
    return appended.length === 1 ? appended[0]?.name : undefined;
  };
  // Else a table that is replaced or merged is part of what each run sees, so runs cannot share it.
  const canShare =
    !replaced.some(({ name }) => readsInput(name)) &&
    !added.some(({ name }) => readOf(name).some(({ disposition }) => disposition !== "append"));
  const seen = new Set(
    tables.flatMap((reader) =>
      readOf(reader.name)
        .map(({ name }) => name)
        .filter((name) => name !== addedOf(reader)),
    ),
  );
  for (const table of sinks.map(tableOf)) if (table !== undefined) seen.add(table);
  const grows = ({ name, disposition }: Table): { of: string } | { why: string } => {
    if (disposition !== "replace") return { why: "is not replaced" };
    if (readsInput(name)) return { why: "input" };
    const whole = reads[name]?.whole ?? null;
    if (whole !== null) return { why: whole };
    const [source] = readOf(name);
    if (source === undefined) return { why: "no table" };
    return source.disposition === "merge" ? { why: `${source.name} is merged` } : { of: source.name };
  };
  const byName = <T>(of: (table: Table) => T) => {
    const results = new Map(tables.map((table) => [table.name, of(table)]));
    return (name: string) => results.get(name);
  };
  const growsByName = byName(grows);
  const readsByName = byName(({ name }) => readOf(name).map((table) => table.name));
  const plan: Plan = {
    perRun: canShare ? added : tables,
    shared: canShare ? replaced : [],
    isSeen: (table) => seen.has(table),
    readsInput,
    reads: (table) => readsByName(table) ?? [],
    addedOf: byName(addedOf),
    grows: (table) => growsByName(table) ?? { why: "no table" },
    bronze,
    wholeFile:
      replaced.some(({ name }) => readsInput(name)) ||
      contract.unique.length > 0 ||
      contract.columns.some(({ unique, from }) => unique || typeof from === "object"),
  };
  plans.set(stack, plan);
  return plan;
}
