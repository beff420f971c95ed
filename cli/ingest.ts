import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { Run, Upload } from "@cais/spec/api.ts";
import { Command } from "commander";
import { connect, parseAnswer, request, requestJson, type Connection } from "./client.ts";
import { Failure, Interruption } from "./failure.ts";
import { formatBytes, formatEnd, formatState, formatStep } from "./run-text.ts";

interface Options {
  url?: string;
  wait?: true;
  json?: true;
  again?: true;
}

/** `cais ingest`: sends files to a pipeline stack and, with `--wait`, sees them through. */
export const ingestCommand = (): Command =>
  new Command("ingest")
    .description("send files to a pipeline stack")
    .argument("<stack>", "the pipeline stack that takes them")
    .argument("<file...>", "files on this machine")
    .option("--wait", "wait for each run to end and tell its counts and outputs")
    .option("--again", "load a file although the same content was loaded before")
    .option("--json", "print one JSON object a line: the upload, or with --wait the finished run")
    .option("--url <url>", "the processor's address (default: CAIS_URL, or the one started here)")
    .addHelpText(
      "after",
      "\nA processor that asks for a token gets the one in the environment variable CAIS_TOKEN.\nExit codes: 0 all went through, 1 a file failed or was quarantined, 2 wrong usage, 130 interrupted.",
    )
    .action(async (stack: string, files: string[], options: Options) => {
      const connection = await connect(options.url);
      const sizes = await Promise.all(files.map(sizeOf));
      const interrupt = new AbortController();
      process.once("SIGINT", () => interrupt.abort());
      let ended = 0;
      for (const [index, file] of files.entries()) {
        try {
          if (await ingest(connection, stack, file, sizes[index] ?? 0, options, interrupt.signal)) ended++;
        } catch (error) {
          if (!interrupt.signal.aborted) throw error;
          throw new Interruption("SIGINT", "what was acknowledged goes on; see npx cais runs", error);
        }
      }
      if (ended < files.length) process.exitCode = 1;
      else if (options.wait && !options.json) process.stdout.write("[DONE]\n");
    });

async function sizeOf(file: string): Promise<number> {
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

/** Sends one file; true when it went through as far as was asked. */
async function ingest(
  connection: Connection,
  stack: string,
  file: string,
  bytes: number,
  options: Options,
  signal: AbortSignal,
): Promise<boolean> {
  const query = new URLSearchParams({ name: basename(file), ...(options.again && { again: "true" }) });
  const progress = showProgress(file, bytes, options);
  const init: RequestInit = {
    method: "POST",
    headers: { "content-type": "application/octet-stream" },
    body: Readable.toWeb(createReadStream(file).on("data", progress)) as ReadableStream<Uint8Array>,
    duplex: "half",
    signal,
  };
  const path = `/v1/stacks/${encodeURIComponent(stack)}/files?${query}`;
  const response = await request(connection, path, init);
  const upload = await parseAnswer(response, Upload);
  const { id, name } = upload;
  if (!options.json) process.stdout.write(`${name}  ${formatBytes(upload.bytes)}  run ${id}\n`);
  // 202 is a new run; 200 is the run that loaded this content before.
  if (!options.json && response.status === 200)
    process.stdout.write("  this content was loaded before, by that run; --again loads it once more\n");
  if (!options.wait) {
    if (options.json) process.stdout.write(`${JSON.stringify(upload)}\n`);
    return true;
  }
  const run = await follow(connection, id, options, signal);
  process.stdout.write(`${options.json ? JSON.stringify(run) : formatEnd(run)}\n`);
  return run.state === "done";
}

function showProgress(file: string, total: number, { json }: Options): (chunk: string | Buffer) => void {
  let sent = 0;
  let shownAt = 0;
  return (chunk) => {
    sent += chunk.length;
    const now = performance.now();
    if (json || !process.stderr.isTTY || (now - shownAt < 100 && sent < total)) return;
    shownAt = now;
    process.stderr.write(
      `\r\u001B[2K${sent < total ? `${basename(file)}  ${formatBytes(sent)} of ${formatBytes(total)}` : ""}`,
    );
  };
}

/** Follows a run to its end, telling each step as it finishes. */
async function follow(connection: Connection, id: string, { json }: Options, signal: AbortSignal): Promise<Run> {
  let told = 0;
  for (;;) {
    const run = await requestJson(connection, `/v1/runs/${encodeURIComponent(id)}`, Run, { signal });
    const finished = run.steps.filter((step) => step.finishedAt);
    if (!json) for (const step of finished.slice(told)) process.stdout.write(`${formatStep(step)}\n`);
    told = finished.length;
    if (run.state !== "queued" && run.state !== "running") return run;
    if (!json && process.stderr.isTTY) process.stderr.write(`\r\u001B[2K  ${formatState(run.state)}…\r`);
    await wait(200, undefined, { signal });
  }
}
