import { UnknownValueError } from "@pulumi/policy";

/** A value that a plan may not know yet, then undefined; `pulumi up` checks again when it does. */
export function ifKnown<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof UnknownValueError) return undefined;
    throw error;
  }
}
