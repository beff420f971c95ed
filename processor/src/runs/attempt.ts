import { createReadStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Run, TableColumn } from "@cais/spec/api.ts";
import { type Engine, EngineFailed } from "../engine/index.ts";
import type { Checked } from "../engine/messages.ts";
import type { Ending, Ledger, TableChange } from "../ledger/index.ts";
import type { ObjectStore } from "../object-store/index.ts";
import { rejectedFileKey, tableFileKey } from "../tables/index.ts";
import type { OpenStack } from "./stack.ts";

/** What one attempt at a run works with. */
export interface Attempt {
  run: Run;
  stack: OpenStack;
  ledger: Ledger;
  engine: Engine;
  /** The run's own folder. */
  folder: string;
  /** Does a piece of work as a step that the run shows. */
  step<T>(name: string, work: () => Promise<T>): Promise<T>;
}

/** How an attempt ended, with the kind of fault for the log: unlike the error, it tells nothing of the file. */
export interface Ended extends Ending {
  fault?: "rows" | "stack" | "processor" | EngineFailed["fault"];
}

/** Thrown to end a run as something else than done. */
class EndedEarly extends Error {
  readonly ending: Ended;
  constructor(state: "failed" | "quarantined", fault: Ended["fault"] & string, error: string) {
    super(error);
    this.ending = { state, fault, error };
  }
}

/**
 * Takes a run from where it stands to its end: contract, tables, commit, sinks. Up to the commit nothing of it can be
 * seen, and an attempt starts anew; after it, only the sinks are delivered (again), which changes nothing if they were.
 * Failures of the processor itself, such as a full disk, are thrown.
 */
export async function attempt(work: Attempt): Promise<Ended> {
  try {
    const { sinks } = work.stack.config.stack;
    // An engine knows the tables that it made itself.
    const unknown = new Set<string>();
    if (await work.ledger.isCommitted(work.run.id)) for (const { csv } of sinks) unknown.add(csv.table);
    else {
      await work.step("contract", () => checkFile(work));
      const changes = await makeTables(work);
      await work.step("commit", () => work.ledger.tables.commit(work.run, changes));
    }
    for (const { csv } of sinks)
      await work.step(`sinks/csv/${csv.table}`, async () => {
        if (unknown.delete(csv.table)) await attachTable(work, csv.table);
        await deliverCsv(work, csv);
      });
    return { state: "done" };
  } catch (error) {
    if (error instanceof EndedEarly) return error.ending;
    if (error instanceof EngineFailed) return endingOf(error);
    throw error;
  }
}

function endingOf({ fault, message }: EngineFailed): Ended {
  return { state: fault === "unreadable" ? "quarantined" : "failed", fault, error: message };
}

async function checkFile({ run, stack, ledger, engine, folder }: Attempt): Promise<void> {
  const { contract } = stack.config.stack;
  const file = join(folder, "file.csv");
  if (!(await stack.input.fetch(run.file.key, file)))
    throw new EndedEarly(
      "failed",
      "processor",
      `The file ${stack.input.location(run.file.key)} is gone; send it again.`,
    );
  const checked = await engine.checkContract({
    folder,
    file,
    name: run.file.name,
    upload: stack.config.stack.source.upload,
    contract,
    replay: null,
  });
  await ledger.countRows(run.id, checked, await keepRejected({ run, stack, ledger }, checked));
  const { read, clean, rejected } = checked;
  const some = `${rejected} of ${read} rows`;
  if (contract.onViolation === "fail" && rejected > 0)
    throw new EndedEarly(
      "failed",
      "rows",
      `${some} break the contract, and the stack asks for none; see the rejected rows.`,
    );
  if (clean === 0 && contract.onViolation === "quarantine")
    throw new EndedEarly("quarantined", "rows", `All ${read} rows break the contract; see the rejected rows.`);
}

/** Keeps the refused rows in the lake, unless the stack wants them only counted. */
async function keepRejected({ run, stack, ledger }: Pick<Attempt, "run" | "stack" | "ledger">, { file }: Checked) {
  if (file === null || stack.config.stack.contract.onViolation === "discard") return null;
  const key = rejectedFileKey(run.id, run.attempts);
  await ledger.loose.note({ stack: run.stack, role: "lake", key });
  await stack.lake.put(key, createReadStream(file));
  return key;
}

async function makeTables({ run, stack, ledger, engine, folder, step }: Attempt): Promise<TableChange[]> {
  const { tables } = stack.config.stack;
  const changes: TableChange[] = [];
  for (const { name, sql, disposition } of tables) {
    const now = await ledger.tables.read(run.stack, name);
    const change = await step(`tables/${name}`, async () => {
      const before =
        disposition === "append" ? await fetchAll(stack.lake, join(folder, "before", name), now?.files ?? []) : [];
      const { columns, rows, file } = await engine.makeTable({
        folder,
        name,
        sql: stack.config.sql[sql] ?? "",
        before,
      });
      if (disposition === "append" && now !== undefined && now.files.length > 0)
        checkColumns(name, now.columns, columns);
      const key = tableFileKey(name, run.id, run.attempts);
      await ledger.loose.note({ stack: run.stack, role: "lake", key });
      const { bytes } = await stack.lake.put(key, createReadStream(file));
      return { name, disposition, columns, file: { key, rows, bytes }, location: stack.lake.location(name) };
    });
    changes.push(change);
  }
  return changes;
}

const list = (columns: TableColumn[]) => columns.map(({ name, type }) => `${name} ${type}`).join(", ");

function checkColumns(table: string, before: TableColumn[], now: TableColumn[]): void {
  if (list(before) !== list(now))
    throw new EndedEarly(
      "failed",
      "stack",
      `Table "${table}" has the columns ${list(before)}, but its SQL now gives ${list(now)}; give the new table a new name.`,
    );
}

async function attachTable({ run, stack, ledger, engine, folder }: Attempt, table: string): Promise<void> {
  const { files } = (await ledger.tables.read(run.stack, table)) ?? { files: [] };
  await engine.attachTable(table, await fetchAll(stack.lake, join(folder, "before", table), files));
}

async function deliverCsv(work: Attempt, csv: { table: string; to: string }): Promise<void> {
  const { run, stack, ledger, engine, folder } = work;
  const { rows, file } = await engine.writeCsv({ folder, table: csv.table });
  const { bytes } = await stack.output.put(csv.to, createReadStream(file));
  const location = stack.output.location(csv.to);
  await ledger.addOutput(run.id, { kind: "csv", name: csv.table, location, rows, bytes });
}

async function fetchAll(lake: ObjectStore, folder: string, files: { key: string }[]): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const paths: string[] = [];
  for (const [index, { key }] of files.entries()) {
    const path = join(folder, `${index}.parquet`);
    if (!(await lake.fetch(key, path)))
      throw new Error(`The lake lacks ${lake.location(key)}, which the ledger lists; restore it.`);
    paths.push(path);
  }
  return paths;
}
