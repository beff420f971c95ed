import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { Run, RunKind, Runs, RunState } from "@cais/spec/api.ts";
import { z } from "zod";
import { findRun } from "./find.ts";
import { askForStack } from "./guard.ts";
import type { Processor } from "./index.ts";
import { oneOf, Sought, wholeNumber } from "./parameters.ts";
import { problemResponse } from "./problems.ts";

/** `GET /v1/runs…`: what became of the files. */
export const runs: FastifyPluginAsyncZod<Processor> = async (app, processor) => {
  const { ledger } = processor;
  const params = z.object({ id: Sought });
  const noSuchRun = problemResponse("There is no such run.");

  app.get(
    "/runs",
    {
      config: { action: "read" },
      schema: {
        summary: "List runs, newest first",
        querystring: z.object({
          stack: Sought.optional(),
          state: oneOf(RunState.options).optional(),
          kind: oneOf(RunKind.options).optional(),
          file: Sought.optional().describe("A run: its file's runs, which are its load, replays and reruns."),
          limit: wholeNumber(1, 500).default(50),
          before: Sought.optional().describe("`next` of the page before."),
        }),
        response: { 200: Runs, 404: noSuchRun },
      },
    },
    async ({ query: { stack, state, kind, file, limit, before }, caller }) => {
      if (stack !== undefined) askForStack(caller, stack);
      if (before !== undefined) await findRun(processor, before, caller);
      const ofFile = file === undefined ? undefined : await findRun(processor, file, caller);
      // One more than asked for tells whether there is a next page.
      const found = await ledger.runs({
        ...(stack !== undefined && { stack }),
        ...(caller.stacks !== "all" && { stacks: caller.stacks }),
        ...(state !== undefined && { state }),
        ...(kind !== undefined && { kind }),
        ...(ofFile !== undefined && { root: ofFile.root ?? ofFile.id }),
        ...(before !== undefined && { before }),
        limit: limit + 1,
      });
      const page = found.slice(0, limit);
      return { runs: page, next: found.length > limit ? (page.at(-1)?.id ?? null) : null };
    },
  );

  app.get(
    "/runs/:id",
    { config: { action: "read" }, schema: { summary: "One run", params, response: { 200: Run, 404: noSuchRun } } },
    async ({ params: { id } }) => findRun(processor, id),
  );
};
