import { once } from "node:events";
import { Run, RunState, Runs } from "@cais/spec/api.ts";
import { Command, InvalidArgumentError, Option } from "commander";
import { connect, request, requestJson, type Connection } from "./client.ts";
import { formatEnd, formatRun, formatState, formatStep } from "./run-text.ts";

interface Options {
  url?: string;
  json?: true;
  rejected?: true;
  stack?: string;
  state?: RunState;
  limit: number;
}

/** `cais runs`: what was ingested, one run in detail, or its rejected rows. */
export const runsCommand = (): Command =>
  new Command("runs")
    .description("list runs, newest first, or show one")
    .argument("[id]", "a run, to see its steps and outputs")
    .option("--stack <name>", "only runs of this pipeline stack")
    .addOption(new Option("--state <state>", "only runs in this state").choices(RunState.options))
    .option("--limit <number>", "how many to list (1 to 200)", parseLimit, 20)
    .option("--rejected", "print the run's rejected rows, one JSON object a line")
    .option("--json", "print the answer as JSON")
    .option("--url <url>", "the processor's address (default: CAIS_URL, or the one started here)")
    .addHelpText("after", "\nA processor that asks for a token gets the one in the environment variable CAIS_TOKEN.")
    .action(async (id: string | undefined, options: Options, command: Command) => {
      const connection = await connect(options.url);
      if (id === undefined && options.rejected) command.error("--rejected needs a run's id: cais runs ID --rejected");
      if (id === undefined) await list(connection, options);
      else if (options.rejected) await rejected(connection, id);
      else await show(connection, id, options);
    });

function parseLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > 200)
    throw new InvalidArgumentError("must be a whole number from 1 to 200.");
  return limit;
}

async function list(connection: Connection, { stack, state, limit, json }: Options) {
  const query = new URLSearchParams({ limit: String(limit), ...(stack && { stack }), ...(state && { state }) });
  const answer = await requestJson(connection, `/v1/runs?${query}`, Runs);
  if (json) return void process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
  if (answer.runs.length === 0)
    process.stdout.write("No runs yet; ingest a file with npx cais ingest STACK FILE --wait\n");
  for (const run of answer.runs) process.stdout.write(`${formatRun(run)}\n`);
  if (answer.next) process.stderr.write("There are more: --limit shows up to 200.\n");
}

async function show(connection: Connection, id: string, { json }: Options) {
  const run = await requestJson(connection, `/v1/runs/${encodeURIComponent(id)}`, Run);
  if (json) return void process.stdout.write(`${JSON.stringify(run, undefined, 2)}\n`);
  process.stdout.write(`${run.stack}  ${run.file.name}  ${formatState(run.state)}\n`);
  for (const step of run.steps) process.stdout.write(`${formatStep(step)}\n`);
  process.stdout.write(`${formatEnd(run)}\n`);
}

async function rejected(connection: Connection, id: string) {
  const { body } = await request(connection, `/v1/runs/${encodeURIComponent(id)}/rejected`, {
    headers: { accept: "application/x-ndjson" },
  });
  for await (const chunk of body ?? []) if (!process.stdout.write(chunk)) await once(process.stdout, "drain");
}
