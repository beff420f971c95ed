import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { Delivery, DeliveryState } from "@cais/spec/api.ts";
import { Deliveries } from "@cais/spec/deliveries.ts";
import { z } from "zod";
import { type Caller, sees } from "../access/index.ts";
import { askForStack } from "./guard.ts";
import type { Processor } from "./index.ts";
import { oneOf, Sought, wholeNumber } from "./parameters.ts";
import { ApiProblem, problemResponse } from "./problems.ts";

/** `GET /v1/deliveries`, `POST /v1/deliveries/{delivery}/retry`: what sinks have to deliver, and what becomes of it. */
export const deliveries: FastifyPluginAsyncZod<Processor> = async (app, { ledger }) => {
  app.get(
    "/deliveries",
    {
      config: { action: "read" },
      schema: {
        summary: "List deliveries, newest first",
        querystring: z.object({
          stack: Sought.optional(),
          state: oneOf(DeliveryState.options).optional(),
          run: Sought.optional().describe("The run whose results are delivered."),
          sink: z.string("must be given once").max(128).optional().describe("A sink, such as `0-csv-rain`."),
          limit: wholeNumber(1, 500).default(50),
          before: wholeNumber(1, Number.MAX_SAFE_INTEGER).optional().describe("`next` of the page before."),
        }),
        response: { 200: Deliveries },
      },
    },
    async ({ query: { stack, state, run, sink, limit, before }, caller }) => {
      if (stack !== undefined) askForStack(caller, stack);
      // One more than asked for tells whether there is a next page.
      const found = await ledger.deliveries.list({
        ...(stack !== undefined && { stack }),
        ...(caller.stacks !== "all" && { stacks: caller.stacks }),
        ...(state !== undefined && { state }),
        ...(run !== undefined && { run }),
        ...(sink !== undefined && { sink }),
        ...(before !== undefined && { before }),
        limit: limit + 1,
      });
      const page = found.slice(0, limit);
      return { deliveries: page, next: found.length > limit ? (page.at(-1)?.id ?? null) : null };
    },
  );

  app.post(
    "/deliveries/:delivery/retry",
    {
      config: { action: "replay", change: "retry" },
      schema: {
        summary: "Try a delivery again now",
        description: "One that waits, or was given up; it has all its attempts again. The run is not done again.",
        params: z.object({ delivery: wholeNumber(1, Number.MAX_SAFE_INTEGER) }),
        response: {
          202: Delivery.describe("The delivery, which is tried next."),
          404: problemResponse("There is no such delivery."),
          409: problemResponse("It is being delivered, was delivered, or a later one took its place."),
        },
      },
    },
    async (request, reply) => {
      const { id } = await find(request.params.delivery, request.caller);
      request.concerns = String(id);
      const again = await ledger.deliveries.again(id);
      if (again !== undefined) return reply.code(202).send(again);
      const { state } = await find(id, request.caller);
      throw new ApiProblem("not-now", `The delivery ${id} is ${state}; only one that waits or failed is tried again.`);
    },
  );

  /** The same answer whether there is none, or one that is not for the caller to see. */
  async function find(id: number, caller: Caller): Promise<Delivery> {
    const delivery = await ledger.deliveries.get(id);
    if (delivery === undefined || !sees(caller, delivery.stack))
      throw new ApiProblem("no-such-delivery", `There is no delivery ${id}; GET /v1/deliveries lists them.`);
    return delivery;
  }
};
