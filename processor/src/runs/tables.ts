import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { TableColumn } from "@cais/spec/api.ts";
import type { Made, SeenFile } from "../engine/messages.ts";
import type { PresentFile, TableChange, TableFile, TableState, TakenRun } from "../ledger/index.ts";
import type { ObjectStore } from "../object-store/index.ts";
import { tableFileKey } from "../tables/index.ts";
import type { MadeRun, Session } from "./attempt.ts";
import { EndedEarly } from "./faults.ts";

/** Whether no newer file is in a table: an older one's rows must not replace those of a newer one. */
export const isNewest = ({ fileNumber }: TakenRun, state: TableState | undefined): boolean =>
  state?.files.every(({ parts }) => parts.every((part) => (part.fileNumber ?? 0) <= fileNumber)) ?? true;

/** Local copies of a table's files but those that a run takes the place of, with the columns that the run gives them. */
export async function filesBefore(session: Session, name: string, made: MadeRun | undefined): Promise<SeenFile[]> {
  const converted = made?.converted.get(name);
  if (converted !== undefined) return converted.flatMap((file) => file.made.files);
  const state = await session.ledger.tables.read(session.stack.config.stack.name, name);
  const kept = keptFiles(state, made);
  const paths = await fetchAll(session.stack.lake, join(session.folder, "before", name), kept);
  return paths.map((file) => ({ file }));
}

/** A file of a table, made anew with other columns. */
export interface Converted {
  file: PresentFile;
  made: Made;
}

/**
 * Makes an appended table's other files anew where a run gives the table other columns. It may only if all of them wait
 * for a rerun, which makes them again; until then they have what they can have of these columns.
 */
export async function convertKept(session: Session, name: string, run: MadeRun, made: Made): Promise<void> {
  const columns = await columnsBefore(session, name);
  if (columns === undefined || columns === list(made.columns)) return;
  const state = await session.ledger.tables.read(run.run.stack, name);
  const kept = keptFiles(state, run);
  if (state === undefined || kept.length === 0) return;
  if (run.scope !== "file" || run.run.kind === "load" || !kept.every(({ parts }) => parts.every(({ rerun }) => rerun)))
    checkColumns(name, state.columns, made.columns);
  const before = await fetchAll(session.stack.lake, join(session.folder, "before", name), kept);
  const converted: Converted[] = [];
  for (const [index, file] of kept.entries()) {
    const asked = { folder: session.folder, name: `${name}-${index}`, from: before[index] ?? "" };
    converted.push({ file, made: await session.engine.convert({ ...asked, columns: made.columns }) });
  }
  run.converted.set(name, converted);
  const files = [...converted.flatMap((file) => file.made.files), ...made.files];
  await session.engine.attachTable(name, files, made.columns);
}

const known = new WeakMap<Session, Map<string, string | undefined>>();

/**
 * A table's columns before the session, asked for once: only its commit changes them, and the ledger lists with them all
 * files of the table, which may be thousands.
 */
async function columnsBefore(session: Session, name: string): Promise<string | undefined> {
  const names = known.get(session) ?? new Map<string, string | undefined>();
  known.set(session, names);
  if (!names.has(name)) {
    const state = await session.ledger.tables.read(session.stack.config.stack.name, name);
    names.set(name, state && list(state.columns));
  }
  return names.get(name);
}

const keptFiles = (state: TableState | undefined, made: MadeRun | undefined): PresentFile[] =>
  (state?.files ?? []).filter((file) => made?.scope !== "file" || !isOf(file, made.run));

const isOf = ({ parts }: PresentFile, run: TakenRun) => parts.some(({ root }) => root === run.fileRoot);

/** Brings objects of the lake into a folder, once each. */
export async function fetchAll(lake: ObjectStore, folder: string, files: { key: string }[]): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const paths: string[] = [];
  for (const { key } of files) {
    const path = join(folder, key.slice(key.lastIndexOf("/") + 1));
    paths.push(path);
    if (existsSync(path)) continue;
    if (!(await lake.fetch(key, path)))
      throw new Error(`The lake lacks ${lake.location(key)}, which the ledger lists; restore it.`);
  }
  return paths;
}

