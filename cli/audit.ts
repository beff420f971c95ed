import { Audit, type AuditEntry } from "@cais/spec/access.ts";
import { Command, InvalidArgumentError } from "commander";
import { connect, requestJson } from "./client.ts";

interface Options {
  url?: string;
  json?: true;
  since?: string;
  limit: number;
}

/** What the API gives at a time. */
const PAGE = 1000;

/** `cais audit`: who did what, and who was refused. */
export const auditCommand = (): Command =>
  new Command("audit")
    .description("list who did what on a processor, newest first")
    .option("--since <time>", "only from this day or time on: 2026-01-31, or 2026-01-31T12:00:00Z", parseTime)
    .option("--limit <number>", "how many to list (1 to 100000)", parseLimit, 50)
    .option("--json", "print one JSON object a line")
    .option("--url <url>", "the processor's address (default: CAIS_URL, or the one started here)")
    .addHelpText("after", "\nThe processor's own token, or one with the action admin, is needed in CAIS_TOKEN.")
    .action(async ({ since, limit, json, url }: Options) => {
      const connection = await connect(url);
      let left = limit;
      let next: number | null = null;
      do {
        const query = new URLSearchParams({
          limit: String(Math.min(left, PAGE)),
          ...(since !== undefined && { since }),
          ...(next !== null && { before: String(next) }),
        });
        const page: Audit = await requestJson(connection, `/v1/audit?${query}`, Audit);
        for (const entry of page.entries)
          process.stdout.write(`${json ? JSON.stringify(entry) : formatEntry(entry)}\n`);
        left -= page.entries.length;
        next = page.next;
      } while (next !== null && left > 0);
      if (next !== null && !json) process.stderr.write("There are more: --limit shows more, --since fewer.\n");
    });

function formatEntry({ at, by, from, what, stack, on, status, problem, times }: AuditEntry): string {
  const where = [stack, on].filter((part) => part !== null).join(" ");
  const outcome = problem === null ? String(status) : `${status} ${problem}`;
  const often = times === 1 ? "" : `  ${times} times`;
  return `${at}  ${by ?? "unknown"}  ${from}  ${what}${where && `  ${where}`}  ${outcome}${often}`;
}

function parseTime(text: string): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw new InvalidArgumentError("must be a time such as 2026-01-31T12:00:00Z.");
  return time.toISOString();
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > 100_000)
    throw new InvalidArgumentError("must be a whole number from 1 to 100000.");
  return limit;
}
