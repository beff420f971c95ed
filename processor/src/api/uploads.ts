import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { Upload } from "@cais/spec/api.ts";
import { StackName } from "@cais/spec/names.ts";
import { z } from "zod";
import { namesTaken, takesName } from "../formats/names.ts";
import { type Claim, IdempotencyConflict } from "../ledger/index.ts";
import { uploadKey } from "../runs/input-keys.ts";
import type { OpenStack } from "../runs/stack.ts";
import { findStack } from "./find.ts";
import { IdempotencyHeaders, idempotencyProblems, oneAtATime } from "./idempotency.ts";
import { keep } from "./keep.ts";
import { FileName, oneOf } from "./parameters.ts";
import { ApiProblem, problemResponse, storageFull } from "./problems.ts";
import { traced } from "./observe.ts";
import { type SentFile, takeFiles, withFile } from "./sent-file.ts";
import type { Processor } from "./index.ts";

/** `POST /v1/stacks/{stack}/files`: takes a file, as a form or as it is. */
export const uploads: FastifyPluginAsyncZod<Processor> = async (app, processor) => {
  const { ledger, runner, metrics, tracing } = processor;
  await takeFiles(app);
  const once = oneAtATime();

  app.post(
    "/stacks/:stack/files",
    {
      config: { action: "send", change: "upload" },
      schema: {
        summary: "Send a file to a stack",
        description:
          "As multipart/form-data with a part named `file`, or as the body itself with `?name=`. Answered when the file and its run are on the disk. The same content is loaded once: 200 with the first run's id, unless `again`.",
        params: z.object({ stack: StackName }),
        headers: IdempotencyHeaders,
        querystring: z.object({
          name: FileName.optional().describe("The file's name, for a body that is no form."),
          again: oneOf(["true", "false"])
            .default("false")
            .describe("Load it although the same content was loaded before."),
        }),
        response: {
          200: Upload.describe("The stack has this content already, queued, running or done; `id` is that run."),
          202: Upload.describe("Taken; the run is queued."),
          400: problemResponse("The body is no form with a file, or has no name."),
          404: problemResponse("There is no such stack."),
          ...idempotencyProblems,
          413: problemResponse("The file is larger than the stack's maxBytes."),
          415: problemResponse("The stack does not take this format."),
          507: storageFull,
        },
      },
    },
    async (request, reply) => {
      const stack = findStack(processor, request.params.stack);
      const { formats, maxBytes } = stack.config.stack.source.upload;
      const checkName = (name: string) => {
        if (!takesName(formats, name))
          throw new ApiProblem(
            "not-this-format",
            `The stack takes files called ${namesTaken(formats)}, but this one is called ${name}.`,
          );
      };
      const taken = { queryName: request.query.name, maxBytes, checkName };
      const { upload, created } = await withFile(request, taken, (file) =>
        once(request.headers, request.params.stack, (key) =>
          take(
            stack,
            file,
            { ...key, ...traced(request.span), by: request.caller.name },
            request.query.again === "true",
          ),
        ),
      );
      request.concerns = upload.id;
      return reply.code(created ? 202 : 200).send(upload);
    },
  );

  async function take(
    open: OpenStack,
    { name, body }: SentFile,
    from: Pick<Claim, "idempotencyKey" | "by" | "traceparent">,
    again: boolean,
  ) {
    const { input, config } = open;
    const stack = config.stack.name;
    const asked = { kind: "load", again, name, ...from } as const;
    const { key, bytes, sha256, version, drop } = await keep(ledger, open, uploadKey(name, new Date()), body, asked);
    try {
      const claim = { stack, store: input.id, key, version, name, bytes, sha256, ...from };
      const { run, created } = await tracing.during("claim", from.traceparent, { "cais.stack": stack }, () =>
        ledger.claim(claim, { again }),
      );
      if (created) {
        metrics.received(stack, bytes);
        runner.wake();
      } else await drop();
      return { upload: { id: run.id, stack, name, bytes, sha256 }, created };
    } catch (error) {
      // Of any other failure it is not sure that nothing was claimed: then the next start tells.
      if (error instanceof IdempotencyConflict) await drop();
      throw error;
    }
  }
};