/** Puts the runs' rows of an appended table into the lake, and says what becomes of the table. */
export async function appendChange(session: Session, name: string, runs: MadeRun[]): Promise<TableChange | undefined> {
  const { stack } = session;
  const [first] = runs;
  const columns = first?.tables.get(name)?.columns;
  if (first === undefined || columns === undefined) return undefined;
  for (const { tables } of runs) checkColumns(name, columns, tables.get(name)?.columns ?? columns);
  const state = await session.ledger.tables.read(stack.config.stack.name, name);
  const change = { ...changeOf(session, name, state), columns };
  const files = await Promise.all(runs.map(({ run, tables }) => putTable(session, name, run, tables.get(name))));
  const converted = first.converted.get(name);
  if (converted === undefined) {
    const isAgain = first.scope === "file" && first.run.kind !== "load";
    const replaced = isAgain ? (state?.files ?? []).filter((file) => isOf(file, first.run)) : [];
    return { ...change, adds: files, removes: replaced.map(({ key }) => key) };
  }
  const others = await Promise.all(
    // Named by this run and attempt, so that no key is written twice.
    converted.map(({ file, made }, index) =>
      putFile(
        session,
        tableFileKey(name, `${first.run.id}-${index}`, first.run.attempts),
        file.parts[0]?.run ?? null,
        made,
      ),
    ),
  );
  return { ...change, adds: [...others, ...files], removes: state?.files.map(({ key }) => key) ?? [] };
}

/** What all changes of a table by its SQL have in common. */
const changeOf = ({ stack }: Session, name: string, state: TableState | undefined) => ({
  name,
  partitionBy: [],
  location: stack.lake.location(name),
  base: state?.change ?? 0,
  operation: "WRITE" as const,
  how: { mode: "full" as const },
});

/** Puts a run's result into the lake as the whole of a table, unless it made none. */
export async function replaceChange(
  session: Session,
  name: string,
  of: Pick<MadeRun, "run" | "tables"> | undefined,
): Promise<TableChange | undefined> {
  const made = of?.tables.get(name);
  if (of === undefined || made === undefined) return undefined;
  const { run } = of;
  const state = await session.ledger.tables.read(run.stack, name);
  const adds = [await putTable(session, name, run, made)];
  const removes = state?.files.map(({ key }) => key) ?? [];
  return { ...changeOf(session, name, state), columns: made.columns, adds, removes, whole: true };
}

async function putTable(session: Session, name: string, run: TakenRun, made: Made | undefined): Promise<TableFile> {
  if (made === undefined) throw new Error(`The run ${run.id} has not made the table "${name}".`);
  return putFile(session, tableFileKey(name, run.id, run.attempts), run.id, made);
}

async function putFile({ stack, ledger }: Session, key: string, run: string | null, made: Made): Promise<TableFile> {
  await ledger.loose.note({ stack: stack.config.stack.name, role: "lake", key });
  // Unpartitioned, a table's rows of a run are in one file.
  const [{ file, rows, stats } = { file: "", rows: 0, stats: null }] = made.files;
  const { bytes } = await stack.lake.putFile(key, file);
  return { key, rows, bytes, partition: {}, stats, parts: [{ run, firstRow: 0, rows }] };
}

const list = (columns: TableColumn[]) => columns.map(({ name, type }) => `${name} ${type}`).join(", ");

function checkColumns(table: string, before: TableColumn[], now: TableColumn[]): void {
  if (list(before) !== list(now))
    throw new EndedEarly(
      "failed",
      "stack",
      `Table "${table}" has the columns ${list(before)}, but its SQL now gives ${list(now)}; run all files of the stack again (npx cais rerun STACK --all), or give the new table a new name.`,
    );
}

/** Makes the tables that all runs of a batch share. They are the last run's. */
export async function makeShared(session: Session, runs: MadeRun[]): Promise<(TableChange | undefined)[]> {
  const { plan, engine, stack } = session;
  const last = runs.at(-1);
  if (last === undefined) return [];
  const changes: (TableChange | undefined)[] = [];
  const taken = runs.map(({ run }) => run);
  for (const { name, sql } of plan.shared) {
    const made = await session.step(taken, `tables/${name}`, () =>
      engine.makeTable({ folder: session.folder, name, sql: stack.config.sql[sql ?? ""] ?? "", before: [] }),
    );
    changes.push(await replaceChange(session, name, { run: last.run, tables: new Map([[name, made]]) }));
  }
  return changes;
}
