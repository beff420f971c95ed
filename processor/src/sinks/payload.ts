import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Delivery } from "@cais/spec/api.ts";
import { RunEnding } from "@cais/spec/sinks.ts";
import type { Ledger } from "../ledger/index.ts";
import type { OpenStack } from "../runs/stack.ts";
import { DeliveryDelayed, DeliveryRefused, type Payload, type Sink } from "./index.ts";

/** Whose payload is brought, and into which folder. */
export interface Brought {
  stack: OpenStack;
  sink: Sink;
  delivery: Delivery;
  /** The end of the run that it tells of. */
  told: RunEnding | undefined;
  ledger: Pick<Ledger, "run">;
  folder: string;
}

/**
 * Brings what is delivered from the lake, or the run that is told of from the ledger. undefined: the run has come to another
 * end since, which is told by a delivery of its own.
 */
export async function bring({ stack, sink, delivery, told, ledger, folder }: Brought): Promise<Payload | undefined> {
  const { payloadKey, run, rows, bytes } = delivery;
  const { delivers } = sink;
  if (payloadKey === null) {
    const event = await ledger.run(run);
    if (event === undefined) throw new DeliveryRefused(`The ledger has no run ${run} any more.`);
    const ending = RunEnding.safeParse(event.state);
    if (!ending.success) throw new DeliveryDelayed("The run goes on; it is told when it has ended.", { counts: false });
    if (told !== undefined && told !== ending.data) return undefined;
    if ("endings" in delivers && !delivers.endings.includes(ending.data))
      throw new DeliveryRefused(`The run ended as ${ending.data}, of which this sink is not told.`);
    return { event };
  }
  // An attempt that was killed left its payload there.
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, "payload");
  if (await stack.lake.fetch(payloadKey, file)) return { file, rows, bytes };
  throw new DeliveryRefused(
    `The lake lacks ${stack.lake.location(payloadKey)}, which was to be delivered; restore it.`,
  );
}
