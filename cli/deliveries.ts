import { Delivery, DeliveryState } from "@cais/spec/api.ts";
import { Deliveries } from "@cais/spec/deliveries.ts";
import { Command, InvalidArgumentError, Option } from "commander";
import { connect, requestJson, tokenHelp } from "./client.ts";
import { write } from "./planning.ts";
import { formatBytes, formatRows, formatTime, troubleOf } from "./run-text.ts";

interface Options {
  url?: string;
  stack?: string;
  state?: DeliveryState;
  run?: string;
  limit: number;
  json?: true;
}

/** `cais deliveries`: what sinks delivered and what waits, and a way to try one again. */
export const deliveriesCommand = (): Command =>
  new Command("deliveries")
    .description("list what sinks delivered or have to deliver, newest first")
    .option("--stack <name>", "only deliveries of this pipeline stack")
    .addOption(new Option("--state <state>", "only deliveries in this state").choices(DeliveryState.options))
    .option("--run <id>", "only deliveries of this run")
    .option("--limit <number>", "how many to list (1 to 500)", parseLimit, 20)
    .option("--json", "print the answer as JSON")
    .option("--url <url>", "the processor's address (default: CAIS_URL, or the one started here)")
    .addHelpText(
      "after",
      `
Examples:
  npx cais deliveries --state failed
  npx cais deliveries retry 12
${tokenHelp}
Exit codes: 0 done, 1 there is no such delivery or it cannot be tried, 2 wrong usage.`,
    )
    .action(list)
    .addCommand(
      new Command("retry")
        .description("try a delivery again now, without running its file again")
        .argument("<id>", "the delivery's number")
        .option("--json", "print the answer as JSON")
        .option("--url <url>", "the processor's address (default: CAIS_URL, or the one started here)")
        .addHelpText("after", tokenHelp)
        .action(async (id: string, _options: unknown, command: Command) =>
          retry(id, command.optsWithGlobals<Options>()),
        ),
    );

function parseLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > 500)
    throw new InvalidArgumentError("must be a whole number from 1 to 500.");
  return limit;
}

async function list({ url, json, limit, ...filter }: Options): Promise<void> {
  const query = new URLSearchParams({ limit: String(limit) });
  for (const name of ["stack", "state", "run"] as const) {
    const wanted = filter[name];
    if (wanted !== undefined) query.set(name, wanted);
  }
  const answer = await requestJson(await connect(url), `/v1/deliveries?${query}`, Deliveries);
  if (json) return void write(JSON.stringify(answer, undefined, 2));
  if (answer.deliveries.length === 0)
    return void write(query.size > 1 ? "No delivery is like that." : "No deliveries yet.");
  for (const delivery of answer.deliveries) write(formatDelivery(delivery));
  if (answer.next !== null) process.stderr.write("There are more: --limit shows up to 500.\n");
}

async function retry(id: string, { url, json }: Options): Promise<void> {
  const path = `/v1/deliveries/${encodeURIComponent(id)}/retry`;
  const delivery = await requestJson(await connect(url), path, Delivery, { method: "POST" });
  write(json ? JSON.stringify(delivery, undefined, 2) : formatDelivery(delivery));
}

/** A delivery as lines: what and where, and below it why it waits. */
export function formatDelivery(delivery: Delivery): string {
  const { id, state, stack, sink, run, rows, bytes, attempts, retryAt, deliveredAt } = delivery;
  const facts = [
    ...(bytes > 0 ? [formatRows(rows), formatBytes(bytes)] : []),
    ...(deliveredAt !== null ? [formatTime(deliveredAt)] : []),
    ...(attempts > 1 || state === "retrying" || state === "failed"
      ? [`${attempts} attempt${attempts === 1 ? "" : "s"}`]
      : []),
    ...(retryAt !== null ? [`again at ${formatTime(retryAt)}`] : []),
  ];
  const line =
    `${String(id).padStart(6)}  ${state.padEnd(10)}  ${stack}  ${sink}  ${run}  ${facts.join(", ")}`.trimEnd();
  const trouble = troubleOf(delivery);
  return trouble === null ? line : `${line}\n        ${trouble}`;
}
