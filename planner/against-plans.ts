import path from "node:path";
import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { checkOut, type Checkout } from "./against-checkout.ts";
import { PlanError } from "./error.ts";
import { plan, type Plan, type PlanOptions, References } from "./index.ts";
import { stacksOf } from "./project.ts";

export interface AgainstOptions extends Omit<PlanOptions, "stack"> {
  /** A commit, by any name that git has for it. */
  ref: string;
  /** Names of stacks. Default: all that there are on either side. */
  stacks?: string[];
  /** Called before each stack, with its place among how many; what it gives is called when the stack is planned. */
  onStack?: (stack: string, at: number, of: number) => () => void;
}

/** What a stack is and what it was; absent on the side that has no `Pulumi.<stack>.yaml`. */
export interface Pair {
  stack: string;
  /** The commit that `before` is of. */
  commit: string;
  before: Plan | undefined;
  after: Plan | undefined;
}

/**
 * Plans stacks as they are in the working tree and as they were at `ref`, one after the other, by the same planner with
 * the same answers. Where a policy pack is given that is part of the project, each side is held to its own.
 * @throws PlanError when there is no such commit, or a plan of either side fails
 */
export async function* planAgainst({ ref, stacks, onStack, ...rest }: AgainstOptions): AsyncGenerator<Pair> {
  const options = { references: new References(), ...rest };
  const { signal } = options;
  const root = await realpath(options.root);
  const there = await stacksOf(root);
  const checkout = await checkOut(root, ref, signal);
  try {
    const { commit } = checkout;
    const were = existsSync(path.join(checkout.root, "Pulumi.yaml")) ? await stacksOf(checkout.root) : [];
    const wanted = stacks ?? [...new Set([...there, ...were])].toSorted();
    for (const [at, stack] of wanted.entries()) {
      const ended = onStack?.(stack, at + 1, wanted.length);
      const [before, after] = await both(
        were.includes(stack) ? planThen(checkout, root, ref, { ...options, stack }) : undefined,
        // A stack that is on neither side fails here, as it does without a comparison.
        there.includes(stack) || !were.includes(stack) ? plan({ ...options, root, stack }) : undefined,
      ).finally(ended);
      yield { stack, commit, before, after };
    }
  } finally {
    await checkout.close();
  }
}

/** Waits for both, so that nothing works in the checkout any more when one fails. */
async function both<Value>(...promises: [Promise<Value> | undefined, Promise<Value> | undefined]) {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

async function planThen(checkout: Checkout, root: string, ref: string, options: PlanOptions): Promise<Plan> {
  try {
    const { policyPack, ...others } = options;
    const pack = policyPack === undefined ? undefined : packThen(policyPack, root, checkout.root);
    const made = await plan({ ...others, root: checkout.root, ...(pack !== undefined && { policyPack: pack }) });
    // A program may tell where it is, in the path of an asset for example.
    const places = [checkout.root, root].map((place) => JSON.stringify(place).slice(1, -1));
    const moved: Plan = JSON.parse(JSON.stringify(made).replaceAll(places[0] ?? "", places[1] ?? ""));
    return moved;
  } catch (error) {
    if (!(error instanceof PlanError) || error.code === "aborted") throw error;
    const { code, message, location, urn } = error;
    throw new PlanError(code, `at ${ref}, ${message}`, { location, urn, cause: error });
  }
}

/** A pack as it was; undefined when there was none. One that is elsewhere was never another. */
function packThen(policyPack: string, root: string, rootThen: string): string | undefined {
  const place = path.relative(root, path.resolve(policyPack));
  if (place.startsWith("..") || path.isAbsolute(place)) return policyPack;
  const then = path.join(rootThen, place);
  return existsSync(then) ? then : undefined;
}
