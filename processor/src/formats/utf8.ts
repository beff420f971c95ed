import { TextDecoder } from "node:util";
import { Unreadable } from "../contract/records.ts";

/** JSON's bytes in UTF-8 without a byte order mark; JSON in UTF-16 is turned into it (RFC 8259 asks for UTF-8, some send the other). */
export async function* asUtf8(content: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  let decoder: TextDecoder | null | undefined;
  for await (const chunk of content) {
    let bytes = chunk;
    if (decoder === undefined) {
      decoder = utf16Of(chunk);
      if (chunk.toString("latin1", 0, 3) === "\u00EF\u00BB\u00BF") bytes = chunk.subarray(3);
    }
    yield decoder === null ? bytes : Buffer.from(decode(decoder, bytes, true));
  }
  if (decoder !== null && decoder !== undefined) yield Buffer.from(decode(decoder, Buffer.alloc(0), false));
}

function decode(decoder: TextDecoder, bytes: Buffer, stream: boolean): string {
  try {
    return decoder.decode(bytes, { stream });
  } catch (error) {
    throw new Unreadable("The file begins in UTF-16, but not all of it is; save it in UTF-8 and send it again.", {
      cause: error,
    });
  }
}

/** A decoder for what is in UTF-16, told by its byte order mark or the zero byte beside its first character; null for all else. */
export function utf16Of(head: Buffer): TextDecoder | null {
  const [first, second] = head;
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0))
    return new TextDecoder("utf-16le", { fatal: true });
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== 0))
    return new TextDecoder("utf-16be", { fatal: true });
  return null;
}
