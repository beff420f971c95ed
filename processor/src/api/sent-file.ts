import type { Readable } from "node:stream";
import type { FastifyInstance, FastifyRequest } from "fastify";
import multipart from "@fastify/multipart";
import { z } from "zod";
import { FileName } from "./parameters.ts";
import { ApiProblem } from "./problems.ts";

/** Bytes of a multipart body that are not the file: boundaries, part headers, a few small fields. */
const FRAME_BYTES = 20_000;

const binary = { type: "string", format: "binary" };
/** The bodies that are taken. A file is no value that a schema could check, so this only describes it. */
export const fileBody = {
  content: {
    "multipart/form-data": { schema: { type: "object", required: ["file"], properties: { file: binary } } },
    "text/csv": { schema: binary },
    "application/octet-stream": { schema: binary },
  },
};

/** Has the routes of `app` take files: as a form with a part named `file`, or as the body itself. */
export async function takeFiles(app: FastifyInstance): Promise<void> {
  await app.register(multipart, {
    limits: { files: 1, fields: 10, fieldSize: 1000, fileSize: Number.POSITIVE_INFINITY },
  });
  // Any other body is the file itself, whatever type it says it has.
  app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
}

export interface SentFile {
  name: string;
  /** Up to the limit, else it throws; ends when what follows the file is read too. */
  body: AsyncIterable<Uint8Array>;
}

/** What a route takes. */
export interface Taken {
  /** The name given in the address, for a body that is no form. */
  queryName: string | undefined;
  maxBytes: number;
  /** Throws if a file of this name is not taken. */
  checkName(name: string): void;
}

/** Does work with the file in a request, checked as far as it can be before it is read. */
export async function withFile<Result>(
  request: FastifyRequest,
  taken: Taken,
  work: (file: SentFile) => Promise<Result>,
): Promise<Result> {
  try {
    const { name, body, atEnd } = await fileOf(request, taken);
    return await work({ name, body: limited(body, taken.maxBytes, atEnd) });
  } catch (error) {
    // Whoever still sends must be read to the end to hear the answer; nothing of it is kept.
    request.raw.unpipe().resume();
    throw error;
  }
}

interface Part {
  name: string | undefined;
  body: Readable | undefined;
  /** Reads what follows the file; throws if the request must be refused for it. */
  atEnd: () => Promise<void>;
}

async function fileOf(request: FastifyRequest, { queryName, maxBytes, checkName }: Taken) {
  const form = request.isMultipart();
  const announced = Number(request.headers["content-length"] ?? 0);
  if (announced > maxBytes + (form ? FRAME_BYTES : 0)) throw tooLarge(maxBytes);
  const { name, body, atEnd }: Part = form
    ? await partOf(request, maxBytes + FRAME_BYTES)
    : { name: queryName, body: request.body as Readable | undefined, atEnd: async () => undefined };
  const parsed = FileName.safeParse(name);
  if (!parsed.success)
    throw new ApiProblem(
      "bad-request",
      name === undefined || name === ""
        ? "The file has no name; send a form with a file, or add ?name= to the address."
        : `The file's name ${z.treeifyError(parsed.error).errors[0]}.`,
    );
  checkName(parsed.data);
  if (body === undefined) throw new ApiProblem("bad-request", "The request has no body; send the file in it.");
  return { name: parsed.data, body, atEnd };
}

async function partOf(request: FastifyRequest, maxBytes: number): Promise<Part> {
  const parts = request.parts();
  // What stands beside the file is dropped, but must not come for ever.
  const outgrown = outgrows(request, maxBytes);
  const nextFile = async () => {
    try {
      // No `for await`: it would end the parts with the first file.
      for (;;) {
        const next = await Promise.race([parts.next(), outgrown]);
        if (next === "outgrown")
          throw new ApiProblem("too-large", "The form has too much beside its file; send the file alone.");
        const { done, value } = next;
        if (done === true || value.type === "file") return value;
      }
    } catch (error) {
      if (error instanceof ApiProblem) throw error;
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

/** Resolves when a request has brought more than so many bytes. The body must be read from the same moment on. */
function outgrows({ raw }: FastifyRequest, maxBytes: number): Promise<"outgrown"> {
  const { promise, resolve } = Promise.withResolvers<"outgrown">();
  let bytes = 0;
  raw.on("data", (chunk: Uint8Array) => {
    bytes += chunk.length;
    if (bytes > maxBytes) resolve("outgrown");
  });
  return promise;
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
