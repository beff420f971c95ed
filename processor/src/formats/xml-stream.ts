import { TextDecoder } from "node:util";
import { SaxesParser } from "saxes";
import { Unreadable } from "../contract/records.ts";
import { MAX_DEPTH, TOO_DEEP } from "./limits.ts";

/** Hears what a document of XML holds, in its order. */
export interface XmlEvents {
  open(name: string, attributes: Record<string, string>): void;
  /** Text of the element that is open; it may come in several pieces. */
  text(text: string): void;
  close(name: string): void;
}

/** Longest piece of XML without an end: a text, a comment, a tag with its attributes. The parser holds it whole. */
const MAX_PIECE = 2_000_000;
/** Pieces given to the parser at a time, in bytes. */
const STEP = 1 << 16;

/**
 * Reads XML as a stream, without external entities, and with none but the five of XML itself: a document type that
 * declares something of its own is refused, so an entity cannot grow. `noun` begins the messages, such as "The XML document".
 */
export async function readXmlEvents(content: AsyncIterable<Buffer>, noun: string, events: XmlEvents): Promise<void> {
  const parser = new SaxesParser<{ position: true }>({ position: true });
  let last = 0;
  let depth = 0;
  const heard = () => {
    last = parser.position;
  };
  parser.on("error", (error) => {
    throw new Unreadable(`${noun} is not well-formed at line and column ${error.message.slice(0, 200)}`, {
      cause: error,
    });
  });
  parser.on("doctype", (doctype) => {
    heard();
    if (doctype.includes("["))
      throw new Unreadable(`${noun} declares entities or elements of its own in its DOCTYPE; send it without.`);
  });
  parser.on("opentag", ({ name, attributes }) => {
    heard();
    depth += 1;
    if (depth > MAX_DEPTH) throw new Unreadable(`${noun} is ${TOO_DEEP}.`);
    events.open(name, attributes as Record<string, string>);
  });
  parser.on("closetag", ({ name }) => {
    heard();
    depth -= 1;
    events.close(name);
  });
  for (const kind of ["text", "cdata"] as const)
    parser.on(kind, (text) => {
      heard();
      // White space around the root is no text of an element.
      if (depth > 0) events.text(text);
    });
  for (const kind of ["comment", "processinginstruction"] as const) parser.on(kind, heard);
  for await (const piece of decoded(content, noun)) {
    parser.write(piece);
    if (parser.position - last > MAX_PIECE)
      throw new Unreadable(
        `${noun} has a piece of text or a tag longer than ${MAX_PIECE.toLocaleString("en")} characters.`,
      );
  }
  parser.close();
}

/** Text in the encoding that a byte order mark or the declaration names; UTF-8 else (https://www.w3.org/TR/xml/#charencoding). */
async function* decoded(content: AsyncIterable<Buffer>, noun: string): AsyncIterable<string> {
  let decoder: TextDecoder | undefined;
  try {
    for await (const chunk of content)
      for (let at = 0; at < chunk.length; at += STEP) {
        const bytes = chunk.subarray(at, at + STEP);
        decoder ??= decoderOf(bytes);
        yield decoder.decode(bytes, { stream: true });
      }
    yield decoder?.decode() ?? "";
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new Unreadable(`${noun} is not in the encoding ${decoder?.encoding ?? "that it declares"}.`, {
      cause: error,
    });
  }
}

function decoderOf(head: Buffer): TextDecoder {
  const mark = head.toString("latin1", 0, 2);
  if (mark === "\u00FF\u00FE") return new TextDecoder("utf-16le", { fatal: true });
  if (mark === "\u00FE\u00FF") return new TextDecoder("utf-16be", { fatal: true });
  const declared = /^(?:\u00EF\u00BB\u00BF)?\s*<\?xml[^>]*encoding\s*=\s*["']([\w.:-]+)["']/.exec(
    head.toString("latin1", 0, 200),
  )?.[1];
  return new TextDecoder(declared ?? "utf-8", { fatal: true });
}
