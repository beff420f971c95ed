import { chmodSync, closeSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { transaction } from "../sqlite/transaction.ts";

const VERSION = 1;
const schema = `
  CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    hash BLOB NOT NULL,
    stacks TEXT NOT NULL,
    actions TEXT NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    expires_at TEXT,
    revoked_at TEXT,
    used_on TEXT
  ) STRICT;
  CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    by TEXT,
    token TEXT,
    "from" TEXT NOT NULL,
    what TEXT NOT NULL,
    stack TEXT,
    "on" TEXT,
    status INTEGER NOT NULL,
    problem TEXT,
    times INTEGER NOT NULL,
    refused INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX audit_at ON audit (at);
  CREATE INDEX audit_refused ON audit (refused, id);
`;

/**
 * Opens the file of tokens and audit log, which its owner alone may read. A commit is in the operating system's hands when
 * it returns: it outlives the process, but not a power cut. `durably` and whoever flushes the log see to that.
 */
export function openDatabase(file: string): DatabaseSync {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    // SQLite gives its other files the mode of this one.
    if (statSync(file, { throwIfNoEntry: false }) === undefined) closeSync(openSync(file, "wx", 0o600));
    else chmodSync(file, 0o600);
    const database = new DatabaseSync(file, { timeout: 1000 });
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
    const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
    if (version === 0) transaction(database, () => database.exec(`${schema}; PRAGMA user_version = ${VERSION};`));
    else if (version > VERSION) throw new Error("It was written by a later version of Cais.");
    return database;
  } catch (error) {
    throw new Error(
      `The file of tokens ${file} cannot be opened; is the data folder writable, with room left, and no other processor using it?`,
      { cause: error },
    );
  }
}

/** Throws if nothing can be written: a full disk shows itself by nothing less. */
export const tryToWrite = (database: DatabaseSync): void => database.exec(`PRAGMA user_version = ${VERSION}`);

/** All of `work` or nothing of it, on the disk when it returns. */
export function durably<T>(database: DatabaseSync, work: () => T): T {
  database.exec("PRAGMA synchronous = FULL");
  try {
    return transaction(database, work);
  } finally {
    database.exec("PRAGMA synchronous = NORMAL");
  }
}
