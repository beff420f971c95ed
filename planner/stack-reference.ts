import { suggest } from "@cais/spec/suggest.ts";
import { PlanError } from "./error.ts";
import { type Project, stacksOf } from "./project.ts";
import type { Secrets } from "./redact.ts";
import { collapse, marks, type Properties, unknown, withoutReferences } from "./value.ts";

/** The type of the resource that stands for another stack. */
export const stackReferenceType = "pulumi:pulumi:StackReference";

/** What a planned stack gives to those that refer to it, and the texts that are secret in its plan. */
export interface Given {
  outputs: Properties;
  secrets: Secrets;
}

/** A stack's outputs as another program may have them: marks of secrets and unknowns stay, references become ids. */
export const givenBy = (outputs: Properties, secrets: Secrets): Given => ({
  outputs: Object.fromEntries(
    Object.entries(outputs).map(([name, value]) => [name, withoutReferences(collapse(value, new Set()))]),
  ),
  secrets,
});

/** What the engine answers to a program that refers to a stack; without outputs, nothing is known of them. */
export const referenceAnswer = (name: string, outputs: Properties | undefined): Properties => ({
  name,
  outputs: outputs ?? unknown,
  secretOutputNames:
    outputs === undefined ? unknown : Object.keys(outputs).filter((key) => marks(outputs[key] ?? null).secret),
});

/**
 * The stack of the project that a reference names, by its name alone or after `<organization>/<project>/`. Else why
 * nothing can be known of it.
 * @throws PlanError when it is no name of a stack
 */
export async function referredStack(
  name: string,
  project: Project,
): Promise<{ stack: string } | { unknown: string; level: "info" | "warning" }> {
  const parts = name.split("/");
  const stack = parts.at(-1) ?? "";
  if (parts.length > 3 || parts.includes(""))
    throw new PlanError(
      "stack-reference",
      `the program refers to the stack "${name}", which is no name of one; write <organization>/<project>/<stack>`,
    );
  if (parts.length === 3 && parts[1] !== project.name)
    return { unknown: `${name} is a stack of another project, so nothing is known of its outputs.`, level: "info" };
  const stacks = await stacksOf(project.root);
  if (stacks.includes(stack)) return { stack };
  const nearest = suggest(stack, stacks);
  return {
    unknown: `There is no Pulumi.${stack}.yaml, so nothing is known of the outputs of ${name}${nearest ? `; did you mean ${nearest}?` : "."}`,
    level: "warning",
  };
}

/** What stacks give to others, each planned once for all plans of a run that share this. */
export class References {
  readonly #given = new Map<string, Promise<Given>>();
  /** Which stacks the program of a stack refers to. */
  readonly #refersTo = new Map<string, Set<string>>();

  /** Takes what the plan of a stack has shown, so that it need not be planned again. */
  keep({ root, stack }: Project, given: Given): void {
    const key = keyOf(root, stack);
    if (!this.#given.has(key)) this.#given.set(key, Promise.resolve(given));
  }

  /**
   * What a stack gives to `from`, which refers to it.
   * @throws PlanError when it refers to `from` in turn, or its own error when it cannot be planned
   */
  async of(from: Project, stack: string, plan: () => Promise<Given>): Promise<Given> {
    const { root } = from;
    const chain = this.#chain(root, stack, from.stack);
    if (chain)
      throw new PlanError(
        "stack-reference",
        `the stacks refer to each other in a circle (${[from.stack, ...chain].join(" -> ")}), so none can be planned; take one of the references out`,
      );
    const key = keyOf(root, stack);
    const own = keyOf(root, from.stack);
    this.#refersTo.set(own, (this.#refersTo.get(own) ?? new Set()).add(stack));
    let given = this.#given.get(key);
    if (!given) {
      given = plan();
      this.#given.set(key, given);
      // What was stopped half way says nothing to the next who asks.
      given.catch(() => this.#given.delete(key));
    }
    return given;
  }

  /** The stacks from one to another, along what each refers to; undefined when there is no such way. */
  #chain(root: string, from: string, to: string, seen = new Set<string>()): string[] | undefined {
    if (from === to) return [to];
    if (seen.has(from)) return undefined;
    seen.add(from);
    for (const next of this.#refersTo.get(keyOf(root, from)) ?? []) {
      const rest = this.#chain(root, next, to, seen);
      if (rest) return [from, ...rest];
    }
    return undefined;
  }
}

const keyOf = (root: string, stack: string) => JSON.stringify([root, stack]);
