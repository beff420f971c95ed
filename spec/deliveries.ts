import { z } from "zod";
import { Delivery } from "./api.ts";

/** What sinks delivered and have to deliver. */
export const Deliveries = z.object({
  deliveries: z.array(Delivery).describe("Newest first."),
  next: z.number().int().nullable().describe("Pass as `before` for the next page."),
});
export type Deliveries = z.output<typeof Deliveries>;
