import { type Table, TableRows, Tables } from "@cais/spec/api.ts";
import { TableVersions } from "@cais/spec/table-versions.ts";
import { Command, InvalidArgumentError, Option } from "commander";
import { connect, requestJson, tokenHelp, type Connection } from "./client.ts";
import { Failure } from "./failure.ts";
import { grid, isNumber, printable, terminalWidth } from "./grid.ts";
import { write } from "./planning.ts";
import { formatBytes, formatCount, formatRows, formatTime } from "./run-text.ts";
import { optimizeCommand, rewindCommand, vacuumCommand } from "./tables-upkeep.ts";

interface Options {
  url?: string;
  json?: true;
  limit?: number;
  versions?: true;
  version?: number;
  at?: string;
}

/** Rows of a table, and versions, that are shown unless more are asked for. */
const SHOWN = { rows: 10, versions: 20 };

/** `cais tables`: what the tables hold, and held. */
export const tablesCommand = (): Command =>
  new Command("tables")
    .description("list the tables, or show one: its columns and first rows, or its versions")
    .argument("[table]", "a table as STACK/TABLE")
    .addCommand(optimizeCommand(tablePath))
    .addCommand(vacuumCommand(tablePath))
    .addCommand(rewindCommand(tablePath))
    .option("--versions", "the table's versions, newest first, instead of its rows")
    .addOption(new Option("--version <number>", "the table as it was at this version").argParser(parseVersion))
    .addOption(
      new Option("--at <time>", "the table as it was then: 2026-01-31, or 2026-01-31T12:00:00Z").conflicts("version"),
    )
    .option("--limit <number>", "how many rows (0 to 10000; default: 10) or versions (to 100; 20)", parseLimit)
    .option("--json", "print the answer as JSON")
    .option("--url <url>", "the processor's address (default: CAIS_URL, or the one started here)")
    .addHelpText(
      "after",
      `
Examples:
  npx cais tables
  npx cais tables inmet/rain_by_day --limit 3
  npx cais tables inmet/rain_by_day --versions
  npx cais tables inmet/rain_by_day --version 4
  npx cais tables inmet/rain_by_day --at 2026-01-31
  npx cais tables optimize inmet/inmet
  npx cais tables vacuum inmet/inmet --dry-run
${tokenHelp}
Exit codes: 0 done, 1 there is no such table or version, or it cannot be read, 2 wrong usage.`,
    )
    .action(async (name: string | undefined, options: Options, command: Command) => {
      const { versions, version, at } = options;
      if (name === undefined && (versions || version !== undefined || at !== undefined))
        command.error("error: name the table as STACK/TABLE: versions are those of one table");
      const connection = await connect(options.url);
      if (name === undefined) await list(connection, options);
      else if (versions) await showVersions(connection, name, options);
      else await show(connection, name, options);
    });

function parseLimit(text: string): number {
  const limit = Number(text);
  if (text === "" || !Number.isInteger(limit) || limit < 0 || limit > 10_000)
    throw new InvalidArgumentError("must be a whole number from 0 to 10000.");
  return limit;
}

