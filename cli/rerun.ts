import { Reruns, Run } from "@cais/spec/api.ts";
import { Command } from "commander";
import { connect, Refusal, requestJson, tokenHelp, type Connection } from "./client.ts";
import { Failure } from "./failure.ts";
import { follow, interruptible } from "./follow.ts";
import { formatEnd, formatQueued } from "./run-text.ts";

interface Options {
  url?: string;
  all?: true;
  from?: string;
  to?: string;
  wait?: true;
  json?: true;
}

/** `cais rerun`: processes whole files again, with the stack as it is now. */
export const rerunCommand = (): Command =>
  new Command("rerun")
    .description("process whole files again, in place of what is in the tables of them")
    .argument("<run-or-stack>", "a run of the file; with --all, --from or --to the pipeline stack")
    .option("--all", "every file of the stack")
    .option("--from <time>", "files received then or later: a date such as 2024-01-31, or a time with its zone")
    .option("--to <time>", "files received before then")
    .option("--wait", "wait for each run to end and tell its counts and outputs")
    .option("--json", "print one JSON object a line: a run queued, or with --wait a finished one")
    .option("--url <url>", "the processor's address (default: CAIS_URL, or the one started here)")
    .addHelpText(
      "after",
      `
For when the stack's contract or SQL was changed. The files' corrections are applied again.
Dates begin at midnight UTC.
${tokenHelp}
Exit codes: 0 all went through, 1 a run failed or was refused, 2 wrong usage, 130 interrupted.`,
    )
    .action(async (name: string, options: Options, command: Command) => {
      const { all, from, to } = options;
      if (all && (from !== undefined || to !== undefined))
        command.error("error: --all goes without --from and --to: it is every file of the stack");
      const connection = await connect(options.url);
      await interruptible(async (signal) => {
        const { runs, skipped } =
          all || from !== undefined || to !== undefined
            ? await rerunStack(connection, name, options, signal)
            : { runs: [await rerunFile(connection, name, signal)], skipped: [] };
        if (!options.json)
          for (const { run, reason } of skipped) process.stderr.write(`cais: not run again: ${run}: ${reason}\n`);
        if (skipped.length > 0) process.exitCode = 1;
        if (runs.length + skipped.length === 0 && !options.json)
          process.stdout.write(`No file of ${name} was received then, so there is nothing to run again.\n`);
        if (!options.wait) {
          for (const run of runs) process.stdout.write(`${options.json ? JSON.stringify(run) : formatQueued(run)}\n`);
          return;
        }
        for (const queued of runs) {
          if (!options.json) process.stdout.write(`${formatQueued(queued)}\n`);
          const run = await follow(connection, queued.id, options, signal);
          process.stdout.write(`${options.json ? JSON.stringify(run) : formatEnd(run)}\n`);
          if (run.state !== "done") process.exitCode = 1;
        }
        if (process.exitCode === undefined && !options.json) process.stdout.write("[DONE]\n");
      });
    });

async function rerunFile(connection: Connection, id: string, signal: AbortSignal): Promise<Run> {
  try {
    return await requestJson(connection, `/v1/runs/${encodeURIComponent(id)}/reruns`, Run, { method: "POST", signal });
  } catch (cause) {
    if (!(cause instanceof Refusal && cause.status === 404)) throw cause;
    throw new Failure(`${cause.message} To run the files of a stack again, say --all, or --from and --to.`, { cause });
  }
}

async function rerunStack(
  connection: Connection,
  stack: string,
  { all, from, to }: Options,
  signal: AbortSignal,
): Promise<Reruns> {
  const query = new URLSearchParams({
    ...(all && { all: "true" }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
  });
  const path = `/v1/stacks/${encodeURIComponent(stack)}/reruns?${query}`;
  return requestJson(connection, path, Reruns, { method: "POST", signal });
}
