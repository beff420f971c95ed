import { readStacks, StackError, type StackFolder } from "@cais/spec/read-stack.ts";
import * as pulumi from "@pulumi/pulumi";

/** Every pipeline stack of a folder. Throws a `RunError` with all their mistakes: Pulumi prints it without the program's frames. */
export function stacksOf(folder: string): StackFolder[] {
  try {
    return readStacks(folder);
  } catch (error) {
    if (!(error instanceof StackError)) throw error;
    throw new pulumi.RunError(`The pipeline stacks are not right:\n${error.message.replaceAll(/^/gm, "  ")}`, {
      cause: error,
    });
  }
}
