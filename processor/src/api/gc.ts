import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { Garbage } from "@cais/spec/api.ts";
import { z } from "zod";
import { collectGarbage } from "../runs/gc.ts";
import type { Processor } from "./index.ts";
import { oneOf } from "./parameters.ts";
import { storageFull } from "./problems.ts";

/** `POST /v1/gc`: removes what a crash may have left in the stores. */
export const gc: FastifyPluginAsyncZod<Processor> = async (app, { stacks, ledger, runner }) => {
  app.post(
    "/gc",
    {
      config: { action: "admin", change: "gc" },
      schema: {
        summary: "Remove objects that Cais wrote and that no run or table has",
        description: "Only those older than an hour, whose keys have the form that Cais itself writes.",
        querystring: z.object({
          dryRun: oneOf(["true", "false"]).default("false").describe("Only list them."),
        }),
        response: { 200: Garbage, 507: storageFull },
      },
    },
    async ({ query }) => {
      const dryRun = query.dryRun === "true";
      await runner.upkeep.checkLedger();
      return { dryRun, objects: await collectGarbage({ stacks, ledger }, { dryRun }) };
    },
  );
};
