import type { How } from "@cais/spec/api.ts";
import type { Table } from "@cais/spec/stack.ts";
import type { PresentFile } from "../ledger/index.ts";
import { rootsAnew } from "./append.ts";
import type { MadeRun, Session } from "./attempt.ts";
import { grow, list } from "./columns.ts";
import { basisOf, type Draft, fileOf, sqlOf } from "./draft.ts";

/** How the tables that a replaced one reads are to be seen. */
export interface Sources {
  /** Makes a table visible: whole, or only the rows that the batch adds to it. */
  see(name: string, rows: "whole" | "added"): Promise<void>;
  /** What the batch makes of a table; undefined: nothing. */
  draft(name: string): Promise<Draft | undefined>;
}

/** A replaced table as a batch makes it; undefined if it stays as it is, because a newer file's rows are in it. */
export async function replaceDraft(
  session: Session,
  table: Table,
  runs: MadeRun[],
  sources: Sources,
): Promise<Draft | undefined> {
  const { engine, plan, tables, stack } = session;
  const { name, sql, partitionBy, replace } = table;
  const last = runs.at(-1)?.run;
  if (last === undefined) return undefined;
  const readsInput = plan.readsInput(name);
  const isNewer = ({ parts }: PresentFile) => parts.some(({ fileNumber }) => (fileNumber ?? 0) > last.fileNumber);
  if (readsInput && replace === "table" && (await tables.state(name))?.files.some(isNewer) === true) return undefined;
  const how = readsInput ? ofEachFile(replace) : await howMade(session, table, sources);
  const isIncremental = how.mode === "incremental" && !readsInput;
  for (const source of plan.reads(name)) await sources.see(source, isIncremental ? "added" : "whole");
  const made = await engine.makeTable({
    folder: session.folder,
    name,
    sql: sqlOf(stack, sql),
    partitionBy,
    before: [],
  });
  const head = await tables.head(name);
  const draft = { given: made.columns, operation: "WRITE" as const, how, contributions: [] };
  const adds = made.files.map((file) => fileOf(last, file));
  if (isIncremental) {
    const columns = grow(name, head?.columns, made.columns, head?.basis?.columns);
    return { ...draft, columns, kept: undefined, adds, removes: [], whole: false };
  }
  const files = (await tables.state(name))?.files ?? [];
  if (replace === "table") return { ...draft, columns: made.columns, kept: [], adds, removes: files, whole: true };

  const partitionOf = ({ partition }: Pick<PresentFile, "partition">) =>
    JSON.stringify(partitionBy.map((column) => partition[column] ?? null));
  const newer = new Set(readsInput ? files.filter(isNewer).map(partitionOf) : []);
  const taken = adds.filter((add) => !newer.has(partitionOf(add.made)));
  const partitions = new Set(taken.map((add) => partitionOf(add.made)));
  // What a file gave before goes, also where it gives nothing for a partition any more.
  const anew = readsInput ? rootsAnew(runs) : new Set<string>();
  const isOfAnew = ({ parts }: PresentFile) => parts.every(({ root }) => root !== null && anew.has(root));
  const isGone = (file: PresentFile) => partitions.has(partitionOf(file)) || isOfAnew(file);
  const kept = files.filter((file) => !isGone(file));
  const removes = files.filter(isGone);
  const whole = kept.length === 0 && head !== undefined && list(head.columns) !== list(made.columns);
  const columns = whole ? made.columns : grow(name, head?.columns, made.columns, head?.basis?.columns);
  return { ...draft, columns, kept, adds: taken, removes, whole };
}

const full = (why: string): How => ({ mode: "full", why });

const ofEachFile = (replace: Table["replace"]): How =>
  replace === "partitions" ? { mode: "incremental" } : { mode: "full", why: "it is replaced by what each file gives" };

/** Whether the rows that the batch adds are enough to make the table. */
async function howMade(session: Session, table: Table, sources: Sources): Promise<How> {
  const { plan, tables, stack } = session;
  const { name, replace } = table;
  const grows = plan.grows(name);
  if ("why" in grows) return full(grows.why);
  if (replace === "partitions") return full("it replaces partitions");
  const head = await tables.head(name);
  if (head === undefined) return full("it is new");
  const { basis } = head;
  if (basis === null || basis.sql !== basisOf(stack, table, []).sql || basis.disposition !== table.disposition)
    return full("its SQL changed");
  const { of: source } = grows;
  const before = await tables.head(source);
  if (before === undefined || basis.sources[source] !== before.content)
    return full(`${source} changed since it was made last`);
  const draft = await sources.draft(source);
  if (draft !== undefined && draft.removes.length > 0) return full(`rows of ${source} were replaced`);
  if (draft !== undefined && list(draft.columns) !== list(before.columns)) return full(`${source} has other columns`);
  return { mode: "incremental" };
}
