import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { Lineage } from "@cais/spec/lineage.ts";
import { z } from "zod";
import { lineageOf } from "../runs/lineage.ts";
import { findRun, stackOf } from "./find.ts";
import type { Processor } from "./index.ts";
import { Sought } from "./parameters.ts";
import { problemResponse } from "./problems.ts";

/** `GET /v1/runs/{id}/lineage`: from the received file over the tables to the sinks. */
export const lineage: FastifyPluginAsyncZod<Processor> = async (app, processor) => {
  app.get(
    "/runs/:id/lineage",
    {
      config: { action: "read" },
      schema: {
        summary: "What a run made of what",
        description:
          "From the received file over the stack's tables to the sinks that get rows, and to those that are told of the run. Which table is made of which is read from the stack's SQL as it is now.",
        params: z.object({ id: Sought }),
        response: {
          200: Lineage,
          404: problemResponse("There is no such run, or its stack is not deployed any more."),
        },
      },
    },
    async ({ params: { id } }) => {
      const run = await findRun(processor, id);
      const stack = stackOf(processor, run);
      const { reads, readsInput } = await processor.queries.plan(stack);
      return lineageOf({ run, stack: stack.config.stack, reads, readsInput });
    },
  );
};
