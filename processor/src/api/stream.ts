import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";

/** Answers with a text in pieces. The first is awaited before anything is sent, so that a source that fails at once is answered with its error. */
export async function sendText(reply: FastifyReply, source: AsyncIterable<string>): Promise<FastifyReply> {
  const pieces = source[Symbol.asyncIterator]();
  const first = await pieces.next();
  async function* all(): AsyncIterable<string> {
    try {
      if (first.done === true) return;
      yield first.value;
      for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) yield next.value;
    } finally {
      await pieces.return?.();
    }
  }
  return reply.send(Readable.from(all(), { encoding: "utf8", objectMode: false }));
}

/** Answers with bytes, whatever the route's answers are described as. */
export const sendBytes = (reply: FastifyReply, bytes: Readable): FastifyReply => reply.send(bytes);