function parseVersion(text: string): number {
  const version = Number(text);
  if (text === "" || !Number.isSafeInteger(version) || version < 0)
    throw new InvalidArgumentError("must be a whole number from 0 on.");
  return version;
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

const right = { align: "right" } as const;

async function list(connection: Connection, { json }: Options): Promise<void> {
  const answer = await requestJson(connection, "/v1/tables", Tables);
  if (json) return void write(JSON.stringify(answer, undefined, 2));
  if (answer.tables.length === 0)
    return void write("No tables yet: no pipeline stack is deployed here that you may see.");
  const rows = answer.tables.map(({ stack, name, layer, version, rows, bytes, updatedAt }) => [
    `${stack}/${name}`,
    layer,
    formatCount(rows),
    updatedAt === null ? "–" : formatBytes(bytes),
    version === null ? "–" : String(version),
    updatedAt === null ? "empty until the first run" : formatTime(updatedAt),
  ]);
  const columns = [
    { name: "table" },
    { name: "layer" },
    { name: "rows", ...right },
    { name: "size", ...right },
    { name: "version", ...right },
    { name: "changed (UTC)" },
  ];
  write(...grid(columns, rows, { width: terminalWidth() }).lines);
}

async function show(connection: Connection, name: string, options: Options): Promise<void> {
  const { json, version, at, limit = SHOWN.rows } = options;
  const query = new URLSearchParams({
    limit: String(Math.max(limit, 1)),
    ...(version !== undefined && { version: String(version) }),
    ...(at !== undefined && { at }),
  });
  const table = await requestJson(connection, `${tablePath(name)}?${query}`, TableRows);
  if (limit === 0) table.data = [];
  if (json) return void write(JSON.stringify(table, undefined, 2));
  write(describe(table));
  if (table.columns.length === 0)
    return void write("", `It has no columns yet: npx cais ingest ${table.stack} FILE --wait makes it.`);
  const columns = table.columns.map((column) => [
    column.name,
    column.type,
    table.partitionBy.includes(column.name) ? "files by it" : "",
  ]);
  write("", ...grid([{ name: "column" }, { name: "type" }, { name: "" }], columns, { width: terminalWidth() }).lines);
  if (table.data.length === 0) return;
  const shown = grid(
    table.columns.map((column) => ({ name: column.name, ...(isNumber(column.type) && right) })),
    table.data.map((row) => table.columns.map((column) => cellText(row[column.name]))),
    { width: terminalWidth() },
  );
  write("", ...shown.lines);
  const left = table.rows - table.data.length;
  if (left > 0) process.stderr.write(`There are ${formatRows(left)} more: --limit shows up to 10,000.\n`);
  tellHidden(shown.hidden);
}

/** Says that a terminal was too narrow for some columns. */
export function tellHidden(columns: number): void {
  if (columns > 0)
    process.stderr.write(
      `${columns} ${columns === 1 ? "column has" : "columns have"} no room in this terminal: --json shows all of them.\n`,
    );
}

function describe({ stack, name, layer, version, rows, bytes, updatedAt }: Table): string {
  const facts = [
    layer,
    formatRows(rows),
    formatBytes(bytes),
    ...(version === null ? [] : [`version ${version}`]),
    ...(updatedAt === null ? [] : [`of ${formatTime(updatedAt)} UTC`]),
  ];
  return `${stack}/${name}  ${facts.join("  ")}`;
}

const signed = (rows: number | null, sign: string): string =>
  rows === null ? "?" : rows === 0 ? "–" : `${sign}${formatCount(rows)}`;

async function showVersions(connection: Connection, name: string, options: Options): Promise<void> {
  const limit = Math.min(Math.max(options.limit ?? SHOWN.versions, 1), 100);
  const answer = await requestJson(connection, `${tablePath(name)}/versions?limit=${limit}`, TableVersions);
  if (options.json) return void write(JSON.stringify(answer, undefined, 2));
  if (answer.versions.length === 0)
    return void write(`${name} has no version yet: the first one is written a moment after its first run.`);
  const rows = answer.versions.map(({ version, at, operation, program, added, removed, rows, files, bytes }) => [
    String(version),
    formatTime(at),
    operation ?? "?",
    signed(added, "+"),
    signed(removed, "-"),
    rows === null ? "?" : formatCount(rows),
    formatCount(files),
    formatBytes(bytes),
    program ?? "?",
  ]);
  const columns = [
    { name: "version", ...right },
    { name: "written (UTC)" },
    { name: "operation" },
    { name: "added", ...right },
    { name: "removed", ...right },
    { name: "rows", ...right },
    { name: "files", ...right },
    { name: "size", ...right },
    { name: "by" },
  ];
  const shown = grid(columns, rows, { width: terminalWidth() });
  write(...shown.lines);
  if (answer.next !== null) process.stderr.write("There are more: --limit shows up to 100.\n");
  tellHidden(shown.hidden);
}

/** A cell of a JSON answer, as people read it. */
const cellText = (cell: string | number | boolean | null | undefined): string =>
  cell === null || cell === undefined ? "null" : String(cell);
