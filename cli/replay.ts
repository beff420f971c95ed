import { basename } from "node:path";
import { Run } from "@cais/spec/api.ts";
import { Command } from "commander";
import { connect, requestJson, tokenHelp } from "./client.ts";
import { follow, interruptible } from "./follow.ts";
import { formatEnd, formatQueued } from "./run-text.ts";
import { sending, sizeOf } from "./send.ts";

interface Options {
  url?: string;
  with?: string;
  wait?: true;
  json?: true;
}

/** `cais replay`: processes again what is open of a file, as it is or corrected. */
export const replayCommand = (): Command =>
  new Command("replay")
    .description("process the open rows of a file again: its rejected rows, or all of a file that was quarantined")
    .argument("<run>", "a run of the file")
    .option("--with <file>", "the rows corrected: the CSV that cais rejected --editable wrote, edited")
    .option("--wait", "wait for the replay to end and tell its counts and outputs")
    .option("--json", "print one JSON object: the run queued, or with --wait the finished one")
    .option("--url <url>", "the processor's address (default: CAIS_URL, or the one started here)")
    .addHelpText(
      "after",
      `
Without --with the rows are checked again as they are, for when the stack's contract or SQL was changed.
With it, rows that are left out of the file stay open. A row that went through is never loaded twice.
${tokenHelp}
Exit codes: 0 it went through, 1 it failed or was refused, 2 wrong usage, 130 interrupted.`,
    )
    .action(async (id: string, options: Options) => {
      const connection = await connect(options.url);
      const { with: file } = options;
      const bytes = file === undefined ? 0 : await sizeOf(file);
      await interruptible(async (signal) => {
        const path = `/v1/runs/${encodeURIComponent(id)}/replays`;
        const queued =
          file === undefined
            ? await requestJson(connection, path, Run, { method: "POST", signal })
            : await requestJson(
                connection,
                `${path}?${new URLSearchParams({ name: basename(file) })}`,
                Run,
                sending(file, bytes, options, signal),
              );
        if (!options.json) process.stdout.write(`${formatQueued(queued)}\n`);
        if (!options.wait) {
          if (options.json) process.stdout.write(`${JSON.stringify(queued)}\n`);
          return;
        }
        const run = await follow(connection, queued.id, options, signal);
        process.stdout.write(`${options.json ? JSON.stringify(run) : formatEnd(run)}\n`);
        if (run.state !== "done") process.exitCode = 1;
        else if (!options.json) process.stdout.write("[DONE]\n");
      });
    });
