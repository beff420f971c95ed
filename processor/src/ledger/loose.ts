import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";

/** An object of a stack's input store or lake. */
export interface LooseObject {
  stack: string;
  role: "input" | "lake";
  key: string;
}

/**
 * Objects that belong to no run yet or any more. Whoever writes an object notes it first; the transaction that makes it
 * count forgets it. So what a crash left behind is known, and nothing else is ever deleted.
 */
export interface LooseObjects {
  note(object: LooseObject): void;
  forget(object: LooseObject): void;
  all(): LooseObject[];
}

const Row = z.object({ stack: z.string(), role: z.enum(["input", "lake"]), key: z.string() });

export function looseObjects(database: DatabaseSync): LooseObjects {
  return {
    note({ stack, role, key }) {
      database.prepare("INSERT OR IGNORE INTO loose (stack, role, key) VALUES (?, ?, ?)").run(stack, role, key);
    },
    forget({ stack, role, key }) {
      database.prepare("DELETE FROM loose WHERE stack = ? AND role = ? AND key = ?").run(stack, role, key);
    },
    all() {
      return database
        .prepare("SELECT stack, role, key FROM loose")
        .all()
        .map((row) => Row.parse({ ...row }));
    },
  };
}
