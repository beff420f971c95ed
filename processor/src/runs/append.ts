import { join } from "node:path";
import type { TableColumn } from "@cais/spec/api.ts";
import type { Table } from "@cais/spec/stack.ts";
import type { MadeFile } from "../engine/messages.ts";
import type { Part, PresentFile } from "../ledger/index.ts";
import type { MadeRun, Session } from "./attempt.ts";
import { ColumnsChanged, grow, list } from "./columns.ts";
import { EndedEarly } from "./faults.ts";
import { type Draft, type DraftFile, fileOf } from "./draft.ts";
import { type KeptFile, keptFiles } from "./present.ts";

/** The received files of which runs bring all rows anew, in place of what earlier runs of them brought. */
export const rootsAnew = (runs: MadeRun[]): ReadonlySet<string> =>
  new Set(runs.filter(({ run, scope }) => scope === "file" && run.kind !== "load").map(({ run }) => run.fileRoot));

/** Whether a file waits to be run again, or is in this session. */
export const isRunAgain = ({ again }: Session, { root, rerun }: { root: string | null; rerun: boolean }): boolean =>
  rerun || (root !== null && again.has(root));

/** An appended table with the rows that runs add, or bring anew. */
export async function appendDraft(session: Session, table: Table, runs: MadeRun[]): Promise<Draft> {
  const { tables } = session;
  const { name } = table;
  const made = runs.flatMap((run) => run.tables.get(name) ?? []);
  const given = made[0]?.columns ?? [];
  const draft = {
    adds: runs.flatMap(({ run, tables }) => tables.get(name)?.files.map((file) => fileOf(run, file)) ?? []),
    given,
    whole: false,
    operation: "WRITE" as const,
    how: { mode: "incremental" as const },
    contributions: [],
  };
  const head = await tables.head(name);
  const grown = () =>
    made.reduce((before, { columns }) => grow(name, before, columns, head?.basis?.columns), head?.columns) ?? given;
  const anew = rootsAnew(runs);
  if (anew.size === 0) return { ...draft, columns: grown(), kept: undefined, removes: [] };

  const files = (await tables.state(name))?.files ?? [];
  await checkFound(session, name, files, anew);
  const kept = keptFiles(files, anew);
  const first = runs[0]?.run;
  const renewed: DraftFile[] = [];
  const renew = async (of: KeptFile[], to: { columns: TableColumn[]; convert: boolean }) => {
    for (const file of of)
      for (const one of await renewFile(session, table, file, to))
        if (first !== undefined) renewed.push({ made: one, run: first, parts: inOrder(file.parts) });
  };
  try {
    const columns = grown();
    await renew(
      kept.filter((file) => !isWhole(file)),
      { columns: head?.columns ?? given, convert: false },
    );
    const stay = kept.filter(isWhole).map(({ file }) => file);
    const removes = files.filter((file) => !stay.includes(file));
    return { ...draft, columns, kept: stay, adds: [...renewed, ...draft.adds], removes };
  } catch (error) {
    // Where all other files wait to be made again, they have what they can have of the new columns until then.
    const wait = kept.every(({ parts }) => parts.every((part) => isRunAgain(session, part)));
    if (!(error instanceof ColumnsChanged) || !wait || made.some(({ columns }) => list(columns) !== list(given)))
      throw error;
    await renew(kept, { columns: given, convert: true });
    const how = { mode: "full" as const, why: "its columns changed" };
    return { ...draft, columns: given, kept: [], adds: [...renewed, ...draft.adds], removes: files, whole: true, how };
  }
}

/**
 * Refuses to bring a file's rows anew where those that it brought before may be in files that another program wrote, as
 * after an OPTIMIZE of its own: they could not be taken out, so they would be there twice.
 */
async function checkFound({ ledger }: Session, name: string, files: PresentFile[], roots: ReadonlySet<string>) {
  const parts = files.flatMap((file) => file.parts);
  if (!parts.some(({ run }) => run === null)) return;
  const found = new Map<string | null, number>();
  for (const { run, rows } of parts) found.set(run, (found.get(run) ?? 0) + rows);
  for (const root of roots) {
    // Newest first. What the oldest one of which rows are there and those after it brought was never replaced.
    const before = (await ledger.runs({ root, limit: 1000 })).flatMap(({ id, outputs }) =>
      outputs.flatMap((output) => (output.kind === "table" && output.name === name ? [{ id, rows: output.rows }] : [])),
    );
    const oldest = before.findLastIndex(({ id }) => found.has(id));
    const lost = before
      .slice(0, Math.max(1, oldest + 1))
      .reduce((sum, { id, rows }) => sum + rows - (found.get(id) ?? 0), 0);
    if (lost > 0)
      throw new EndedEarly(
        "failed",
        "stack",
        `${lost} ${lost === 1 ? "row" : "rows"} that this file brought into the table "${name}" may be in files which another program rewrote, so to load it anew could double them; delete its rows there and send it once more (again=true), or let Cais alone optimize the table.`,
      );
  }
}

const isWhole = ({ without }: KeptFile) => without.length === 0;

/** Writes what stays of a file anew: as one file, since all of its rows are of one partition. */
async function renewFile(
  session: Session,
  { name, partitionBy }: Table,
  file: KeptFile,
  { columns, convert }: { columns: TableColumn[]; convert: boolean },
): Promise<MadeFile[]> {
  const { engine, tables } = session;
  const writing = () => ({ folder: join(session.folder, "anew", String(session.count())), name, partitionBy });
  const before = (await tables.head(name))?.columns ?? columns;
  const cut =
    file.without.length === 0
      ? undefined
      : (await engine.rewrite({ ...writing(), columns: before, files: await tables.see([file]) })).files;
  if (cut !== undefined && !convert) return cut;
  const from = cut?.[0]?.file ?? (await tables.bring(file.file));
  return (await engine.convert({ ...writing(), columns, from })).files;
}

/** Parts that follow each other in a new file. */
function inOrder(parts: Part[]): Part[] {
  let firstRow = 0;
  return parts.map(({ run, rows }) => {
    const part = { run, firstRow, rows };
    firstRow += rows;
    return part;
  });
}
