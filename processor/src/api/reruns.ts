import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { Reruns, Run } from "@cais/spec/api.ts";
import { StackName } from "@cais/spec/names.ts";
import { z } from "zod";
import { ReplayRefused } from "../ledger/index.ts";
import { findRun, findStack, stackOf } from "./find.ts";
import { IdempotencyHeaders, idempotencyProblems, oneAtATime } from "./idempotency.ts";
import type { Processor } from "./index.ts";
import { traced } from "./observe.ts";
import { Moment, oneOf, Sought } from "./parameters.ts";
import { ApiProblem, problemResponse, storageFull } from "./problems.ts";

/** `POST …/reruns`: whole files are processed again, in place of what the tables have of them. */
export const reruns: FastifyPluginAsyncZod<Processor> = async (app, processor) => {
  const { ledger } = processor;
  const once = oneAtATime();

  app.post(
    "/runs/:id/reruns",
    {
      config: { action: "replay", change: "rerun" },
      schema: {
        summary: "Run a whole file again",
        description:
          "With the contract and SQL of now, and with the file's corrections. What it gives takes the place of what the tables have of the file.",
        params: z.object({ id: Sought }),
        headers: IdempotencyHeaders,
        response: {
          202: Run.describe("The rerun that was queued."),
          404: problemResponse("There is no such run, or its stack is not deployed any more."),
          ...idempotencyProblems,
          409: problemResponse(
            "A run of the file is not done yet, the file was deleted, or a request with this Idempotency-Key is in progress.",
          ),
          507: storageFull,
        },
      },
    },
    async (request, reply) => {
      const run = await findRun(processor, request.params.id);
      stackOf(processor, run);
      const rerun = await once(request.headers, run.stack, (key) =>
        ledger.requeue({ run: run.id, kind: "rerun", by: request.caller.name, ...traced(request.span), ...key }),
      );
      request.concerns = rerun.id;
      return reply.code(202).send(rerun);
    },
  );

  app.post(
    "/stacks/:stack/reruns",
    {
      config: { action: "replay", change: "rerun" },
      schema: {
        summary: "Run a stack's files again",
        description: "All of them, or those received from one time until before another.",
        params: z.object({ stack: StackName }),
        querystring: z.object({
          all: oneOf(["true", "false"]).default("false").describe("Every file of the stack."),
          from: Moment.optional().describe("Files received then or later."),
          to: Moment.optional().describe("Files received before then."),
        }),
        response: {
          202: Reruns.describe("What was queued, in the order in which it is done."),
          400: problemResponse("A parameter is not right, or it is not said which files."),
          404: problemResponse("There is no such stack."),
          507: storageFull,
        },
      },
    },
    async ({ params, query: { all, from, to }, caller, span }, reply) => {
      const { name } = findStack(processor, params.stack).config.stack;
      const some = from !== undefined || to !== undefined;
      if ((all === "true") === some)
        throw new ApiProblem("bad-request", "Say which files: either all=true, or from, to or both.");
      const roots = await ledger.received({
        stack: name,
        ...(from !== undefined && { from: new Date(from) }),
        ...(to !== undefined && { to: new Date(to) }),
      });
      const asked = await Promise.allSettled(
        roots.map((run) => ledger.requeue({ run, kind: "rerun", by: caller.name, ...traced(span) })),
      );
      const answer: z.output<typeof Reruns> = { runs: [], skipped: [] };
      for (const [index, result] of asked.entries())
        if (result.status === "fulfilled") answer.runs.push(result.value);
        else if (result.reason instanceof ReplayRefused)
          answer.skipped.push({ run: roots[index] ?? "", reason: result.reason.message });
        else throw result.reason;
      return reply.code(202).send(answer);
    },
  );
};
