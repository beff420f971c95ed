import { existsSync } from "node:fs";
import { join } from "node:path";
import { styleText } from "node:util";
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
export async function* planStacks(
  root: string,
  stacks: string[],
  options: Pick<PlanOptions, "policyPack"> = {},
): AsyncGenerator<Plan> {
  // The planner loads gRPC, which the other commands need not wait for.
  const { plan, PlanError } = await import("../planner/index.ts");
  const controller = new AbortController();
  let received: "SIGINT" | "SIGTERM" = "SIGINT";
  const stop = (signal: "SIGINT" | "SIGTERM") => {
    received = signal;
    controller.abort();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  try {
    for (const stack of stacks) yield await plan({ root, stack, signal: controller.signal, ...options });
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    if (error.code === "aborted")
      throw new Interruption(received, `${error.message}, with all that it had started.`, error);
    if (error.code !== "stack-unknown") throw new Failure(error.message, { cause: error });
    const pipeline = stacks.find((stack) => existsSync(join(root, "stacks", stack, "stack.yaml")));
    const hint = pipeline ? `; ${pipeline} is a pipeline stack, planned with each environment that it asks for` : "";
    throw new Failure(`${error.message}${hint}`, { exitCode: 2, cause: error });
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, stop);
  }
}

/**
 * Plans stacks and shows each as soon as it is there, or with `json` all as one object: the plan itself if `single`,
 * else `{ plans }`. A failure is an object, too, `{ error }`; its sentence still goes to the standard error. What was
 * interrupted ends with a line and its exit code, and gives the plans that were made.
 */
export async function showPlans(
  plans: AsyncIterable<Plan>,
  { json, single, show }: { json: boolean; single: boolean; show: (plan: Plan) => void },
): Promise<Plan[]> {
  const made: Plan[] = [];
  try {
    for await (const plan of plans) {
      made.push(plan);
      if (!json) show(plan);
    }
  } catch (error) {
    if (json && (error instanceof Failure || error instanceof Interruption)) writeJson({ error: describe(error) });
    if (!(error instanceof Interruption)) throw error;
    process.exitCode = error.tell();
    return made;
  }
  if (json) writeJson(single ? made[0] : { plans: made });
  return made;
}

function describe({ message, cause }: Error) {
  const code = cause instanceof Error && "code" in cause ? cause.code : null;
  const location = cause instanceof Error && "location" in cause ? (cause.location ?? null) : null;
  return { code, message: cause instanceof Error ? cause.message : message, location };
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
