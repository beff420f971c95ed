import { Run, RunKind, RunState, Runs } from "@cais/spec/api.ts";
import { Command, InvalidArgumentError, Option } from "commander";
import { Lineage } from "@cais/spec/lineage.ts";
import { connect, requestJson, tokenHelp, type Connection } from "./client.ts";
import { lineageLines } from "./lineage-text.ts";
import { formatEnd, formatRun, formatState, formatStep, formatWaiting } from "./run-text.ts";

interface Options {
  url?: string;
  json?: true;
  lineage?: true;
  stack?: string;
  state?: RunState;
  kind?: RunKind;
  file?: string;
  limit: number;
}

/** `cais runs`: what was ingested, or one run in detail. */
export const runsCommand = (): Command =>
  new Command("runs")
    .description("list runs, newest first, or show one")
    .argument("[id]", "a run, to see its steps and outputs")
    .option("--stack <name>", "only runs of this pipeline stack")
    .addOption(new Option("--state <state>", "only runs in this state").choices(RunState.options))
    .addOption(new Option("--kind <kind>", "only loads, replays or reruns").choices(RunKind.options))
    .option("--file <run>", "only runs of the file of this run: its load, replays and reruns")
    .option("--limit <number>", "how many to list (1 to 200)", parseLimit, 20)
    .option("--lineage", "with a run: what it made of what, from its file to the sinks")
    .option("--json", "print the answer as JSON")
    .option("--url <url>", "the processor's address (default: CAIS_URL, or the one started here)")
    .addHelpText("after", tokenHelp)
    .action(async (id: string | undefined, options: Options, command: Command) => {
      if (id === undefined && options.lineage) command.error("error: --lineage needs a run: cais runs ID --lineage");
      const connection = await connect(options.url);
      if (id === undefined) await list(connection, options);
      else await show(connection, id, options);
    });

function parseLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > 200)
    throw new InvalidArgumentError("must be a whole number from 1 to 200.");
  return limit;
}

async function list(connection: Connection, { json, limit, ...filter }: Options) {
  const query = new URLSearchParams({ limit: String(limit) });
  for (const name of ["stack", "state", "kind", "file"] as const) {
    const wanted = filter[name];
    if (wanted !== undefined) query.set(name, wanted);
  }
  const answer = await requestJson(connection, `/v1/runs?${query}`, Runs);
  if (json) return void process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
  if (answer.runs.length === 0)
    process.stdout.write(
      query.size > 1 ? "No run is like that.\n" : "No runs yet; ingest a file with npx cais ingest STACK FILE --wait\n",
    );
  for (const run of answer.runs) process.stdout.write(`${formatRun(run)}\n`);
  if (answer.next) process.stderr.write("There are more: --limit shows up to 200.\n");
}

async function show(connection: Connection, id: string, { json, lineage }: Options) {
  if (json && lineage) {
    const answer = await requestJson(connection, `/v1/runs/${encodeURIComponent(id)}/lineage`, Lineage);
    return void process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
  }
  const run = await requestJson(connection, `/v1/runs/${encodeURIComponent(id)}`, Run);
  if (json) return void process.stdout.write(`${JSON.stringify(run, undefined, 2)}\n`);
  process.stdout.write(
    `${run.stack}  ${run.file.name}  ${run.kind === "load" ? "" : `${run.kind} of ${run.root}  `}${formatState(run.state)}\n`,
  );
  for (const step of run.steps) process.stdout.write(`${formatStep(step)}\n`);
  if (run.retryAt !== null) process.stdout.write(`${formatWaiting(run)}\n`);
  else if (run.attempts > 1) process.stdout.write(`  ${run.attempts} attempts\n`);
  if (run.finishedAt !== null) process.stdout.write(`${formatEnd(run)}\n`);
  if (!lineage) return;
  const answer = await requestJson(connection, `/v1/runs/${encodeURIComponent(id)}/lineage`, Lineage);
  process.stdout.write(`\n${lineageLines(answer).join("\n")}\n`);
}
