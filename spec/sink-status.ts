import { z } from "zod";
import { DeliveryState, SinkKind } from "./api.ts";

/** A sink of a stack and what it delivered last. */
export const SinkStatus = z.object({
  stack: z.string(),
  id: z.string().describe("Its place in stack.yaml, kind and name, such as `0-csv-rain`."),
  kind: SinkKind,
  name: z.string().describe("The table that it delivers, or whom it tells."),
  canDouble: z.string().nullable().describe("Why something may be delivered twice after a crash; null: nothing is."),
  waiting: z.number().int().describe("Deliveries that are not done yet."),
  last: z
    .object({
      delivery: z.number().int().nullable().describe("What to retry; null: it was delivered in the run itself."),
      run: z.string(),
      state: DeliveryState,
      at: z.iso.datetime().describe("When it was delivered, or else asked for."),
      retryAt: z.iso.datetime().nullable(),
      attempts: z.number().int(),
      rows: z.number().int(),
      bytes: z.number().int(),
      location: z.string().nullable(),
      error: z.string().nullable(),
    })
    .nullable()
    .describe("The newest delivery; null: there was none yet."),
});
export type SinkStatus = z.output<typeof SinkStatus>;

export const Sinks = z.object({ sinks: z.array(SinkStatus).describe("In the order of the stacks and their sinks.") });
export type Sinks = z.output<typeof Sinks>;
