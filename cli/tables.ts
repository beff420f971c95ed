import { type Table, TableRows, Tables } from "@cais/spec/api.ts";
import { Command, InvalidArgumentError } from "commander";
import { connect, requestJson, tokenHelp, type Connection } from "./client.ts";
import { Failure } from "./failure.ts";
import { grid, printable, terminalWidth } from "./grid.ts";
import { write } from "./planning.ts";
import { formatBytes, formatCount, formatRows, formatTime } from "./run-text.ts";

interface Options {
  url?: string;
  json?: true;
  limit: number;
}

/** `cais tables`: what the tables hold. */
export const tablesCommand = (): Command =>
  new Command("tables")
    .description("list the tables, or show one: its columns and its first rows")
    .argument("[table]", "a table as STACK/TABLE")
    .option("--limit <number>", "how many rows to show (0 to 10000)", parseLimit, 10)
    .option("--json", "print the answer as JSON")
    .option("--url <url>", "the processor's address (default: CAIS_URL, or the one started here)")
    .addHelpText(
      "after",
      `
Examples:
  npx cais tables
  npx cais tables inmet/rain_by_day
${tokenHelp}
Exit codes: 0 done, 1 there is no such table or it cannot be read, 2 wrong usage.`,
    )
    .action(async (name: string | undefined, options: Options) => {
      const connection = await connect(options.url);
      if (name === undefined) await list(connection, options);
      else await show(connection, name, options);
    });

function parseLimit(text: string): number {
  const limit = Number(text);
  if (text === "" || !Number.isInteger(limit) || limit < 0 || limit > 10_000)
    throw new InvalidArgumentError("must be a whole number from 0 to 10000.");
  return limit;
}

/** The API's address of a table that is named as people name it. */
export function tablePath(name: string): string {
  const [, stack, table] = /^([^/]+)\/([^/]+)$/.exec(name) ?? [];
  if (stack === undefined || table === undefined)
    throw new Failure(`a table is named as STACK/TABLE, such as inmet/rain_by_day, not ${printable(name)}`, {
      exitCode: 2,
    });
  return `/v1/tables/${encodeURIComponent(stack)}/${encodeURIComponent(table)}`;
}

async function list(connection: Connection, { json }: Options): Promise<void> {
  const answer = await requestJson(connection, "/v1/tables", Tables);
  if (json) return void write(JSON.stringify(answer, undefined, 2));
  if (answer.tables.length === 0)
    return void write("No tables yet: no pipeline stack is deployed here that you may see.");
  const rows = answer.tables.map(({ stack, name, layer, rows, bytes, updatedAt }) => [
    `${stack}/${name}`,
    layer,
    formatCount(rows),
    updatedAt === null ? "–" : formatBytes(bytes),
    updatedAt === null ? "empty until the first run" : formatTime(updatedAt),
  ]);
  const columns = [
    { name: "table" },
    { name: "layer" },
    { name: "rows", align: "right" as const },
    { name: "size", align: "right" as const },
    { name: "changed (UTC)" },
  ];
  write(...grid(columns, rows, { width: terminalWidth() }).lines);
}

async function show(connection: Connection, name: string, { json, limit }: Options): Promise<void> {
  const path = tablePath(name);
  const table = await requestJson(connection, `${path}?limit=${Math.max(limit, 1)}`, TableRows);
  if (limit === 0) table.data = [];
  if (json) return void write(JSON.stringify(table, undefined, 2));
  write(describe(table));
  if (table.columns.length === 0)
    return void write("", `It has no columns yet: npx cais ingest ${table.stack} FILE --wait makes it.`);
  const columns = table.columns.map(({ name, type }) => [name, type]);
  write("", ...grid([{ name: "column" }, { name: "type" }], columns, { width: terminalWidth() }).lines);
  if (table.data.length === 0) return;
  const rows = table.data.map((row) => table.columns.map(({ name }) => cellText(row[name])));
  const shown = grid(
    table.columns.map(({ name, type }) => ({ name, align: isNumber(type) ? ("right" as const) : ("left" as const) })),
    rows,
    { width: terminalWidth() },
  );
  write("", ...shown.lines);
  const left = table.rows - table.data.length;
  if (left > 0) process.stderr.write(`There are ${formatRows(left)} more: --limit shows up to 10,000.\n`);
  if (shown.hidden > 0)
    process.stderr.write(`${shown.hidden} columns have no room in this terminal: --json shows all of them.\n`);
}

function describe({ stack, name, layer, rows, bytes, updatedAt }: Table): string {
  const facts = [layer, formatRows(rows), formatBytes(bytes)];
  return `${stack}/${name}  ${facts.join("  ")}${updatedAt === null ? "" : `  changed ${formatTime(updatedAt)} UTC`}`;
}

/** A cell of a JSON answer, as people read it. */
export const cellText = (cell: string | number | boolean | null | undefined): string =>
  cell === null || cell === undefined ? "null" : String(cell);

/** Whether a column's values are numbers, by DuckDB's name of the type. */
export const isNumber = (type: string): boolean =>
  /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\b.*)$/.test(type);
