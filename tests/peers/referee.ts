import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { z } from "zod";

/** A program that reads Delta tables by an implementation which is not ours, kept running between questions. */
export interface Referee {
  /** A table's rows as text, and its columns in Delta's types: now, of a version, of a time, or of those that match. */
  read(location: string, of?: { version?: number; time?: string; where?: string }): Promise<Reading>;
  /** The versions that the log tells of, oldest first. */
  history(location: string): Promise<{ version: number; operation: string }[]>;
  /** Asks for a change; the answer is the table's version after it. */
  change(
    question: "append" | "delete" | "optimize" | "checkpoint" | "forget",
    location: string,
    more?: Record<string, unknown>,
  ): Promise<number>;
  /** Appends rows (writer, n), a commit each. */
  race(location: string, more: { writer: string; commits: number; seed: number }): Promise<number>;
  stop(): Promise<void>;
}

const Reading = z.object({
  version: z.int(),
  rows: z.array(z.record(z.string(), z.unknown())),
  fields: z.array(z.looseObject({ name: z.string(), type: z.unknown() })),
  partitionBy: z.array(z.string()),
  files: z.int(),
});
/**
 * A table as a referee finds it. Whole numbers and decimals are texts, so are dates, and times in UTC as
 * `2024-01-31 12:00:00.000000`; other numbers are numbers.
 */
export type Reading = z.output<typeof Reading>;

const Answer = z.union([z.strictObject({ answer: z.unknown() }), z.strictObject({ error: z.string() })]);

/** Starts a referee that answers a line with a line. */
export function startReferee(program: string, args: string[], env: Record<string, string> = {}): Referee {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, ...env } });
  const ended = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let last: Promise<unknown> = Promise.resolve();

  async function ask(question: string, asked: Record<string, unknown>): Promise<unknown> {
    child.stdin.write(`${JSON.stringify({ question, ...asked })}\n`);
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`The referee ended at ${question}; its messages are above.`);
    const answer = Answer.parse(JSON.parse(value));
    if ("error" in answer) throw new Error(`The referee cannot ${question}: ${answer.error}`);
    return answer.answer;
  }
  // Answers come in the order of the questions, so one waits for the one before.
  const inTurn = (question: string, asked: Record<string, unknown>) => {
    const mine = last.then(() => ask(question, asked));
    // Who asked hears that it failed; the next question is asked all the same.
    last = Promise.allSettled([mine]);
    return mine;
  };

  const Versions = z.array(z.object({ version: z.int(), operation: z.string() }));
  return {
    read: async (location, of = {}) => Reading.parse(await inTurn("read", { location, ...of })),
    history: async (location) => Versions.parse(await inTurn("history", { location })),
    change: async (question, location, more) => z.int().parse(await inTurn(question, { location, ...more })),
    race: async (location, more) => z.int().parse(await inTurn("race", { location, ...more })),
    async stop() {
      child.stdin.end();
      await ended;
    },
  };
}
