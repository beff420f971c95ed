import { createHash } from "node:crypto";
import type { How, TableColumn } from "@cais/spec/api.ts";
import type { Table } from "@cais/spec/stack.ts";
import type { MadeFile, SeenFile } from "../engine/messages.ts";
import type { Basis, NewContribution, Part, PresentFile, TableChange, TableFile, TakenRun } from "../ledger/index.ts";
import { contributionKey, tableFileKey } from "../tables/index.ts";
import type { MadeRun, Session } from "./attempt.ts";
import { wholeFiles } from "./present.ts";
import type { OpenStack } from "./stack.ts";

/** What a batch makes of a table: a change whose files are on this machine yet. */
export interface Draft {
  columns: TableColumn[];
  /** Files that stay as they are. undefined: all that the table has, which were not asked for. */
  kept: PresentFile[] | undefined;
  adds: DraftFile[];
  removes: PresentFile[];
  whole: boolean;
  operation: "WRITE" | "MERGE";
  how: How;
  /** What runs gave for a merged table. */
  contributions: { of: MadeRun; made: MadeFile }[];
  /** Columns that the table's SQL gave. */
  given: TableColumn[];
}

/** A new file of a table. */
export interface DraftFile {
  made: MadeFile;
  /** The run after which it is named. */
  run: TakenRun;
  parts: Part[];
}

/** A file with rows of one run alone. */
export const fileOf = (run: TakenRun, made: MadeFile): DraftFile => ({
  made,
  run,
  parts: [{ run: run.id, firstRow: 0, rows: made.rows }],
});

/** The files of a table as its draft leaves it. */
export async function draftFiles({ tables }: Session, name: string, { kept, adds }: Draft): Promise<SeenFile[]> {
  const present = kept ?? (await tables.state(name))?.files ?? [];
  return [...(await tables.see(wholeFiles(present))), ...adds.map(({ made }) => made)];
}

/** What a table's next change may build on. */
export const basisOf = (stack: OpenStack, { sql, disposition, key }: Table, given: TableColumn[]) =>
  ({
    sql: createHash("sha256")
      .update(sqlOf(stack, sql) ?? "")
      .digest("hex"),
    disposition,
    key,
    columns: given.map(({ name }) => name),
  }) satisfies Omit<Basis, "sources">;

/** The SQL of a table; null for a bronze one. */
export const sqlOf = ({ config }: OpenStack, file: string | undefined): string | null =>
  file === undefined ? null : (config.sql[file] ?? "");

/** Objects that are put at a time. */
const AT_A_TIME = 16;

/** Puts the files of a draft into the lake, and says what becomes of the table. */
export async function putDraft(session: Session, table: Table, draft: Draft): Promise<TableChange> {
  const { stack, plan, tables } = session;
  const { name, partitionBy } = table;
  const { columns, removes, whole, operation, how, given } = draft;
  const counts = new Map<string, number>();
  const named = draft.adds.map((file) => {
    const nth = counts.get(file.run.id) ?? 0;
    counts.set(file.run.id, nth + 1);
    return { ...file, key: tableFileKey(name, file.run.id, file.run.attempts, nth) };
  });
  const adds: TableFile[] = [];
  for (let next = 0; next < named.length; next += AT_A_TIME)
    adds.push(
      ...(await Promise.all(
        named.slice(next, next + AT_A_TIME).map(async ({ key, made: { file, ...made }, parts }) => {
          const { bytes } = await put(session, key, file);
          return { ...made, key, bytes, parts };
        }),
      )),
    );
  const contributions = await Promise.all(
    draft.contributions.map(async ({ of: { run, scope }, made: { file, rows } }): Promise<NewContribution> => {
      const key = contributionKey(name, run.id, run.attempts);
      const { bytes } = await put(session, key, file);
      return { run: run.id, key, rows, bytes, scope };
    }),
  );
  return {
    name,
    columns,
    partitionBy,
    location: stack.lake.location(name),
    adds,
    removes: removes.map(({ key }) => key),
    whole,
    shared: table.disposition === "replace",
    base: (await tables.head(name))?.change ?? 0,
    operation,
    how,
    ...(table.disposition === "merge" && { contributions }),
    basis: { ...basisOf(stack, table, given), sources: plan.reads(name) },
  };
}

async function put({ stack, ledger }: Session, key: string, file: string): Promise<{ bytes: number }> {
  // Noted before it is there: garbage is what nobody knows.
  await ledger.loose.note({ stack: stack.config.stack.name, role: "lake", key });
  return stack.lake.putFile(key, file);
}
