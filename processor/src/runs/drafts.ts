import type { Table } from "@cais/spec/stack.ts";
import { appendDraft } from "./append.ts";
import type { MadeRun, Session } from "./attempt.ts";
import { type Draft, draftFiles } from "./draft.ts";
import { EndedEarly } from "./faults.ts";
import { mergeDraft } from "./merge.ts";
import { wholeFiles } from "./present.ts";
import { replaceDraft } from "./replace.ts";

/** What the runs of a session that are made by now make of a table; undefined: nothing. */
export async function draftOf(session: Session, table: Table): Promise<Draft | undefined> {
  const { name, disposition, partitionBy } = table;
  const runs = session.made.length;
  const known = session.drafts.get(name);
  if (known?.runs === runs) return known.draft;
  const head = await session.tables.head(name);
  const before = head?.basis?.disposition;
  if (disposition !== "replace" && before !== undefined && before !== disposition)
    throw refused(`Table "${name}" was made by "${before}" and cannot go on by "${disposition}"`);
  if (head !== undefined && head.partitionBy.join() !== partitionBy.join())
    throw refused(
      `Table "${name}" is partitioned by ${head.partitionBy.join(", ") || "nothing"}, and cannot be otherwise`,
    );
  const draft = await draftBy(session, table);
  session.drafts.set(name, { runs, draft });
  return draft;
}

const refused = (what: string) => new EndedEarly("failed", "stack", `${what}; give the new table a new name.`);

function draftBy(session: Session, table: Table): Promise<Draft | undefined> {
  const { made } = session;
  switch (table.disposition) {
    case "append":
      return appendDraft(session, table, made);
    case "merge":
      return mergeDraft(session, table, made);
    case "replace":
      return replaceDraft(session, table, made, {
        async see(name, rows) {
          if (rows === "added") await seeAdded(session, name);
          else await seeWhole(session, name);
        },
        draft: (name) => draftOf(session, tableOf(session, name)),
      });
  }
}

/** A table of the stack by its name. */
export function tableOf({ stack }: Session, name: string): Table {
  const table = stack.config.stack.tables.find((one) => one.name === name);
  if (table === undefined) throw new Error(`The stack "${stack.config.stack.name}" has no table "${name}".`);
  return table;
}

/** Makes a table visible as the runs that are made by now leave it; false if there is none yet. */
export async function seeWhole(session: Session, name: string): Promise<boolean> {
  const { engine, tables, made, seen } = session;
  const as = `whole ${made.length}`;
  if (seen.get(name) === as) return true;
  const draft = made.length === 0 ? undefined : await draftOf(session, tableOf(session, name));
  const state = draft === undefined ? await tables.state(name) : undefined;
  const columns = draft?.columns ?? state?.columns;
  if (columns === undefined) return false;
  const files = draft === undefined ? tables.see(wholeFiles(state?.files ?? [])) : draftFiles(session, name, draft);
  await engine.attachTable(name, await files, columns);
  seen.set(name, as);
  return true;
}

/** Makes only the rows visible that the batch adds to a table from which it takes none. */
async function seeAdded(session: Session, name: string): Promise<void> {
  const draft = await draftOf(session, tableOf(session, name));
  const files = draft?.adds.map(({ made }) => made) ?? [];
  const columns = draft?.columns ?? (await session.tables.head(name))?.columns ?? [];
  await session.engine.attachTable(name, files, columns);
  session.seen.set(name, "added");
}

/** Makes only the rows visible that a run adds to a table. */
export async function seeOwn({ engine, seen }: Session, name: string, run: MadeRun): Promise<void> {
  const own = run.tables.get(name);
  if (own === undefined) throw new Error(`The run ${run.run.id} has not made the table "${name}".`);
  await engine.attachTable(name, own.files, own.columns);
  seen.set(name, `own ${run.run.id}`);
}
