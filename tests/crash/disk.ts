import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readlink, realpath, rm } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { pathToKey } from "../../processor/src/object-store/keys.ts";
import { Wrong } from "./result.ts";

/** Opens the ledger of a processor that is not running, and leaves the file as it is. */
export async function withLedger<T>(folder: string, read: (database: DatabaseSync) => T): Promise<T> {
  const copy = join(folder, "ledger-copy");
  await mkdir(copy, { recursive: true });
  const names = (await readdir(join(folder, "data"))).filter((name) => /^ledger\.sqlite(-wal)?$/.test(name));
  for (const name of names) await cp(join(folder, "data", name), join(copy, name));
  const database = new DatabaseSync(join(copy, "ledger.sqlite"));
  try {
    return read(database);
  } finally {
    database.close();
    await rm(copy, { recursive: true });
  }
}

const tablesOf = (database: DatabaseSync) =>
  database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all()
    .map(({ name }) => String(name));

/** The steps in which a killed processor was, of each run that was going on. */
export async function stepsAtDeath(folder: string): Promise<string[]> {
  return withLedger(folder, (database) => {
    if (!tablesOf(database).includes("steps")) return ["start"];
    const running = database
      .prepare(
        `SELECT coalesce(
           (SELECT name FROM steps WHERE run = runs.id AND finished_at IS NULL ORDER BY position DESC LIMIT 1),
           (SELECT 'after ' || name FROM steps WHERE run = runs.id ORDER BY position DESC LIMIT 1),
           'before contract') AS step
         FROM runs WHERE state = 'running'`,
      )
      .all();
    return running.length > 0 ? running.map(({ step }) => String(step)) : ["no run"];
  });
}

/** How a processor has ended: killed; by a stop; by a stop that followed a start with nothing to do, so all is swept. */
export type End = "killed" | "stopped" | "swept";

/**
 * Checks what a processor has left: every object is known to the ledger, or noted there as loose. One that was stopped has
 * left nothing unfinished and nothing beside, and one that had swept, nothing loose.
 */
export async function checkDisk(folder: string, stacks: string[], end: End): Promise<void> {
  const stopped = end !== "killed";
  const known = new Set<string>();
  const loose = new Set<string>();
  const problems = await withLedger(folder, (database) => {
    for (const table of tablesOf(database))
      for (const row of database.prepare(`SELECT * FROM "${table}"`).all())
        for (const value of Object.values(row))
          if (typeof value === "string") (table === "loose" ? loose : known).add(value);
    return [
      ...database.prepare("PRAGMA integrity_check").all(),
      ...database.prepare("PRAGMA foreign_key_check").all(),
    ].map((row) => JSON.stringify(row));
  });
  if (problems.join("") !== '{"integrity_check":"ok"}') throw new Wrong(`The ledger is broken: ${problems.join("")}`);
  for (const stack of stacks)
    for (const role of ["input", "lake", "output"]) {
      for (const path of await filesOf(join(folder, "data", stack, role))) {
        const unfinished = path.startsWith(".unfinished/");
        if (unfinished && stopped) throw new Wrong(`${stack}: ${role} has a file that was never finished: ${path}`);
        if (unfinished || role === "output") continue;
        // What another program put there is its own.
        if (role === "input" && path.startsWith("put/")) continue;
        // What is in a log is compared with the ledger.
        if (role === "lake" && /^\w+\/_delta_log\//.test(path)) continue;
        const key = pathToKey(path);
        if (!known.has(key) && (end === "swept" || !loose.has(key)))
          throw new Wrong(`${stack}: no one knows of ${key} in ${role}.`);
      }
    }
  const left = (await readdir(join(folder, "data"))).filter(
    (name) => !stacks.includes(name) && !/^(ledger|access)\.sqlite/.test(name),
  );
  if (stopped && left.length > 0) throw new Wrong(`The data folder has ${left.join(", ")} after a stop.`);
}

/** The files below a folder that may be missing, as paths with slashes. */
async function filesOf(folder: string): Promise<string[]> {
  if (!existsSync(folder)) return [];
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"));
}

/** Time for a listing that is just under way to end. */
const LISTING_MS = 10_000;

/** Checks that an idle processor holds no file or folder open but its ledgers. */
export async function checkOpenFiles(folder: string, pid: number): Promise<void> {
  // Only Linux tells.
  if (!existsSync("/proc/self/fd")) return;
  const data = await realpath(join(folder, "data"));
  const end = performance.now() + LISTING_MS;
  for (;;) {
    const open: string[] = [];
    for (const descriptor of await readdir(`/proc/${pid}/fd`)) {
      const path = await orGone(readlink(`/proc/${pid}/fd/${descriptor}`));
      if (path?.startsWith(data) === true && !/\/(ledger|access)\.sqlite(-wal|-shm)?$/.test(path)) open.push(path);
    }
    if (open.length === 0) return;
    if (performance.now() > end) throw new Wrong(`The idle processor holds ${open.join(", ")} open.`);
    await pause(50);
  }
}

/** A descriptor may be closed between listing and reading. */
async function orGone(link: Promise<string>): Promise<string | undefined> {
  try {
    return await link;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
