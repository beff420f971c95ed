import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { Failure } from "./failure.ts";
import { formatBytes } from "./run-text.ts";

/** The size of a file that is to be sent, in bytes. */
export async function sizeOf(file: string): Promise<number> {
  try {
    const status = await stat(file);
    if (!status.isFile()) throw new Failure(`${file} is not a file`, { exitCode: 2 });
    return status.size;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT")
      throw new Failure(`there is no file ${file}`, { exitCode: 2, cause });
    throw cause;
  }
}

/** A request that streams a file, and shows how much is sent unless `json`. */
export function sending(file: string, bytes: number, { json }: { json?: true }, signal: AbortSignal): RequestInit {
  const content = createReadStream(file);
  if (!json && process.stderr.isTTY) showProgress(content, basename(file), bytes);
  return {
    method: "POST",
    headers: { "content-type": "application/octet-stream" },
    body: Readable.toWeb(content) as ReadableStream<Uint8Array>,
    duplex: "half",
    signal,
  };
}

function showProgress(content: Readable, name: string, total: number): void {
  let sent = 0;
  let shownAt = 0;
  content.on("data", (chunk: string | Buffer) => {
    sent += chunk.length;
    const now = performance.now();
    if (now - shownAt < 100 && sent < total) return;
    shownAt = now;
    process.stderr.write(`\r\u001B[2K${sent < total ? `${name}  ${formatBytes(sent)} of ${formatBytes(total)}` : ""}`);
  });
}
