import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { migrations } from "./schema.ts";

/** Opens the ledger's file, bringing its schema up to date; a file of a later version of Cais is refused. */
export function openDatabase(file: string): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: true, timeout: 1000 });
  // EXCLUSIVE: a second processor on the same data folder would take up the runs of the first.
  // FULL: a commit is on the disk before an upload is acknowledged (https://sqlite.org/pragma.html#pragma_synchronous).
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    transaction(database, () => database.exec("PRAGMA user_version"));
  } catch (error) {
    database.close();
    throw new Error(`The ledger ${file} cannot be opened; is another processor using this data folder?`, {
      cause: error,
    });
  }
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (version > migrations.length) {
    database.close();
    throw new Error(
      `The ledger ${file} was written by a later version of Cais; start that version or another data folder.`,
    );
  }
  for (const [index, migration] of migrations.entries())
    if (index >= version)
      transaction(database, () => database.exec(`${migration}; PRAGMA user_version = ${index + 1};`));
  return database;
}

/** All of `work` or nothing of it. */
export function transaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
