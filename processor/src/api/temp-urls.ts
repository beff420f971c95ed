import { createHash } from "node:crypto";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { ConfirmedUpload, TempUpload } from "@cais/spec/api.ts";
import { StackName } from "@cais/spec/names.ts";
import { z } from "zod";
import { namesTaken, takesName } from "../formats/names.ts";
import { newRunId } from "../ledger/run-id.ts";
import { directKey } from "../runs/input-keys.ts";
import type { OpenStack } from "../runs/stack.ts";
import { findStack } from "./find.ts";
import type { Processor } from "./index.ts";
import { traced } from "./observe.ts";
import { FileName, wholeNumber } from "./parameters.ts";
import { ApiProblem, problemResponse, storageFull } from "./problems.ts";

/** Whether some stack's files can go to its store without passing through the processor. */
export const givesTempUrls = ({ stacks }: Pick<Processor, "stacks">): boolean =>
  [...stacks.values()].some(({ input }) => input.tempUrl !== undefined);

const HOUR = 3600;

/**
 * `POST /v1/stacks/{stack}/uploads`: an address to which a file is put straight into the store; and its confirmation, without
 * which an event or the monitor finds the file. Only where a store gives such addresses.
 */
export const tempUrls: FastifyPluginAsyncZod<Processor> = async (app, processor) => {
  if (!givesTempUrls(processor)) return;
  const { ledger, runner, metrics } = processor;
  const query = z.object({ name: FileName.describe("The file's name.") });

  app.post(
    "/stacks/:stack/uploads",
    {
      config: { action: "send", change: "offer-upload" },
      schema: {
        summary: "Get an address to put a file straight into the store",
        description:
          "PUT the file to `url` as it is, without a token, before `expiresAt`. Then confirm it: POST to `confirm`. Whoever has the address can write that one object. The store takes up to 5 GiB in one PUT.",
        params: z.object({ stack: StackName }),
        querystring: query.extend({
          seconds: wholeNumber(60, 24 * HOUR)
            .default(HOUR)
            .describe("How long the address is valid."),
        }),
        response: {
          201: TempUpload,
          404: problemResponse("There is no such stack."),
          409: problemResponse("The stack's input store gives no such addresses."),
          415: problemResponse("The stack does not take this format."),
        },
      },
    },
    async ({ params: { stack }, query: { name, seconds } }, reply) => {
      const open = findStack(processor, stack);
      checkName(open, name);
      const id = newRunId(new Date());
      const { url, expires } = await addressOf(open, directKey(id, name), seconds);
      const confirm = `/v1/stacks/${stack}/uploads/${id}?name=${encodeURIComponent(name)}`;
      reply.code(201);
      return { id, method: "PUT" as const, url, expiresAt: expires.toISOString(), confirm };
    },
  );

  app.post(
    "/stacks/:stack/uploads/:id",
    {
      config: { action: "send", change: "upload" },
      schema: {
        summary: "Say that a file was put to the address that was got for it",
        description: "Confirmed again, it is answered with the same run.",
        params: z.object({
          stack: StackName,
          id: z.string().regex(/^\d{8}t\d{6}-[0-9a-f]{12}$/, "must be the id of an upload"),
        }),
        querystring: query,
        response: {
          200: ConfirmedUpload.describe("The stack has it already, queued, running or done; `id` is that run."),
          202: ConfirmedUpload.describe("Taken; the run is queued."),
          404: problemResponse("There is no such stack."),
          409: problemResponse("The file is not in the store."),
          413: problemResponse("The file is larger than the stack's maxBytes."),
          415: problemResponse("The stack does not take this format."),
          507: storageFull,
        },
      },
    },
    async (request, reply) => {
      const { params, query, caller, span } = request;
      const open = findStack(processor, params.stack);
      checkName(open, query.name);
      const { input, config } = open;
      const { maxBytes } = config.stack.source.upload;
      const { key, version, bytes, sha256 } = await read(open, directKey(params.id, query.name), maxBytes);
      const claim = { stack: params.stack, store: input.id, key, version, name: query.name, bytes, sha256 };
      // The monitor may find it, too, so it stays although its content is known.
      const { run, created } = await ledger.claim({ ...claim, ...traced(span), by: caller.name }, { kept: true });
      if (created) {
        metrics.received(params.stack, bytes);
        runner.wake();
      }
      request.concerns = run.id;
      reply.code(created ? 202 : 200);
      // The monitor may have been quicker: that run is of this very file.
      const known = !created && run.file.key !== key;
      return { id: run.id, stack: params.stack, name: query.name, bytes, sha256, known };
    },
  );
};

function checkName({ config }: OpenStack, name: string): void {
  const { formats } = config.stack.source.upload;
  if (!takesName(formats, name))
    throw new ApiProblem(
      "not-this-format",
      `The stack takes files called ${namesTaken(formats)}, but this one is called ${name}.`,
    );
}

async function addressOf({ input, config }: OpenStack, key: string, seconds: number) {
  const { name } = config.stack;
  if (input.tempUrl === undefined)
    throw new ApiProblem(
      "not-now",
      `The input store of stack "${name}" gives no addresses; send the file to /v1/stacks/${name}/files.`,
    );
  return input.tempUrl(key, { method: "PUT", seconds });
}

const notThere = () =>
  new ApiProblem("not-now", "The file is not in the store; PUT it to its address first, under the same name.");

/** The object with its content's hash, as one version of it. */
async function read({ input }: OpenStack, key: string, maxBytes: number) {
  const before = await input.head(key);
  if (before === undefined) throw notThere();
  if (before.bytes > maxBytes)
    throw new ApiProblem(
      "too-large",
      `The file is larger than the ${maxBytes.toLocaleString("en")} bytes that the stack takes.`,
    );
  const body = await input.get(key);
  if (body === undefined) throw notThere();
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of body) {
    hash.update(chunk as Uint8Array);
    bytes += (chunk as Uint8Array).length;
  }
  const after = await input.head(key);
  if (after?.version !== before.version)
    throw new ApiProblem("not-now", "The file was put again while it was read; confirm it again.");
  return { key, version: before.version, bytes, sha256: hash.digest("hex") };
}
