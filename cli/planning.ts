import { styleText } from "node:util";
import type { Plan, PlanOptions } from "../planner/index.ts";
import type { Message } from "../planner/plan.ts";
import { type Paint, sentenceOf } from "../planner/tree.ts";
import { Failure } from "./failure.ts";
import { projectRoot } from "./root.ts";

/** Colours on a terminal, unless NO_COLOR says otherwise. */
export const paint: Paint = (tone, text) => styleText(tone, text, { stream: process.stdout });

export const write = (...lines: string[]) => process.stdout.write(`${lines.join("\n")}\n`);

export const writeJson = (value: unknown) => write(JSON.stringify(value, undefined, 2));

export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`;

/** Plans of the given stacks, one after the other. Ctrl-C ends the one in the making and all that it started. */
export async function planStacks(stacks: string[], options: Pick<PlanOptions, "policyPack"> = {}): Promise<Plan[]> {
  // The planner loads gRPC, which the other commands need not wait for.
  const { plan, PlanError } = await import("../planner/index.ts");
  const controller = new AbortController();
  const stop = () => controller.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  try {
    const plans: Plan[] = [];
    for (const stack of stacks)
      plans.push(await plan({ root: projectRoot, stack, signal: controller.signal, ...options }));
    return plans;
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    throw new Failure(error.message, { exitCode: error.code === "stack-unknown" ? 2 : 1, cause: error });
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, stop);
  }
}

/** With --json a failure is an object, too; its sentence still goes to the standard error. */
export async function orJsonError<Result>(json: boolean, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (json && error instanceof Failure) {
      const { PlanError } = await import("../planner/error.ts");
      const { cause } = error;
      const details = cause instanceof PlanError ? { code: cause.code, location: cause.location ?? null } : {};
      writeJson({ error: { message: error.message, ...details } });
    }
    throw error;
  }
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
