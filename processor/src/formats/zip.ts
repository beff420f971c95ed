import { open } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { type Entry, fromFdPromise, type ZipFile } from "yauzl";
import { MAX_MEMBERS, Unreadable } from "../contract/records.ts";
import { type Budget, budgeted, expandsBeyond } from "./source.ts";

/** A file in a zip. */
export interface Member {
  /** As the zip says. It is only shown and kept: nothing is ever written by this name. */
  name: string;
  open(): AsyncIterable<Buffer>;
}

/** An open zip: close it in the end. */
export interface Zip {
  members: Member[];
  close(): Promise<void>;
}

/** Longest name of a member. */
const MAX_NAME = 500;

/**
 * Opens a zip and checks its whole directory before anything is read: what is encrypted, a symbolic link, named twice,
 * named out of the zip's own folder, or laid over another member is refused, and so is a directory that announces more
 * than the budget. A member is read only as far as it announced, and its checksum must be right.
 */
export async function openZip(path: string, budget: Budget): Promise<Zip> {
  const file = await open(path, "r");
  try {
    const zip = await fromFdPromise(file.fd, { autoClose: false });
    const entries = await readDirectory(zip);
    if (entries.reduce((sum, { uncompressedSize }) => sum + uncompressedSize, 0) > budget.left)
      throw expandsBeyond(budget.limit);
    const members = entries.map((entry) => ({
      name: entry.fileName,
      open: budgeted(() => content(zip, entry), budget),
    }));
    return { members, close: () => file.close() };
  } catch (error) {
    await file.close();
    throw readable(error);
  }
}

async function readDirectory(zip: ZipFile): Promise<Entry[]> {
  if (zip.entryCount > MAX_MEMBERS)
    throw new Unreadable(
      `The zip holds ${zip.entryCount.toLocaleString("en")} files, but at most ${MAX_MEMBERS.toLocaleString("en")} are taken; send it in parts.`,
    );
  const entries: Entry[] = [];
  const names = new Set<string>();
  for await (const entry of zip.eachEntry()) {
    const problem = problemOf(entry);
    if (problem !== undefined) throw new Unreadable(`The zip holds ${shown(entry.fileName)}, ${problem}.`);
    if (isSkipped(entry.fileName)) continue;
    const name = entry.fileName.normalize("NFC");
    if (names.has(name)) throw new Unreadable(`The zip holds ${shown(name)} twice; give each file a name of its own.`);
    names.add(name);
    entries.push(entry);
  }
  checkOverlaps(entries);
  return entries;
}

/** What operating systems put into zips beside what people chose. */
const isSkipped = (name: string) =>
  name.endsWith("/") || /^__MACOSX\/|(^|\/)(\.DS_Store|Thumbs\.db|desktop\.ini|\._[^/]*)$/.test(name);

/** What a Unix file is, in the high half of its attributes. */
const FILE_TYPE = 0o170_000;
const ordinary = new Set([0, 0o100_000, 0o040_000]);

function problemOf(entry: Entry): string | undefined {
  const { fileName, generalPurposeBitFlag, compressionMethod, versionMadeBy, externalFileAttributes } = entry;
  if (fileName.length > MAX_NAME) return `whose name is longer than ${MAX_NAME} characters; shorten it`;
  // Characters that control a terminal, or turn the text around, show another name than there is.
  if (/[\p{Cc}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/u.test(fileName))
    return "whose name has control characters; rename it";
  if ((generalPurposeBitFlag & 1) !== 0) return "which is encrypted; send it without a password";
  const madeByUnix = versionMadeBy >> 8 === 3;
  if (madeByUnix && !ordinary.has((externalFileAttributes >>> 16) & FILE_TYPE))
    return "which is no ordinary file but a link or a device; put the file itself into the zip";
  if (compressionMethod !== 0 && compressionMethod !== 8)
    return `which is compressed by method ${compressionMethod}; only deflate is read, which is what zip programs use by default`;
  return undefined;
}

/** A name for a message: short, without what could play tricks with the reader's screen. */
const shown = (name: string) =>
  JSON.stringify(name.length > 100 ? `${name.slice(0, 99)}…` : name.replaceAll(/\p{Cf}/gu, "�"));

/** Members that share bytes are how a small zip holds petabytes (https://www.bamsoftware.com/hacks/zipbomb/). */
function checkOverlaps(entries: Entry[]): void {
  const LOCAL_HEADER_BYTES = 30;
  let end = 0;
  for (const entry of entries.toSorted((a, b) => a.relativeOffsetOfLocalHeader - b.relativeOffsetOfLocalHeader)) {
    if (entry.relativeOffsetOfLocalHeader < end)
      throw new Unreadable(`The zip lays ${shown(entry.fileName)} over another of its files, so it is not read.`);
    end = entry.relativeOffsetOfLocalHeader + LOCAL_HEADER_BYTES + entry.fileNameRaw.length + entry.compressedSize;
  }
}

async function* content(zip: ZipFile, entry: Entry): AsyncIterable<Buffer> {
  let sum = 0;
  try {
    for await (const chunk of (await zip.openReadStreamPromise(entry)) as AsyncIterable<Buffer>) {
      sum = crc32(chunk, sum);
      yield chunk;
    }
  } catch (error) {
    throw readable(error);
  }
  if (sum !== entry.crc32)
    throw new Unreadable(
      `The zip is damaged: the checksum of ${shown(entry.fileName)} is wrong; make it again and send it.`,
    );
}

/** What the reader of zips says of a file is its sender's business; what the disk says is not. */
function readable(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof Unreadable) return error;
  if ("code" in error && !String(error.code).startsWith("Z_")) return error;
  if (/^(absolute path|invalid relative path|invalid characters in fileName):/.test(error.message))
    return new Unreadable(
      `The zip holds a file whose name leads out of the zip (${shown(error.message).slice(1, -1)}).`,
      {
        cause: error,
      },
    );
  return new Unreadable(
    `The zip is damaged or cut off (${shown(error.message).slice(1, -1)}); make it again and send it.`,
    {
      cause: error,
    },
  );
}
