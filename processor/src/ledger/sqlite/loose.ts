import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { LooseObject, LooseObjects } from "../index.ts";

const Row = z.object({ stack: z.string(), role: z.enum(["input", "lake"]), key: z.string() });

export function looseObjects(database: DatabaseSync): LooseObjects {
  return {
    async note(object) {
      noteLoose(database, object);
    },
    async forget(object) {
      forgetLoose(database, object);
    },
    async all() {
      return database
        .prepare("SELECT stack, role, key FROM loose")
        .all()
        .map((row) => Row.parse({ ...row }));
    },
  };
}

export function noteLoose(database: DatabaseSync, { stack, role, key }: LooseObject): void {
  database.prepare("INSERT OR IGNORE INTO loose (stack, role, key) VALUES (?, ?, ?)").run(stack, role, key);
}

export function forgetLoose(database: DatabaseSync, { stack, role, key }: LooseObject): void {
  database.prepare("DELETE FROM loose WHERE stack = ? AND role = ? AND key = ?").run(stack, role, key);
}
