import type { LookupFunction } from "node:net";
import type { Delivery, Run } from "@cais/spec/api.ts";
import { kindOf, type RunEnding, type Sink as AskedSink, type SinkKind } from "@cais/spec/sinks.ts";
import type { NewDelivery } from "../ledger/index.ts";
import type { Table } from "@cais/spec/stack.ts";
import type { ObjectStore } from "../object-store/index.ts";
import { guardAddresses } from "./address.ts";
import { biSink } from "./bi/index.ts";
import { databaseSink } from "./database/index.ts";
import { fileSink } from "./file.ts";
import { webhookSink } from "./webhook/index.ts";
import type { Writes } from "./writes.ts";

/**
 * What is delivered at a sink's turn. `file`: rows that the engine wrote as the sink asks, in a local file that must only
 * be read, and may be the object in the lake itself. `event`: a run that has ended.
 */
export type Payload = { file: string; rows: number; bytes: number } | { event: Run };

/** What a sink may use while it delivers. */
export interface Turn {
  /** Names the delivery everywhere and at each attempt, so that who receives it can tell that it came before. */
  id: string;
  run: string;
  /** JSON that an earlier attempt saved last; undefined at first. */
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
  /** One delivery does not wait for those before it that are to be tried again. Default: it does. */
  anyOrder?: boolean;
  /** Why the receiver may see something twice after a crash; null: it cannot. */
  canDouble: string | null;
  /** Seconds to wait after each attempt that failed; after the last one it fails for good. */
  retrySeconds: readonly number[];
  /** Delivers; gives where a person finds it. Throws `DeliveryRefused` where trying again would change nothing. */
  deliver(payload: Payload, turn: Turn): Promise<{ location: string }>;
}

export { DeliveryDelayed, DeliveryRefused, SecretMissing } from "./faults.ts";

/** Where the lake keeps what waits to be delivered. `nth` is the sink's place in the stack. */
export const payloadKey = (run: string, nth: number, { as }: Writes) => `deliveries/${run}-${nth}.${as}`;

/** Whether each delivery holds the whole table, so that one says all that those before it did. */
export const isWhole = ({ delivers }: Pick<Sink, "delivers">) => "table" in delivers && delivers.of === "table";

/** A sink's turn at what a run committed, as the ledger queues it. */
export const turnOf = (
  stack: string,
  sink: Sink,
  of: Pick<NewDelivery, "run" | "payloadKey" | "rows" | "bytes" | "ending">,
): NewDelivery => ({
  ...of,
  stack,
  sink: sink.id,
  kind: sink.kind,
  name: sink.name,
  canDouble: sink.canDouble,
  supersedes: isWhole(sink),
  anyOrder: sink.anyOrder === true,
});

/** What sinks reach beside their stack's own secrets. */
export interface SinkOutside {
  /** The stack's output store. */
  output: ObjectStore;
  /** The stack's tables, of which a sink delivers one. */
  tables: readonly Pick<Table, "name" | "disposition">[];
  /** What sinks know of the receivers' limits is kept in here. */
  folder: string;
  /** Private addresses (CIDRs) that may be sent to. */
  allowPrivate: readonly string[];
  /** How names of hosts are resolved. Default: the system's way. */
  lookup?: LookupFunction;
}

/** A stack's sinks, in its order. */
export const openSinks = (asked: readonly AskedSink[], outside: SinkOutside): Sink[] =>
  asked.map((sink, nth) => {
    const kind = kindOf(sink);
    const part = openKind(sink, outside);
    return { ...part, kind, id: `${nth}-${kind}-${part.name}` };
  });

/** The kind's own part of a sink. */
export type SinkPart = Omit<Sink, "kind" | "id">;

function openKind(
  { csv, parquet, bi, webhook, database }: AskedSink,
  { output, tables, folder, allowPrivate, lookup }: SinkOutside,
): SinkPart {
  const dispositionOf = (name: string | undefined) => tables.find((table) => table.name === name)?.disposition;
  if (csv !== undefined) return fileSink(csv, { as: "csv", delimiter: csv.delimiter, decimal: csv.decimal }, output);
  if (parquet !== undefined) return fileSink(parquet, { as: "parquet" }, output);
  const addresses = guardAddresses(allowPrivate, lookup);
  if (bi !== undefined) return biSink(bi, { disposition: dispositionOf(bi.table), addresses, folder });
  if (webhook !== undefined) return webhookSink(webhook, addresses);
  if (database !== undefined) return databaseSink(database, dispositionOf(database.table));
  throw new Error("The sink has no kind that this processor delivers to; validate the stack.");
}

/**
 * The sink that a delivery is for. Its place may have changed since: then it is the only one of its kind and name.
 * undefined: the stack has it no more.
 */
export function sinkOf(sinks: readonly Sink[], { sink, kind, name }: Pick<Delivery, "sink" | "kind" | "name">) {
  const same = sinks.filter((known) => known.kind === kind && known.name === name);
  return sinks.find(({ id }) => id === sink) ?? (same.length === 1 ? same[0] : undefined);
}
