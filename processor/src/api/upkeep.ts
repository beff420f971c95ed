import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { Identifier, StackName } from "@cais/spec/names.ts";
import { Optimized, Rewound, Vacuumed } from "@cais/spec/upkeep.ts";
import { z } from "zod";
import { TableChanged } from "../ledger/index.ts";
import { NotRewound } from "../tables/rewind.ts";
import type { Processor } from "./index.ts";
import { oneOf } from "./parameters.ts";
import { ApiProblem, problemResponse, storageFull } from "./problems.ts";

/** `POST /v1/tables/…/optimize` and `/vacuum`: what is else done by itself, asked for; and `/rewind`, after a restore. */
export const upkeep: FastifyPluginAsyncZod<Processor> = async (app, { stacks, runner }) => {
  const params = z.object({ stack: StackName, table: Identifier });
  const noSuchTable = problemResponse("There is no such table.");

  function checkTable({ stack, table }: z.output<typeof params>): void {
    if (stacks.get(stack)?.config.stack.tables.some(({ name }) => name === table) !== true)
      throw new ApiProblem("no-such-table", `There is no table "${stack}/${table}"; GET /v1/tables lists them.`);
  }

  app.post(
    "/tables/:stack/:table/optimize",
    {
      config: { action: "admin", change: "optimize" },
      schema: {
        summary: "Put a table's small files together",
        description:
          "Files below 64 MB of one partition become files of about 256 MB, as one version that only moves rows. It waits until no run of the stack is done. Done by itself when a table has more than 100 files below 16 MB.",
        params,
        response: { 200: Optimized, 404: noSuchTable, 507: storageFull },
      },
    },
    async ({ params: of }) => {
      checkTable(of);
      const { stack, table: name } = of;
      try {
        return { stack, name, ...(await runner.upkeep.optimize(stack, name)) };
      } catch (error) {
        if (!(error instanceof TableChanged)) throw error;
        // Another program wrote to it meanwhile, which nothing can hold up.
        return { stack, name, ...(await runner.upkeep.optimize(stack, name)) };
      }
    },
  );

  app.post(
    "/tables/:stack/:table/vacuum",
    {
      config: { action: "admin", change: "vacuum" },
      schema: {
        summary: "Delete files that no kept version of a table needs",
        description:
          "Files that were removed longer ago than the table's delta.deletedFileRetentionDuration (7 days); after that there is no travelling to versions that had them. Done by itself once a day.",
        params,
        querystring: z.object({
          dryRun: oneOf(["true", "false"]).default("false").describe("Only list them."),
        }),
        response: { 200: Vacuumed, 404: noSuchTable },
      },
    },
    async ({ params: of, query }) => {
      checkTable(of);
      const { stack, table: name } = of;
      const dryRun = query.dryRun === "true";
      return { stack, name, dryRun, files: await runner.upkeep.vacuum(stack, name, { dryRun }) };
    },
  );

  app.post(
    "/tables/:stack/:table/rewind",
    {
      config: { action: "admin", change: "rewind" },
      schema: {
        summary: "Take off a table's log what is newer than the ledger",
        description:
          "After a restore: what was loaded since is loaded again from the input, and its rows would be there twice. What other programs wrote since goes, too.",
        params,
        response: {
          200: Rewound,
          404: noSuchTable,
          409: problemResponse("The ledger is not older than the log, or what it knows is not there any more."),
        },
      },
    },
    async ({ params: of }) => {
      checkTable(of);
      const { stack, table: name } = of;
      try {
        return { stack, name, ...(await runner.upkeep.rewind(stack, name)) };
      } catch (error) {
        if (error instanceof NotRewound) throw new ApiProblem("not-now", error.message);
        throw error;
      }
    },
  );
};
