import { createReadStream } from "node:fs";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { Unreadable } from "../contract/records.ts";

/**
 * The content of a gzip file (RFC 1952): of its members one after the other, as `cat a.gz b.gz` makes them. Zero bytes
 * after them are padding; anything else there would be rows silently lost, so it is refused.
 */
export async function* gunzip(path: string): AsyncIterable<Buffer> {
  const content = createGunzip({ chunkSize: 1 << 18 });
  // What goes wrong reaches the reader of the content.
  pipeline(createReadStream(path, { highWaterMark: 1 << 16 }), content, () => undefined);
  try {
    yield* content as AsyncIterable<Buffer>;
    // The reader of gzip ends at a zero byte.
    for await (const rest of createReadStream(path, { start: content.bytesWritten }) as AsyncIterable<Buffer>)
      if (rest.some((byte) => byte !== 0))
        throw new Unreadable("The gzip file goes on after its end; make it again and send it.");
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    if (error.code === "Z_BUF_ERROR")
      throw new Unreadable("The gzip file is cut off; it did not arrive whole, so send it again.", { cause: error });
    if (String(error.code).startsWith("Z_"))
      throw new Unreadable(`The gzip file is damaged (${error.message}); make it again and send it.`, { cause: error });
    throw error;
  }
}
