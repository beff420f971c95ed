import { z } from "zod";
import type { Asked, LooseObject, LooseObjects } from "../index.ts";
import type { Connection } from "./connection.ts";
import { parsed } from "./states.ts";

const Row = z.object({
  stack: z.string(),
  role: z.enum(["input", "lake"]),
  key: z.string(),
  version: z.string(),
  asked: z.string().nullable(),
});

const sender = {
  idempotencyKey: z.string().exactOptional(),
  traceparent: z.string().exactOptional(),
  by: z.string().exactOptional(),
};
const AskedFor: z.ZodType<Asked> = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("load"), again: z.boolean(), name: z.string(), ...sender }),
  z.object({ kind: z.literal("replay"), run: z.string(), ...sender }),
]);

export function looseObjects(connection: Connection): LooseObjects {
  const { sql, write } = connection;
  return {
    note: (object) => write(() => noteLoose(connection, object)),
    forget: (object) => write(() => forgetLoose(connection, object)),
    async all(of) {
      const rows =
        of === undefined
          ? sql("SELECT stack, role, key, version, asked FROM loose").all()
          : sql("SELECT stack, role, key, version, asked FROM loose WHERE stack = ? AND role = ? AND key = ?").all(
              of.stack,
              of.role,
              of.key,
            );
      return rows.map((row) => {
        const { version, asked, ...object } = Row.parse(row);
        return {
          ...object,
          ...(version !== "" && { version }),
          ...(asked !== null && { asked: parsed(AskedFor, asked) }),
        };
      });
    },
  };
}

export function noteLoose({ sql }: Connection, { stack, role, key, version = "", asked }: LooseObject): void {
  sql("INSERT OR IGNORE INTO loose (stack, role, key, version, asked) VALUES (?, ?, ?, ?, ?)").run(
    stack,
    role,
    key,
    version,
    asked === undefined ? null : JSON.stringify(asked),
  );
}

export function forgetLoose({ sql }: Connection, { stack, role, key, version = "" }: Omit<LooseObject, "asked">): void {
  sql("DELETE FROM loose WHERE stack = ? AND role = ? AND key = ? AND version = ?").run(stack, role, key, version);
}
