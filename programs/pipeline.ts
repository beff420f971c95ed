import type { StackFolder } from "@cais/spec/read-stack.ts";
import { Events } from "../components/events/index.ts";
import { ObjectStore } from "../components/object-store/index.ts";
import type { Pipeline } from "../components/processor/index.ts";
import type { Settings } from "./settings.ts";

/** What one pipeline stack needs: its three stores and how the processor hears of a new file. */
export function pipeline({ stack, sql }: StackFolder, { environment, deletable }: Settings): Pipeline {
  const tags = { owner: stack.owner, stack: stack.name, environment, costCentre: stack.costCentre ?? stack.owner };
  const allowDataDeletion = deletable.includes(stack.name);
  const store = (role: string, options: { versioned?: boolean } = {}) =>
    new ObjectStore(`${stack.name}-${role}`, { tags, role, allowDataDeletion, ...options });
  return {
    stack,
    sql,
    // What is made from the input can be made again; keeping each of its versions would only grow.
    stores: {
      input: store("input"),
      lake: store("lake", { versioned: false }),
      output: store("output", { versioned: false }),
    },
    events: new Events(stack.name),
  };
}
