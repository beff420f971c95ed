import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { Run } from "@cais/spec/api.ts";
import { expandedLimit } from "@cais/spec/upload.ts";
import { z } from "zod";
import { type Asked, IdempotencyConflict, ReplayRefused } from "../ledger/index.ts";
import { correctionKey } from "../runs/input-keys.ts";
import type { OpenStack } from "../runs/stack.ts";
import { findRun, stackOf } from "./find.ts";
import { IdempotencyHeaders, idempotencyProblems, oneAtATime } from "./idempotency.ts";
import type { Processor } from "./index.ts";
import { keep } from "./keep.ts";
import { traced } from "./observe.ts";
import { FileName, Sought } from "./parameters.ts";
import { ApiProblem, problemResponse, storageFull } from "./problems.ts";
import { takeFiles, withFile } from "./sent-file.ts";

type Replay = Extract<Asked, { kind: "replay" }>;

/** `POST /v1/runs/{id}/replays`: what is open of a file is processed again, as it is or corrected. */
export const replays: FastifyPluginAsyncZod<Processor> = async (app, processor) => {
  const { ledger } = processor;
  await takeFiles(app);
  const once = oneAtATime();

  app.post(
    "/runs/:id/replays",
    {
      config: { action: "replay", change: "replay" },
      schema: {
        summary: "Replay what is open of a run's file",
        description:
          "Without a body the file's open rows (or the whole file, if nothing of it was loaded) are processed as they are, with the contract and SQL of now. With a body, a file as in an upload, they are processed as corrected there: it is the CSV that `rejected?format=editable` gives, edited. Rows that it lacks stay open. A row that was loaded is never loaded again.",
        params: z.object({ id: Sought }),
        querystring: z.object({
          name: FileName.optional().describe("The correction's name, for a body that is no form."),
        }),
        headers: IdempotencyHeaders,
        response: {
          202: Run.describe("The replay that was queued."),
          400: problemResponse("The body is no form with a file, or has no name."),
          404: problemResponse("There is no such run, or its stack is not deployed any more."),
          ...idempotencyProblems,
          409: problemResponse(
            "Nothing is open, a run of the file is not done yet, or a request with this Idempotency-Key is in progress.",
          ),
          413: problemResponse("The correction is larger than a file of the stack may be."),
          415: problemResponse("The correction is no .csv."),
          507: storageFull,
        },
      },
    },
    async (request, reply) => {
      const run = await findRun(processor, request.params.id);
      const stack = stackOf(processor, run);
      const asked: Replay = { run: run.id, kind: "replay", by: request.caller.name, ...traced(request.span) };
      const taken = {
        queryName: request.query.name,
        // More than the file itself may have: a compressed one is corrected as CSV.
        maxBytes: expandedLimit(stack.config.stack.source.upload),
        checkName,
      };
      const hasBody = request.isMultipart() || (request.body !== undefined && request.body !== null);
      const replay = await (hasBody
        ? withFile(request, taken, ({ body }) =>
            once(request.headers, run.stack, (key) => corrected(stack, { ...asked, ...key }, body)),
          )
        : once(request.headers, run.stack, (key) => ledger.requeue({ ...asked, ...key })));
      request.concerns = replay.id;
      return reply.code(202).send(replay);
    },
  );

  async function corrected(stack: OpenStack, asked: Replay, body: AsyncIterable<Uint8Array>): Promise<Run> {
    const { key, sha256, bytes, drop } = await keep(ledger, stack, correctionKey(new Date()), body, asked);
    try {
      return await ledger.requeue({ ...asked, correction: { key, sha256, bytes } });
    } catch (error) {
      // Of any other failure it is not sure that nothing was queued: then the next start tells.
      if (error instanceof ReplayRefused || error instanceof IdempotencyConflict) await drop();
      throw error;
    }
  }
};

function checkName(name: string): void {
  if (!name.toLowerCase().endsWith(".csv"))
    throw new ApiProblem(
      "not-this-format",
      `A correction is the CSV that GET …/rejected?format=editable gives, edited, but this file is called ${name}.`,
    );
}
