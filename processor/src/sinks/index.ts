import type { Run } from "@cais/spec/api.ts";
import { kindOf, type RunEnding, type SinkKind, tableOf } from "@cais/spec/sinks.ts";
import type { Writes } from "./writes.ts";

/**
 * What is delivered at a sink's turn. `file`: rows that the engine wrote as the sink asks, in a local file that must only
 * be read, and may be the object in the lake itself. `event`: a run that has ended.
 */
export type Payload = { file: string; rows: number; bytes: number } | { event: Run };

/** What a sink may use while it delivers. */
export interface Turn {
  /** The delivery: the same at each attempt, so that who receives it can tell that it came before. */
  id: string;
  run: string;
  /** JSON that an earlier attempt saved last; null at first. */
  progress: unknown;
  /** Keeps how far it got, durable when its promise resolves: an attempt after a crash begins there. */
  save(progress: unknown): Promise<void>;
  /** Ends the attempt. What was delivered of it stays delivered. */
  signal: AbortSignal;
  /** A secret of the stack. Throws `SecretMissing`. Its value must not get into an error, a log or what is saved. */
  secret(name: string): Promise<string>;
}

/** Where results of a stack go. */
export interface Sink {
  kind: SinkKind;
  /** What a person knows it by: the table that it delivers, or whom it tells. */
  name: string;
  /** Names it among the sinks of its stack: its place, kind and name. */
  id: string;
  /** What it delivers: rows of a table, or that a run ended so. */
  delivers: { table: string; of: "table" | "run"; writes: Writes } | { endings: readonly RunEnding[] };
  /** It is one atomic put, so it is tried in the run itself. */
  direct: boolean;
  /** Whether the receiver may see something twice after a crash; if so, why. */
  canDouble: false | string;
  /** Seconds to wait after each attempt that failed; after the last one it fails for good. */
  retrySeconds: readonly number[];
  /** Delivers; gives where a person finds it. Throws `DeliveryRefused` where trying again would change nothing. */
  deliver(payload: Payload, turn: Turn): Promise<{ location: string }>;
}

/** Thrown when a delivery cannot succeed before someone does what the message says. */
export class DeliveryRefused extends Error {
  override name = "DeliveryRefused";
}

/** Thrown when a delivery may succeed later. The message tells no secret; `afterSeconds`: not before, as who receives it asks. */
export class DeliveryDelayed extends Error {
  override name = "DeliveryDelayed";
  readonly afterSeconds: number;
  constructor(message: string, options: ErrorOptions & { afterSeconds?: number } = {}) {
    super(message, options);
    this.afterSeconds = options.afterSeconds ?? 0;
  }
}

/** Thrown when a secret that a delivery needs cannot be read; the message says which file. The delivery waits for it. */
export class SecretMissing extends DeliveryDelayed {
  override name = "SecretMissing";
}

/** Where the lake keeps what waits to be delivered. `nth` is the sink's place in the stack. */
export const payloadKey = (run: string, nth: number, { as }: Writes) => `deliveries/${run}-${nth}.${as}`;

export { kindOf, tableOf };
