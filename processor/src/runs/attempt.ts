import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Table } from "@cais/spec/stack.ts";
import type { Engine } from "../engine/index.ts";
import type { Checked, Made, Replay } from "../engine/messages.ts";
import type { Ledger, TakenRun } from "../ledger/index.ts";
import { rejectedFileKey } from "../tables/index.ts";
import { type Draft, sqlOf } from "./draft.ts";
import { draftOf, seeOwn, seeWhole } from "./drafts.ts";
import { EndedEarly } from "./faults.ts";
import type { Plan } from "./plan.ts";
import type { PresentTables } from "./present.ts";
import type { OpenStack } from "./stack.ts";

/** What a session of an engine works with. */
export interface Session {
  stack: OpenStack;
  plan: Plan;
  ledger: Ledger;
  engine: Engine;
  /** The session's folder; each run has one in it. */
  folder: string;
  tables: PresentTables;
  /** First runs of the files that are run again in it, also of those of which that fails. */
  again: ReadonlySet<string>;
  /** The runs whose rows are read by now, in their order; of the last one, tables may be missing yet. */
  made: MadeRun[];
  /** What these many runs make of a table, by its name; undefined: nothing. */
  drafts: Map<string, { runs: number; draft: Draft | undefined }>;
  /** As what tables are visible to SQL now. */
  seen: Map<string, string>;
  /** Another number each time. */
  count(): number;
  /** Does a piece of work as a step that these runs show. */
  step<T>(runs: TakenRun[], name: string, work: () => Promise<T>): Promise<T>;
}

/** A run whose rows are read and made what its tables take of it, of which nothing can be seen yet. */
export interface MadeRun {
  run: TakenRun;
  /** rows: what was open of the file. file: all of it, instead of what earlier runs of it brought. */
  scope: "rows" | "file";
  checked: Checked;
  /** What it adds to a table, or gives for a merged one, by the table's name. */
  tables: Map<string, Made>;
}

/** Reads a run's rows by the contract and makes what its tables take of them. */
export async function makeRun(session: Session, run: TakenRun): Promise<void> {
  const { engine, plan, made, seen } = session;
  const folder = join(session.folder, run.id);
  const reading = join(folder, "reading");
  await mkdir(reading, { recursive: true, mode: 0o700 });
  await engine.begin();
  seen.clear();
  const read = await session.step([run], "contract", async (): Promise<MadeRun> => {
    const { checked, scope } = await checkFile(session, run, reading);
    const kept = checked.file === null ? null : join(folder, "rejected.parquet");
    if (checked.file !== null && kept !== null) await rename(checked.file, kept);
    const read = { run, scope, checked: { ...checked, file: kept }, tables: new Map() };
    await checkLimits(session, read);
    return read;
  });
  made.push(read);
  try {
    for (const table of plan.perRun) await makeOwn(session, table, read, folder);
  } catch (error) {
    // Whatever was made together with it is to be made without it.
    made.pop();
    session.drafts.clear();
    seen.clear();
    throw error;
  }
  // What the tables were made of is not needed any more.
  await rm(reading, { recursive: true, force: true });
}

/** Makes what a table takes of a run. A table that is replaced for each run is made at once. */
async function makeOwn(session: Session, table: Table, read: MadeRun, folder: string): Promise<void> {
  const { engine, plan, stack, seen } = session;
  const { name, sql, disposition, partitionBy } = table;
  const { run } = read;
  if (disposition === "replace") {
    await session.step([run], `tables/${name}`, () => draftOf(session, table));
    return;
  }
  await session.step([run], `tables/${name}`, async () => {
    for (const source of plan.reads(name))
      if (source === plan.addedOf(name)) await seeOwn(session, source, read);
      else await seeWhole(session, source);
    const asked = { folder, name, sql: sqlOf(stack, sql), before: [] };
    const own = await engine.makeTable({ ...asked, ...(disposition === "append" && { partitionBy }) });
    read.tables.set(name, own);
    seen.set(name, `own ${run.id}`);
  });
}

/** Least length of a key: as many bytes as the hash has (https://www.rfc-editor.org/rfc/rfc2104#section-3). */
const KEY_LENGTH = 32;

/** The key that hashes a stack's personal data. */
async function piiKeyOf({ secret }: OpenStack, name: string): Promise<string> {
  const key = await secret(name);
  if (key.length < KEY_LENGTH)
    throw new EndedEarly(
      "failed",
      "stack",
      `The secret "${name}", which hashes personal data, has fewer than ${KEY_LENGTH} characters; make a longer one (openssl rand -hex 32) and run the file again.`,
    );
  return key;
}

