import { z } from "zod";

/** When in an operation the end comes: `within` means begun and done in part, as far as it has parts. */
export const Moment = z.enum(["before", "within", "after"]);
export type Moment = z.output<typeof Moment>;

/** The count-th operation of a kind, such as the second `sync lake/.unfinished`, since the process was started. */
export const Point = z.strictObject({ operation: z.string(), count: z.number().int().positive(), moment: Moment });
export type Point = z.output<typeof Point>;

export const Victim = z.enum(["processor", "engine", "both"]);
export type Victim = z.output<typeof Victim>;

/** An operation in the trace of a process, and the step of a run that was begun last before it. */
export const Traced = z.strictObject({ step: z.string(), operation: z.string() });
export type Traced = z.output<typeof Traced>;

/** What a watched process is told. It reads them from a file, at its start and again at SIGUSR2. */
export const Orders = z.strictObject({
  /** The processor's data folder. */
  data: z.string(),
  /** File to which each operation is added as a line; null: none. */
  trace: z.string().nullable().default(null),
  /** Operations are counted from the time of reading. Null: nothing happens. */
  point: Point.nullable().default(null),
  victim: Victim.default("processor"),
  /** The clock is set by `hours` as often as `everyMs` have passed, forth and back in turns; null: it is left alone. */
  clock: z.strictObject({ hours: z.number(), everyMs: z.number().positive() }).nullable().default(null),
});
export type Orders = z.output<typeof Orders>;

/** What a watched process tells, as a line on standard error: that it has read new orders, or that its point is reached. */
export const Told = z.union([
  z.strictObject({ read: z.literal(true) }),
  z.strictObject({ at: z.string(), step: z.string() }),
]);
export type Told = z.output<typeof Told>;

/**
 * What a path below the data folder is a place of, without what differs from run to run: `lake/sold`,
 * `lake/sold/_delta_log`, `input/.unfinished`, `work`. Stores are `<stack>/<role>`.
 */
export function placeOf(below: string): string {
  const [top = "", role, ...rest] = below.split("/");
  if (top === "" || top.startsWith("ledger")) return "ledger";
  if (role === undefined || top === "work") return top;
  const [folder = "", ...deeper] = rest;
  if (/^\d{4}-\d\d-\d\d$/.test(folder)) return `${role}/files`;
  if (deeper[0] === "_delta_log") return `${role}/${folder}/_delta_log`;
  return folder === "" || deeper.length === 0 ? role : `${role}/${folder}`;
}

/** Numbers in [0, 1) that a seed determines (mulberry32, by Tommy Ettinger, public domain). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One of them; the seed's, if `random` is. */
export function oneOf<T>(random: () => number, items: readonly T[]): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error("There is nothing to choose from.");
  return item;
}

/**
 * A point of a trace: each step is as likely as any other, and in it each kind of operation,
 * however often it occurs, but a commit three times as likely: there things happen or do not.
 */
export function choosePoint(random: () => number, trace: Traced[]): Point {
  const step = oneOf(random, [...new Set(trace.map((traced) => traced.step))].toSorted());
  const inStep = trace.filter((traced) => traced.step === step).map(({ operation }) => operation);
  const kinds = [...new Set(inStep)].toSorted();
  const commits = kinds.filter((kind) => kind.startsWith("commit "));
  const operation = oneOf(random, [...kinds, ...commits, ...commits]);
  const places = trace.keys().filter((index) => trace[index]?.step === step && trace[index].operation === operation);
  const chosen = oneOf(random, [...places]);
  const count = trace.slice(0, chosen + 1).filter((traced) => traced.operation === operation).length;
  return { operation, count, moment: oneOf(random, Moment.options) };
}
