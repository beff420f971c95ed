import { chmodSync, closeSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { transaction } from "../../sqlite/transaction.ts";
import { migrations } from "./schema.ts";

/** SQLite's code for a file that another process has locked (https://sqlite.org/rescode.html#busy). */
const SQLITE_BUSY = 5;

/** Opens the ledger's file, bringing its schema up to date; a file of a later version of Cais is refused. */
export function openDatabase(file: string): DatabaseSync {
  const database = openFile(file);
  try {
    // EXCLUSIVE: a second processor on the same data folder would take up the runs of the first.
    // FULL: a commit is on the disk before an upload is acknowledged (https://sqlite.org/pragma.html#pragma_synchronous).
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    transaction(database, () => database.exec("PRAGMA user_version"));
  } catch (error) {
    database.close();
    const { errcode } = z.object({ errcode: z.number().optional() }).parse(error);
    const question =
      errcode === SQLITE_BUSY
        ? "is another processor using this data folder? Stop it, or choose another folder."
        : "is the data folder writable, with room left, and the file a ledger?";
    throw new Error(`The ledger ${file} cannot be opened; ${question}`, { cause: error });
  }
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (version > migrations.length) {
    database.close();
    throw new Error(
      `The ledger ${file} was written by a later version of Cais; start that version or another data folder.`,
    );
  }
  migrate(database, version);
  return database;
}

/** Tables may be replaced by new ones of their names, so what refers to them is checked afterwards. */
function migrate(database: DatabaseSync, version: number): void {
  // Does nothing inside a transaction: https://sqlite.org/pragma.html#pragma_foreign_keys
  database.exec("PRAGMA foreign_keys = OFF");
  for (const [index, migration] of migrations.entries())
    if (index >= version)
      transaction(database, () => {
        database.exec(`${migration}; PRAGMA user_version = ${index + 1};`);
        const broken = database.prepare("PRAGMA foreign_key_check").all();
        if (broken.length > 0) throw new Error(`The ledger refers to ${broken.length} rows that it does not hold.`);
      });
  database.exec("PRAGMA foreign_keys = ON");
}

function openFile(file: string): DatabaseSync {
  const folder = dirname(file);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // SQLite gives its other files the mode of this one (https://sqlite.org/src/file/src/os_unix.c, findCreateFileMode).
    // An existing file is not opened here: closing it would end the locks of a ledger that this process has open
    // (https://sqlite.org/howtocorrupt.html, 2.2).
    const existing = statSync(file, { throwIfNoEntry: false });
    if (existing === undefined) closeSync(openSync(file, "wx", 0o600));
    else if (existing.isFile() && existing.uid === process.getuid?.()) chmodSync(file, 0o600);
    return new DatabaseSync(file, { timeout: 1000 });
  } catch (error) {
    const { code } = z.object({ code: z.string().optional() }).parse(error);
    throw new Error(
      code === "EEXIST" || code === "ENOTDIR"
        ? `The data folder ${folder} is a file or lies below one; choose a folder with --data.`
        : `The data folder ${folder} cannot be written; let this user write it, or choose another one with --data.`,
      { cause: error },
    );
  }
}
