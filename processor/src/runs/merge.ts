import { join } from "node:path";
import type { TableColumn } from "@cais/spec/api.ts";
import type { Table } from "@cais/spec/stack.ts";
import type { MadeFile } from "../engine/messages.ts";
import type { Contribution, PresentFile, TableHead } from "../ledger/index.ts";
import { areApart, rangesOf, type Ranges } from "../tables/ranges.ts";
import { isRunAgain, rootsAnew } from "./append.ts";
import type { MadeRun, Session } from "./attempt.ts";
import { ColumnsChanged, grow, list } from "./columns.ts";
import type { Draft } from "./draft.ts";
import { wholeFiles } from "./present.ts";

/**
 * A merged table with what runs give for it. Usually the files that hold a key of theirs are made anew; where what they give
 * does not simply come after all that was given before, the whole table is folded anew of what all files gave.
 */
export async function mergeDraft(session: Session, table: Table, runs: MadeRun[]): Promise<Draft> {
  const { engine, tables, ledger, stack } = session;
  const { name, key, partitionBy } = table;
  const own = runs.flatMap((of) => of.tables.get(name)?.files.map((made) => ({ of, made })) ?? []);
  const given = runs[0]?.tables.get(name)?.columns ?? [];
  const head = await tables.head(name);
  const files = (await tables.state(name))?.files ?? [];
  const before = await ledger.tables.contributions(stack.config.stack.name, name);
  const last = runs.at(-1)?.run;
  if (last === undefined) throw new Error(`No run gives rows for the table "${name}".`);
  const draft = { operation: "MERGE" as const, contributions: own, given };
  const writing = { folder: join(session.folder, "merged"), name, partitionBy, key };
  const left = before.filter(({ root }) => !rootsAnew(runs).has(root));
  const { columns, converted } = columnsFor(session, table, head, runs, left);
  const why = converted ? "its columns changed" : whyFolded(table, head, before, runs);

  if (why === undefined) {
    const near = mayHold(
      files,
      own,
      columns.filter((column) => key.includes(column.name)),
    );
    const present = await tables.see(wholeFiles(near));
    const added = own.map(({ made }) => made.file);
    const merged = await engine.mergeTable({ ...writing, columns, present, added });
    const isReplaced = (_: PresentFile, index: number) => merged.replaced.includes(present[index]?.file ?? "");
    const removes = near.filter(isReplaced);
    const run = removes.some(isForeign) ? null : last.id;
    return {
      ...draft,
      columns,
      kept: files.filter((file) => !removes.includes(file)),
      adds: merged.files.map((made) => ({ made, run: last, parts: [{ run, firstRow: 0, rows: made.rows }] })),
      removes,
      whole: false,
      how: { mode: "incremental" },
    };
  }

  const foreign = files.filter(isForeign);
  const contributions = [
    ...(await Promise.all(
      left.map(async ({ key, fileNumber }) => ({ fileNumber, file: await tables.bring({ key }) })),
    )),
    ...own.map(({ of, made }) => ({ fileNumber: of.run.fileNumber, file: made.file })),
  ].toSorted((a, b) => a.fileNumber - b.fileNumber);
  const paths: string[] = [];
  const anew = () => ({ folder: join(session.folder, "anew", String(session.count())), name });
  if (foreign.length > 0) {
    const seen = await tables.see(wholeFiles(foreign));
    const { files: others } = await engine.rewrite({ ...anew(), columns: head?.columns ?? columns, files: seen });
    paths.push(...others.map(({ file }) => file));
  }
  for (const { file } of contributions)
    if (!converted || own.some(({ made }) => made.file === file)) paths.push(file);
    else paths.push(...(await engine.convert({ ...anew(), columns, from: file })).files.map((made) => made.file));
  const folded = await engine.foldTable({ ...writing, columns, contributions: paths });
  const run = foreign.length > 0 ? null : last.id;
  return {
    ...draft,
    columns,
    kept: [],
    adds: folded.files.map((made) => ({ made, run: last, parts: [{ run, firstRow: 0, rows: made.rows }] })),
    removes: files,
    whole: converted,
    how: { mode: "full", why },
  };
}

/**
 * The files that may hold a key of what runs give: of the others, their statistics say that they hold none, so they need not
 * be brought. Those of other programs are not trusted with that.
 */
function mayHold(files: PresentFile[], own: { made: MadeFile }[], keys: TableColumn[]): PresentFile[] {
  const names = keys.map(({ name }) => name);
  const given = own.filter(({ made }) => made.rows > 0).map(({ made }) => rangesOf(made, names));
  return files.filter((file) => {
    const ranges = isForeign(file) ? (new Map() satisfies Ranges) : rangesOf(file, names);
    return given.some((one) => !areApart(one, ranges, keys));
  });
}

/** Whether another program wrote rows of a file, or of those that it was made of. */
const isForeign = ({ parts }: PresentFile) => parts.some(({ run }) => run === null);

/** Why runs' rows cannot just take the place of those with the same key; undefined: they can. */
function whyFolded(
  { key }: Table,
  head: TableHead | undefined,
  before: Contribution[],
  runs: MadeRun[],
): string | undefined {
  if (head === undefined) return undefined;
  if (head.basis != null && list2(head.basis.key) !== list2(key)) return "its key changed";
  const anew = rootsAnew(runs);
  if (before.some(({ root }) => anew.has(root))) return "a file is run again";
  let newest = Math.max(0, ...before.map(({ fileNumber }) => fileNumber));
  for (const { run } of runs) {
    if (run.fileNumber < newest) return "rows of a newer file are in it";
    newest = run.fileNumber;
  }
  return undefined;
}

const list2 = (names: string[]) => JSON.stringify(names);

/** The table's columns with those that the runs bring. Other ones it can have if all other files wait to be made again. */
function columnsFor(
  session: Session,
  { name }: Table,
  head: TableHead | undefined,
  runs: MadeRun[],
  left: Contribution[],
): { columns: TableColumn[]; converted: boolean } {
  const made = runs.flatMap(({ tables }) =>
    tables.get(name)?.columns.length === undefined ? [] : [tables.get(name)?.columns ?? []],
  );
  const given = made[0] ?? [];
  try {
    const columns = made.reduce((before, now) => grow(name, before, now, head?.basis?.columns), head?.columns);
    return { columns: columns ?? given, converted: false };
  } catch (error) {
    const wait = rootsAnew(runs).size > 0 && left.every((contribution) => isRunAgain(session, contribution));
    if (!(error instanceof ColumnsChanged) || !wait || made.some((columns) => list(columns) !== list(given)))
      throw error;
    return { columns: given, converted: true };
  }
}
