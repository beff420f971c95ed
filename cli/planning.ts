import { existsSync } from "node:fs";
import { join } from "node:path";
import { styleText } from "node:util";
import type { Pair } from "../planner/against-plans.ts";
import type { Plan, PlanOptions } from "../planner/index.ts";
import type { Message } from "../planner/plan.ts";
import { type Paint, sentenceOf } from "../planner/tree.ts";
import { Failure, Interruption } from "./failure.ts";

/** Colours on a terminal, unless NO_COLOR says otherwise. */
export const paint: Paint = (tone, text) => styleText(tone, text, { stream: process.stdout });

export const write = (...lines: string[]) => process.stdout.write(`${lines.join("\n")}\n`);

const writeJson = (value: unknown) => write(JSON.stringify(value, undefined, 2));

export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`;

/**
 * Plans the given stacks of a project, one after the other. Ctrl-C ends the one in the making and all that it started.
 * @throws Failure when a stack cannot be planned, Interruption after a signal
 */
export const planStacks = (
  root: string,
  stacks: string[],
  options: Pick<PlanOptions, "policyPack"> = {},
): AsyncGenerator<Plan> =>
  stoppable(root, stacks, async function* (signal, onStack) {
    const { plan, References } = await import("../planner/index.ts");
    const references = new References();
    for (const [at, stack] of stacks.entries()) {
      const ended = onStack(stack, at + 1, stacks.length);
      yield await plan({ root, stack, signal, references, ...options }).finally(ended);
    }
  });

/** `planStacks` for the working tree and for what it was at `ref`; without names, for all stacks on either side. */
export const planStacksAgainst = (
  root: string,
  stacks: string[],
  ref: string,
  options: Pick<PlanOptions, "policyPack"> = {},
): AsyncGenerator<Pair> =>
  stoppable(root, stacks, async function* (signal, onStack) {
    const { planAgainst } = await import("../planner/against-plans.ts");
    const named = stacks.length > 0 ? { stacks } : {};
    yield* planAgainst({ root, ref, signal, onStack, ...named, ...options });
  });

/** Makes plans until a signal comes; what it throws is fit to be told to a user. */
async function* stoppable<Made>(
  root: string,
  stacks: string[],
  make: (signal: AbortSignal, onStack: typeof tellProgress) => AsyncIterable<Made>,
): AsyncGenerator<Made> {
  // The planner loads gRPC, which the other commands need not wait for.
  const { PlanError } = await import("../planner/index.ts");
  const controller = new AbortController();
  let received: "SIGINT" | "SIGTERM" = "SIGINT";
  const stop = (signal: "SIGINT" | "SIGTERM") => {
    received = signal;
    controller.abort();
  };
  // Not once: npm passes on what the terminal has sent to all already, and a second signal would end us amid tidying up.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, stop);
  // Which of several is planned: their programs are one, so that no other word says whose mistake it is.
  let planned = "";
  try {
    yield* make(controller.signal, (stack, at, of) => {
      planned = of > 1 ? stack : "";
      return tellProgress(stack, at, of);
    });
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    if (error.code === "aborted")
      throw new Interruption(received, `${error.message}, with all that it had started.`, error);
    if (error.code !== "stack-unknown") {
      const saysWhose = planned === "" || error.message.startsWith(`Pulumi.${planned}.yaml`);
      throw new Failure(saysWhose ? error.message : `${planned}: ${error.message}`, { cause: error });
    }
    const pipeline = stacks.find((stack) => existsSync(join(root, "stacks", stack, "stack.yaml")));
    const hint = pipeline ? `; ${pipeline} is a pipeline stack, planned with each environment that it asks for` : "";
    throw new Failure(`${error.message}${hint}`, { exitCode: 2, cause: error });
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, stop);
  }
}

/** Says on a terminal which stack is planned, on a line that goes away when the returned function is called. */
function tellProgress(stack: string, at: number, of: number): () => void {
  if (!process.stderr.isTTY) return () => undefined;
  process.stderr.write(`planning ${stack}${of > 1 ? ` (${at} of ${of})` : ""} …`);
  // To the line's beginning, and what is on it deleted.
  return () => process.stderr.write("\r\u001b[2K");
}

/**
 * Plans stacks and shows each as soon as it is there, or with `json` all as one object: the plan itself if `single`,
 * else `{ plans }`.
 */
export const showPlans = (
  plans: AsyncIterable<Plan>,
  { json, single, show: each }: { json: boolean; single: boolean; show: (plan: Plan) => void },
): Promise<Plan[]> =>
  show(plans, { json, each: json ? undefined : each, object: (made) => (single ? made[0] : { plans: made }) });

/**
 * Shows what is made: `each` as soon as it is there, then the `whole`, or with `json` all as one `object`. A failure is
 * an object, too, `{ error }`; its sentence still goes to the standard error. What was interrupted ends with a line and
 * its exit code, and gives what was made.
 */
export async function show<Made>(
  making: AsyncIterable<Made>,
  options: {
    json: boolean;
    each?: ((made: Made) => void) | undefined;
    whole?: ((made: Made[]) => void | Promise<void>) | undefined;
    object?: (made: Made[]) => unknown;
  },
): Promise<Made[]> {
  const { json, each, whole, object } = options;
  const made: Made[] = [];
  try {
    for await (const one of making) {
      made.push(one);
      each?.(one);
    }
  } catch (error) {
    if (json && (error instanceof Failure || error instanceof Interruption)) writeJson({ error: describe(error) });
    if (!(error instanceof Interruption)) throw error;
    process.exitCode = error.tell();
    return made;
  }
  await whole?.(made);
  if (json) writeJson(object?.(made));
  return made;
}

function describe(error: Failure | Interruption) {
  const { cause } = error;
  const told = error instanceof Interruption && cause instanceof Error ? cause.message : error.message;
  const code = cause instanceof Error && "code" in cause ? cause.code : null;
  const location = cause instanceof Error && "location" in cause ? (cause.location ?? null) : null;
  return { code, message: told, location };
}

/** What program and pack said, a line each, warnings first. */
export function writeMessages(plan: Plan): void {
  const lines = (level: Message["level"], mark: string) =>
    plan.messages
      .filter((message) => message.level === level)
      .map((message) => `  ${mark} ${sentenceOf(message, plan)}`);
  const all = [...lines("warning", paint("yellow", "warning")), ...lines("info", paint("dim", "note"))];
  if (all.length > 0) write("", "Notes", ...new Set(all));
}
