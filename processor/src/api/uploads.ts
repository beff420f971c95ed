import type { Readable } from "node:stream";
import type { FastifyRequest } from "fastify";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import multipart from "@fastify/multipart";
import { Upload } from "@cais/spec/api.ts";
import { StackName } from "@cais/spec/names.ts";
import { z } from "zod";
import { newRunId } from "../ledger/run-id.ts";
import type { OpenStack } from "../runs/stack.ts";
import { FileName, oneOf } from "./parameters.ts";
import { ApiProblem, problemResponse, storageFull } from "./problems.ts";
import type { Processor } from "./index.ts";

/** Bytes of a multipart body that are not the file: boundaries, part headers, a few small fields. */
const FRAME_BYTES = 20_000;

const binary = { type: "string", format: "binary" };
/** The bodies that are taken. A file is no value that a schema could check, so this only describes it. */
export const uploadBody = {
  content: {
    "multipart/form-data": { schema: { type: "object", required: ["file"], properties: { file: binary } } },
    "text/csv": { schema: binary },
    "application/octet-stream": { schema: binary },
  },
};

/** `POST /v1/stacks/{stack}/files`: takes a file, as a form or as it is. */
export const uploads: FastifyPluginAsyncZod<Processor> = async (app, { stacks, ledger, runner, metrics }) => {
  await app.register(multipart, {
    limits: { files: 1, fields: 10, fieldSize: 1000, fileSize: Number.POSITIVE_INFINITY },
  });
  // Any other body is the file itself, whatever type it says it has.
  app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));

  app.post(
    "/stacks/:stack/files",
    {
      config: { action: "send", change: "upload" },
      schema: {
        summary: "Send a file to a stack",
        description:
          "As multipart/form-data with a part named `file`, or as the body itself with `?name=`. Answered when the file and its run are on the disk. The same content is loaded once: 200 with the first run's id, unless `again`.",
        params: z.object({ stack: StackName }),
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
          413: problemResponse("The file is larger than the stack's maxBytes."),
          415: problemResponse("The stack does not take this format."),
          507: storageFull,
        },
      },
    },
    async (request, reply) => {
      const stack = stacks.get(request.params.stack);
      if (stack === undefined)
        throw new ApiProblem(
          "no-such-stack",
          `There is no stack "${request.params.stack}"; there is ${[...stacks.keys()].join(", ")}.`,
        );
      try {
        const { name, body, atEnd } = await fileOf(request, request.query.name, stack);
        const { maxBytes } = stack.config.stack.source.upload;
        const pieces = limited(body, maxBytes, atEnd);
        const { upload, created } = await take(stack, name, pieces, request.query.again === "true");
        return await reply.code(created ? 202 : 200).send(upload);
      } catch (error) {
        // Whoever still sends must be read to the end to hear the answer; nothing of it is kept.
        request.raw.unpipe().resume();
        throw error;
      }
    },
  );

  async function take(open: OpenStack, name: string, body: AsyncIterable<Uint8Array>, again: boolean) {
    const { input, config } = open;
    const stack = config.stack.name;
    const now = new Date();
    // Keys begin with the date, so that a listing finds new ones; the name as sent is no key's business.
    const key = `${now.toISOString().slice(0, 10)}/${newRunId(now)}.csv`;
    const loose = { stack, role: "input", key } as const;
    await ledger.loose.note(loose);
    let stored;
    try {
      stored = await input.put(key, body, { ifAbsent: true });
    } catch (error) {
      // Even a write that failed at its end may have left an object. If this fails too, the next start sweeps it.
      await input.delete(key);
      await ledger.loose.forget(loose);
      throw error;
    }
    const { bytes, sha256, version } = stored;
    const { run, created } = await ledger.claim(
      { stack, store: input.id, key, version, name, bytes, sha256 },
      { again },
    );
    if (created) {
      metrics.received(stack, bytes);
      runner.wake();
    } else {
      await input.delete(key);
      await ledger.loose.forget(loose);
    }
    return { upload: { id: run.id, stack, name, bytes, sha256 }, created };
  }
};

/** A file as it is sent. */
interface SentFile {
  name: string | undefined;
  body: Readable | undefined;
  /** Reads what follows the file; throws if the request must be refused for it. */
  atEnd: () => Promise<void>;
}

/** The file in a request, checked as far as it can be before it is read. */
async function fileOf(request: FastifyRequest, queryName: string | undefined, { config }: OpenStack) {
  const { formats, maxBytes } = config.stack.source.upload;
  const form = request.isMultipart();
  const announced = Number(request.headers["content-length"] ?? 0);
  if (announced > maxBytes + (form ? FRAME_BYTES : 0)) throw tooLarge(maxBytes);
  const { name, body, atEnd }: SentFile = form
    ? await partOf(request)
    : { name: queryName, body: request.body as Readable | undefined, atEnd: async () => undefined };
  const parsed = FileName.safeParse(name);
  if (!parsed.success)
    throw new ApiProblem(
      "bad-request",
      name === undefined || name === ""
        ? "The file has no name; send a form with a file, or add ?name= to the address."
        : `The file's name ${z.treeifyError(parsed.error).errors[0]}.`,
    );
  if (!formats.some((format) => parsed.data.toLowerCase().endsWith(`.${format}`)))
    throw new ApiProblem(
      "not-this-format",
      `The stack takes ${formats.join(", ")}, but the file is called ${parsed.data}.`,
    );
  if (body === undefined) throw new ApiProblem("bad-request", "The request has no body; send the file in it.");
  return { name: parsed.data, body, atEnd };
}

async function partOf(request: FastifyRequest): Promise<SentFile> {
  const parts = request.parts();
  const nextFile = async () => {
    try {
      // No `for await`: it would end the parts with the first file.
      for (;;) {
        const { done, value } = await parts.next();
        if (done === true || value.type === "file") return value;
      }
    } catch (error) {
      const { code } = z.object({ code: z.string() }).safeParse(error).data ?? {};
      throw new ApiProblem(
        "bad-request",
        code === "FST_FILES_LIMIT"
          ? "The form has more than one file; send one file a request."
          : `The form cannot be read: ${messageOf(error)}.`,
        { cause: error },
      );
    }
  };
  const part = await nextFile();
  if (part?.fieldname !== "file")
    throw new ApiProblem("bad-request", "The form has no file; send it in a part named file.");
  // The parser stops at a second file by an error, so what is left to wait for is the end.
  return { name: part.filename, body: part.file, atEnd: async () => void (await nextFile()) };
}

/** Passes a body on up to `maxBytes`, and ends when what follows it is read: a store keeps only a body that ended well. */
async function* limited(body: Readable, maxBytes: number, atEnd: () => Promise<void>): AsyncIterable<Uint8Array> {
  let bytes = 0;
  // A destroyed request could not be answered any more, so the rest is left to be read and dropped.
  const pieces = body.iterator({ destroyOnReturn: false });
  try {
    for (;;) {
      const { done, value } = await pieces.next().catch((error: unknown) => {
        throw new ApiProblem("bad-request", `The file did not arrive whole: ${messageOf(error)}.`, { cause: error });
      });
      if (done === true) return await atEnd();
      const chunk: Uint8Array = value;
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      yield chunk;
    }
  } finally {
    await pieces.return?.();
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

const tooLarge = (maxBytes: number) =>
  new ApiProblem(
    "too-large",
    `The file is larger than the ${maxBytes.toLocaleString("en")} bytes that the stack takes.`,
  );
