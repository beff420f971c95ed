import { z } from "zod";
import type { LooseObject, LooseObjects } from "../index.ts";
import type { Connection } from "./connection.ts";

const Row = z.object({ stack: z.string(), role: z.enum(["input", "lake"]), key: z.string(), version: z.string() });

export function looseObjects(connection: Connection): LooseObjects {
  const { sql, write } = connection;
  return {
    note: (object) => write(() => noteLoose(connection, object)),
    forget: (object) => write(() => forgetLoose(connection, object)),
    async all(of) {
      const rows =
        of === undefined
          ? sql("SELECT stack, role, key, version FROM loose").all()
          : sql("SELECT stack, role, key, version FROM loose WHERE stack = ? AND role = ? AND key = ?").all(
              of.stack,
              of.role,
              of.key,
            );
      return rows.map((row) => {
        const { version, ...object } = Row.parse(row);
        return version === "" ? object : { ...object, version };
      });
    },
  };
}

export function noteLoose({ sql }: Connection, { stack, role, key, version = "" }: LooseObject): void {
  sql("INSERT OR IGNORE INTO loose (stack, role, key, version) VALUES (?, ?, ?, ?)").run(stack, role, key, version);
}

export function forgetLoose({ sql }: Connection, { stack, role, key, version = "" }: LooseObject): void {
  sql("DELETE FROM loose WHERE stack = ? AND role = ? AND key = ? AND version = ?").run(stack, role, key, version);
}