async function checkFile({ stack, engine, ledger, plan }: Session, run: TakenRun, folder: string) {
  const { contract, source } = stack.config.stack;
  const received = { file: run.file.name, run: run.id, receivedAt: run.receivedAt };
  const { piiKey: reference } = contract;
  const piiKey = reference && (await piiKeyOf(stack, reference.secret));
  const asReceived = { piiKey, ...(plan.bronze !== undefined && { received }) };
  const open = run.kind === "replay" ? await ledger.open(run.fileRoot) : undefined;
  if (run.kind === "replay" && open === undefined)
    throw new EndedEarly("failed", "rows", "Nothing of the file is open any more, so there is nothing to replay.");
  const rejected = open?.rejectedKey == null ? null : join(folder, "open.parquet");
  if (open?.rejectedKey != null && rejected !== null && !(await stack.lake.fetch(open.rejectedKey, rejected)))
    throw new Error(`The lake lacks ${stack.lake.location(open.rejectedKey)}, which the ledger lists; restore it.`);
  const correction = run.correction === null ? null : join(folder, "correction-own.csv");
  if (run.correction !== null && correction !== null) await bring(stack, run.correction, correction);
  if (open?.scope === "rows" && !plan.wholeFile && rejected !== null) {
    const asked = { folder, file: rejected, name: run.file.name, upload: source.upload, contract, ...asReceived };
    const checked = await engine.checkContract({ ...asked, replay: { scope: "rows", rejected, correction } });
    return { checked, scope: "rows" as const };
  }
  const file = join(folder, "file");
  if (run.source.deleted)
    throw new EndedEarly("failed", "stack", "The file was deleted after it was loaded (after: delete); send it again.");
  await bring(stack, run.source.key, file);
  await checkContent(stack, run, file);
  const corrections: string[] = [];
  if (run.kind !== "load")
    for (const [index, key] of (await ledger.corrections(run.fileRoot)).entries()) {
      const path = join(folder, `correction-${index}.csv`);
      await bring(stack, key, path);
      corrections.push(path);
    }
  if (correction !== null) corrections.push(correction);
  const mayCorrect = correction !== null && open?.scope === "rows" ? rejected : null;
  const replay: Replay = run.kind === "load" ? null : { scope: "file", corrections, open: mayCorrect };
  const asked = { folder, file, name: run.file.name, upload: source.upload, contract, ...asReceived };
  const checked = await engine.checkContract({ ...asked, replay });
  await checkContent(stack, run, file);
  return { checked, scope: "file" as const };
}

/**
 * What was brought may be the file itself, to which others may write: what was read must be what was claimed. A later
 * version of the same content is no file of its own, so it may as well be read.
 */
async function checkContent({ input }: OpenStack, run: TakenRun, file: string): Promise<void> {
  const { key, version } = run.source;
  if (version === null) return;
  const found = await input.head(key);
  if (found === undefined || found.version === version || (await sha256Of(file)) === run.file.sha256) return;
  throw new EndedEarly(
    "failed",
    "processor",
    `The file ${input.location(key)} was overwritten before it was loaded; what lies there now is a file of its own.`,
  );
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

async function bring({ input }: OpenStack, key: string, path: string): Promise<void> {
  if (!(await input.fetch(key, path)))
    throw new EndedEarly("failed", "processor", `The file ${input.location(key)} is gone; send it again.`);
}

/** Ends a run of which too much is refused, keeping what was. */
async function checkLimits(session: Session, made: MadeRun): Promise<void> {
  const { contract } = session.stack.config.stack;
  const { read, clean, rejected } = made.checked;
  const end = async (state: "failed" | "quarantined", error: string): Promise<never> => {
    await countRows(session, made);
    throw new EndedEarly(state, "rows", error);
  };
  const some = `${rejected} of ${read} rows`;
  if (contract.onViolation === "fail" && rejected > 0)
    await end("failed", `${some} break the contract, and the stack asks for none; see the rejected rows.`);
  // A replay of some rows has nothing to say about the share of its file.
  const { rows = Number.POSITIVE_INFINITY, share = 1 } = made.scope === "file" ? contract.limit : {};
  if (rejected > rows || rejected > share * read) {
    const most = rejected > rows ? `${rows} rows` : `${share * 100} %`;
    await end("quarantined", `${some} break the contract, and the stack takes at most ${most}; see the rejected rows.`);
  }
  if (clean === 0 && contract.onViolation === "quarantine")
    await end("quarantined", `All ${read} rows break the contract; see the rejected rows.`);
}

/** Records what was read, with the refused rows kept in the lake, unless the stack wants them only counted. */
export async function countRows({ stack, ledger }: Session, { run, checked }: MadeRun): Promise<void> {
  const { header, found, file } = checked;
  let rejectedKey: string | null = null;
  if (file !== null && stack.config.stack.contract.onViolation !== "discard") {
    rejectedKey = rejectedFileKey(run.id, run.attempts);
    await ledger.loose.note({ stack: run.stack, role: "lake", key: rejectedKey });
    await stack.lake.putFile(rejectedKey, file);
  }
  const { read, clean, rejected } = checked;
  await ledger.countRows(run.id, { read, clean, rejected }, { rejectedKey, header, found });
}
