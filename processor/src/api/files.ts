import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { attachment } from "./attachment.ts";
import { findRun, stackOf } from "./find.ts";
import { askForPersonal } from "./guard.ts";
import type { Processor } from "./index.ts";
import { oneOf, Sought } from "./parameters.ts";
import { ApiProblem, problemResponse } from "./problems.ts";
import { sendBytes } from "./stream.ts";
import { givesTempUrls } from "./temp-urls.ts";

/** In which a download must begin. */
const DOWNLOAD_SECONDS = 300;

/** `GET /v1/runs/{id}/file`: the file as it was received. It is only ever handed over, never shown by a browser. */
export const files: FastifyPluginAsyncZod<Processor> = async (app, processor) => {
  app.get(
    "/runs/:id/file",
    {
      config: { action: "read" },
      schema: {
        summary: "The file of a run, as it was received",
        description: "Of a stack with personal data it needs the action pii.",
        params: z.object({ id: Sought }),
        querystring: z.object({
          from: oneOf(["processor", "store"])
            .default("processor")
            .describe("store: answered with the address of the object, where the store gives one for some minutes."),
        }),
        response: {
          ...(givesTempUrls(processor) && { 307: z.null().describe("Location is where the file is; it is a secret.") }),
          200: {
            description: "The file.",
            content: { "application/octet-stream": { schema: z.string().meta({ format: "binary" }) } },
          },
          404: problemResponse("There is no such run, or its stack is not deployed any more."),
          410: problemResponse("The file was deleted after it was loaded, as its stack asks, or written over."),
        },
      },
    },
    async ({ params: { id }, query, caller }, reply) => {
      const { file, ...run } = await findRun(processor, id);
      const { input, config } = stackOf(processor, run);
      askForPersonal(caller, config.stack.contract, `The file "${file.name}" holds`);
      const source = await processor.ledger.source(id);
      const head = source === undefined || source.deleted ? undefined : await input.head(source.key);
      // Someone else may have written another file to its place.
      const same = head !== undefined && (source?.version === null || source?.version === head.version);
      if (same && query.from === "store" && input.tempUrl !== undefined) {
        const options = { method: "GET", seconds: DOWNLOAD_SECONDS, name: file.name } as const;
        const { url } = await input.tempUrl(head.key, options);
        // Else it would be checked as the answer's body.
        return reply.code(307).header("location", url).send(null);
      }
      const content = same ? await input.get(head.key) : undefined;
      if (content === undefined)
        throw new ApiProblem("file-gone", `The file "${file.name}" is not kept any more; whoever sent it may have it.`);
      reply
        .type("application/octet-stream")
        .header("content-length", head?.bytes)
        .header("content-disposition", attachment(file.name));
      return sendBytes(reply, content);
    },
  );
};
