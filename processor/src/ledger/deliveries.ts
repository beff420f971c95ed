import type { Delivery, DeliveryState } from "@cais/spec/api.ts";
import type { RunEnding } from "@cais/spec/sinks.ts";

/** One sink's turn at one commit. */
export interface NewDelivery {
  stack: string;
  /** Which sink of the stack: its place in stack.yaml with its kind and name, such as `0-csv-inmet`. */
  sink: string;
  kind: Delivery["kind"];
  name: string;
  run: string;
  /** What is delivered: an object of the lake; null where it is the run's event. */
  payloadKey: string | null;
  rows: number;
  bytes: number;
  /** Why it can be delivered twice; null: it cannot. */
  canDouble: string | null;
  /** It holds the whole table, so earlier ones of this sink that wait have nothing to say any more. */
  supersedes?: boolean;
  /** How the run ended of which it tells. Default: it delivers rows. */
  ending?: RunEnding;
  /** It is due although earlier ones of its sink are not done. Default: it waits for them. */
  anyOrder?: boolean;
}

export interface DeliveryFilter {
  stack?: string;
  /** Any of these: those that the caller may see. */
  stacks?: readonly string[];
  state?: DeliveryState;
  run?: string;
  sink?: string;
  /** A delivery's id: those before it. */
  before?: number;
  limit: number;
}

/** What sinks still have to deliver, and what they delivered. Deliveries of one sink are done one by one. */
export interface DeliveryLedger {
  /** Queues a delivery, once per run, sink and ending: again, it gives the one that is there. The payload is loose no more. */
  add(delivery: NewDelivery): Promise<Delivery>;
  /** Of each sink the first one that is not done, or of those in any order the first one that is due; none of a sink that is delivering. */
  due(limit: number): Promise<Delivery[]>;
  /** When `due` may have more to give without anything being added; undefined: not before. */
  nextAt(): Promise<Date | undefined>;
  /** Has `listener` called whenever a delivery was added or is to be tried again now. */
  onAdded(listener: () => void): void;
  /** Makes it `delivering` and counts the attempt; gives the progress that was saved, undefined at first, and of what it tells. */
  start(id: number): Promise<{ delivery: Delivery; progress: unknown; ending: RunEnding | undefined }>;
  /** Saves how far it is, as JSON: the next attempt goes on from there. */
  progress(id: number, progress: unknown): Promise<void>;
  /** Its payload is noted as loose. */
  delivered(id: number): Promise<Delivery>;
  /** To be tried again from `at` on. The attempt counts unless it is said not to. */
  retry(id: number, attempt: { at: Date; error: string; counts?: boolean }): Promise<Delivery>;
  /** Given up; its payload is kept, so that it can be tried again by hand, and later ones of its sink go on. */
  failed(id: number, error: string): Promise<Delivery>;
  /** Given up while it was `delivering`, as a later one has more to say. Its payload is noted as loose. */
  superseded(id: number): Promise<Delivery>;
  /** Tries one that waits or failed again now, with all its attempts; gives undefined if it does neither. */
  again(id: number): Promise<Delivery | undefined>;
  /** Puts back all that are `delivering`, as at the processor's end: the attempts do not count. */
  releaseAll(): Promise<void>;
  get(id: number): Promise<Delivery | undefined>;
  /** Newest first. */
  list(filter: DeliveryFilter): Promise<Delivery[]>;
  /** What waits, by sink. */
  depth(): Promise<{ stack: string; sink: string; waiting: number; oldestAt: string }[]>;
}
