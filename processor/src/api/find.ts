import type { Run } from "@cais/spec/api.ts";
import { local, sees } from "../access/index.ts";
import type { OpenStack } from "../runs/stack.ts";
import type { Processor } from "./index.ts";
import { ApiProblem, noSuchRun } from "./problems.ts";

/** Finds the run that an address names. Give the `caller` where it is named by more than the path, which the guard has seen. */
export async function findRun({ ledger }: Pick<Processor, "ledger">, id: string, caller = local): Promise<Run> {
  const run = await ledger.run(id);
  if (run === undefined || !sees(caller, run.stack)) throw noSuchRun(id);
  return run;
}

/** Finds the stack that an address names. */
export function findStack({ stacks }: Pick<Processor, "stacks">, name: string): OpenStack {
  const stack = stacks.get(name);
  if (stack === undefined)
    throw new ApiProblem(
      "no-such-stack",
      `There is no stack "${name}"; this processor was started with ${[...stacks.keys()].join(", ")}.`,
    );
  return stack;
}

/** The stack of a run, with its stores: one that is deployed no more has none. */
export function stackOf({ stacks }: Pick<Processor, "stacks">, run: Pick<Run, "stack">): OpenStack {
  const stack = stacks.get(run.stack);
  if (stack === undefined)
    throw new ApiProblem(
      "no-such-stack",
      `The stack "${run.stack}" is not deployed here any more, so nothing of its runs can be read.`,
    );
  return stack;
}
