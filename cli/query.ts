import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import { QUERY_ROWS, QueryAnswer, type QueryFormat } from "@cais/spec/query.ts";
import { Command, InvalidArgumentError, Option } from "commander";
import { connect, parseAnswer, request, tokenHelp } from "./client.ts";
import { Failure, Interruption } from "./failure.ts";
import { grid, isNumber, terminalWidth } from "./grid.ts";
import { write } from "./planning.ts";
import { formatCount, formatRows } from "./run-text.ts";
import { tellHidden } from "./tables.ts";

interface Options {
  url?: string;
  format?: "table" | "csv" | "json";
  json?: true;
  limit?: number;
  out?: string;
}

/** Rows that are shown as a table unless more are asked for. */
const SHOWN = 100;

const formats = { table: "json", csv: "csv", json: "ndjson" } satisfies Record<string, QueryFormat>;

/** `cais query`: what a SELECT over the tables gives. */
export const queryCommand = (): Command =>
  new Command("query")
    .description("ask the tables with SQL; nothing can be changed by it")
    .argument("<sql>", "one SELECT, in DuckDB's SQL")
    .addOption(
      new Option("--format <format>", "how the rows are given; json is one object a line").choices(
        Object.keys(formats),
      ),
    )
    .addOption(new Option("--json", "the same as --format json").conflicts("format"))
    .option("--out <file>", "write a new file instead of the standard output, as CSV unless told otherwise")
    .option(
      "--limit <number>",
      `how many rows (default: ${SHOWN} as a table, else ${formatCount(QUERY_ROWS.atMost)}, which is the most)`,
      parseLimit,
    )
    .option("--url <url>", "the processor's address (default: CAIS_URL, or the one started here)")
    .addHelpText(
      "after",
      `
A table is named stack.table, or table alone if no other stack has one of that name. A stack with a hyphen is written
with _ for it. AT (VERSION => 3) or AT (TIMESTAMP => '2026-01-31') behind a table is the table as it was.

Examples:
  npx cais query "SELECT day, rain_mm FROM rain_by_day ORDER BY rain_mm DESC LIMIT 5"
  npx cais query "FROM inmet.rain_by_day" --out rain.csv
  npx cais query "SELECT count(*) AS rows FROM inmet.inmet AT (VERSION => 0)" --json
${tokenHelp}
Exit codes: 0 done, 1 it cannot be answered, 2 wrong usage, 130 interrupted: the query ends.`,
    )
    .action(async (sql: string, options: Options) => {
      const format = options.json ? "json" : (options.format ?? (options.out === undefined ? "table" : "csv"));
      if (format === "table" && options.out !== undefined)
        throw new Failure("a table is for the terminal; write a file with --format csv or --format json", {
          exitCode: 2,
        });
      const limit = options.limit ?? (format === "table" ? SHOWN : QUERY_ROWS.atMost);
      const connection = await connect(options.url);
      await untilInterrupted(async (signal) => {
        const answer = await request(connection, "/v1/query", {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ sql, limit, format: formats[format] }),
          signal,
        });
        if (format === "table") return showTable(await parseAnswer(answer, QueryAnswer), limit);
        await pass(answer, options.out);
        if (answer.headers.get("x-cais-more") === "true")
          process.stderr.write(`There are more than ${formatRows(limit)}: narrow the query or raise --limit.\n`);
      });
    });

function parseLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > QUERY_ROWS.atMost)
    throw new InvalidArgumentError(`must be a whole number from 1 to ${QUERY_ROWS.atMost}.`);
  return limit;
}

function showTable({ columns, data, more }: QueryAnswer, limit: number): void {
  const { lines, hidden } = grid(
    columns.map(({ name, type }) => ({ name, align: isNumber(type) ? "right" : "left" })),
    data.map((row) => row.map((cell) => cell ?? "null")),
    { width: terminalWidth() },
  );
  write(...lines);
  if (data.length === 0) process.stderr.write("No rows.\n");
  if (more) process.stderr.write(`There are more than ${formatRows(limit)}: --limit shows more, --out writes them.\n`);
  tellHidden(hidden);
}

/** Passes an answer on as it comes: to the standard output, or to a file that was not there. */
async function pass({ body }: Response, out: string | undefined): Promise<void> {
  if (out === undefined) {
    for await (const chunk of body ?? []) if (!process.stdout.write(chunk)) await once(process.stdout, "drain");
    return;
  }
  try {
    await writeFile(out, body ?? "", { flag: "wx" });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST")
      throw new Failure(`${out} is there already; remove it or name another`, { exitCode: 2, cause });
    await rm(out, { force: true });
    if (cause instanceof Error && cause.name === "AbortError") throw cause;
    throw new Failure(`${out} could not be written whole: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  process.stderr.write(`${out} is written.\n`);
}

/** Does work that Ctrl-C ends, here and in the processor. */
async function untilInterrupted(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const interrupt = new AbortController();
  const onSignal = () => interrupt.abort();
  process.once("SIGINT", onSignal);
  try {
    await work(interrupt.signal);
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    throw new Interruption("SIGINT", "the query was given up", error);
  } finally {
    process.off("SIGINT", onSignal);
  }
}
