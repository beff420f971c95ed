import { basename } from "node:path";
import { Upload } from "@cais/spec/api.ts";
import { Command } from "commander";
import { connect, parseAnswer, Refusal, request, tokenHelp, type Connection } from "./client.ts";
import { Failure } from "./failure.ts";
import { follow, interruptible } from "./follow.ts";
import { formatBytes, formatEnd } from "./run-text.ts";
import { sending, sizeOf } from "./send.ts";

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
      `${tokenHelp}\nExit codes: 0 all went through, 1 a file failed or was quarantined, 2 wrong usage, 130 interrupted.`,
    )
    .action(async (stack: string, files: string[], options: Options) => {
      const connection = await connect(options.url);
      const sizes = await Promise.all(files.map(sizeOf));
      const ended = await interruptible(async (signal) => {
        let ended = 0;
        for (const [index, file] of files.entries())
          if (
            await told(file, files.slice(index + 1), () =>
              ingest(connection, stack, file, sizes[index] ?? 0, options, signal),
            )
          )
            ended++;
        return ended;
      });
      if (ended < files.length) process.exitCode = 1;
      else if (options.wait && !options.json) process.stdout.write("[DONE]\n");
    });

/** What HTTP answers when this file is at fault, and the next one may be taken. */
const FILE_REFUSED = new Set([413, 415, 422]);

/** Does the work for a file, and goes on after one that is refused. Of what ends all it says which files were not sent. */
async function told(file: string, rest: string[], work: () => Promise<boolean>): Promise<boolean> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Failure) || rest.length === 0) throw error;
    if (!(error instanceof Refusal) || !FILE_REFUSED.has(error.status))
      throw new Failure(`${error.message}\nNot sent after ${file}: ${rest.join(", ")}`, { cause: error });
    process.stderr.write(`cais: ${error.message}\n`);
    return false;
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
  const path = `/v1/stacks/${encodeURIComponent(stack)}/files?${query}`;
  const response = await request(connection, path, sending(file, bytes, options, signal));
  const upload = await parseAnswer(response, Upload);
  const { id, name } = upload;
  if (!options.json) process.stdout.write(`${name}  ${formatBytes(upload.bytes)}  run ${id}\n`);
  // 202 is a new run; 200 is the run that loaded this content before.
  if (!options.json && response.status === 200)
    process.stdout.write("  this content was sent before, as that run; --again loads it once more\n");
  if (!options.wait) {
    if (options.json) process.stdout.write(`${JSON.stringify(upload)}\n`);
    return true;
  }
  const run = await follow(connection, id, options, signal);
  process.stdout.write(`${options.json ? JSON.stringify(run) : formatEnd(run)}\n`);
  return run.state === "done";
}
