import type { Delivery } from "@cais/spec/api.ts";
import type { RunEnding } from "@cais/spec/sinks.ts";
import type { DeliveryLedger } from "../ledger/index.ts";
import type { OpenStack } from "../runs/stack.ts";
import { DeliveryDelayed, DeliveryRefused, type Turn } from "./index.ts";

/** A turn, and the way to tell of what went wrong in it without telling a secret. */
export interface OpenTurn extends Turn {
  /** A text without the values of the secrets that were asked for. */
  hide(text: string): string;
}

/** Opens a sink's turn. `delivery` is undefined where a run delivers itself, so that nothing of it is kept. */
export function openTurn(
  stack: OpenStack,
  { run, sink, ending }: Pick<Delivery, "run" | "sink"> & { ending?: RunEnding | undefined },
  signal: AbortSignal,
  kept?: { id: number; progress: unknown; ledger: Pick<DeliveryLedger, "progress"> },
): OpenTurn {
  const told = new Set<string>();
  return {
    // A run can come to another end than it was told of, and who receives it takes each id once.
    id: ending === undefined ? `${run}-${sink}` : `${run}-${sink}-${ending}`,
    run,
    progress: kept?.progress,
    save: async (progress) => kept?.ledger.progress(kept.id, progress),
    signal,
    async secret(name) {
      const value = await stack.secret(name);
      told.add(value);
      return value;
    },
    hide: (text) =>
      [...told].reduce((hidden, value) => (value === "" ? hidden : hidden.replaceAll(value, "[secret]")), text),
  };
}

/** What they are told of a fault that is not the receiver's. */
export const OUR_FAULT = "The processor failed, not who receives it; see its log.";

/** What the ledger and people are told of an attempt that failed. */
export const toldOf = (error: unknown, { hide }: OpenTurn): string =>
  error instanceof DeliveryDelayed || error instanceof DeliveryRefused ? hide(error.message) : OUR_FAULT;

/** An error as the log may tell it: without secrets, and without the other keys that libraries give theirs. */
export function withoutSecrets(error: unknown, turn: OpenTurn): Error {
  if (!(error instanceof Error)) return new Error(turn.hide(String(error)));
  const { cause, name, stack, message } = error;
  const copy = new Error(turn.hide(message), cause === undefined ? {} : { cause: withoutSecrets(cause, turn) });
  copy.name = name;
  if (stack !== undefined) copy.stack = turn.hide(stack);
  return Object.assign(copy, "code" in error && { code: error.code });
}
