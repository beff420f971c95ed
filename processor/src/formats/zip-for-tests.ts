import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { crc32, deflateRawSync } from "node:zlib";
import { ZipFile } from "yazl";

/** Writes a zip with these files. */
export const zipOf =
  (files: Record<string, string | Buffer>, options: { mode?: number } = {}) =>
  (path: string) => {
    const zip = new ZipFile();
    for (const [name, content] of Object.entries(files)) zip.addBuffer(Buffer.from(content), name, options);
    zip.end();
    return pipeline(zip.outputStream, createWriteStream(path));
  };

/** What a hand-made zip says of a member, truly or not. */
export interface Lies {
  name?: string;
  offset?: number;
  size?: number;
  crc?: number;
  flags?: number;
  method?: number;
  mode?: number;
}

/** A zip made by hand, for what no library would write. */
export function handMade(members: (Lies & { content: string })[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  /** A bomb is one content many times. */
  const deflated = new Map<string, { raw: number; sum: number; data: Buffer }>();
  let at = 0;
  for (const { content, name = "a.csv", flags = 0x800, method = 8, mode = 0, ...lies } of members) {
    const packed = deflated.get(content) ?? {
      raw: Buffer.byteLength(content),
      sum: crc32(content),
      data: deflateRawSync(content),
    };
    deflated.set(content, packed);
    const { raw, sum, data } = packed;
    const title = Buffer.from(name);
    const rest = Buffer.alloc(26);
    [20, flags, method, 0, 0].forEach((value, index) => rest.writeUInt16LE(value, index * 2));
    [lies.crc ?? sum, data.length, lies.size ?? raw].forEach((value, index) =>
      rest.writeUInt32LE(value, 10 + index * 4),
    );
    rest.writeUInt16LE(title.length, 22);
    parts.push(Buffer.from("PK\u0003\u0004", "latin1"), rest, title, data);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE((mode << 16) >>> 0, 6);
    tail.writeUInt32LE(lies.offset ?? at, 10);
    directory.push(Buffer.from("PK\u0001\u0002\u0014\u0003", "latin1"), rest, tail, title);
    at += 4 + rest.length + title.length + data.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(members.length, 4);
  end.writeUInt16LE(members.length, 6);
  end.writeUInt32LE(entries.length, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...parts, entries, Buffer.from("PK\u0005\u0006", "latin1"), end]);
}
