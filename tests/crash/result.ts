import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Run } from "@cais/spec/api.ts";
import { text } from "./client.ts";
import { DuckDBInstance } from "@duckdb/node-api";
import { type Load, originOf, type Sending, sha256Of, tablesOf } from "./load.ts";

/** What came of one file. */
export interface FileResult {
  state: Run["state"];
  rows: Run["rows"];
  error: string | null;
  /** What a replay would do yet. */
  open: Run["open"];
  /** Its replays and reruns, oldest first. */
  later: Pick<Run, "kind" | "state" | "rows" | "error">[];
  /** Its rows in the table, and the answer about its refused ones. */
  table: string[];
  rejected: string;
}

/** What came of one seed's files, by stack and file: all that must be the same, however often the processor was killed. */
export type Result = Record<string, Record<string, FileResult>>;

/** What came of a load is not what should have. */
export class Wrong extends Error {
  override name = "Wrong";
}

const lines = (csv: string) => csv.split("\r\n").slice(1, -1);

/** A row as every seed has it. */
const without = (row: string) => row.replace(/,\d+:(\w+:\d+)/g, ",$1");

/** The rows of a table by seed and file. */
function byOrigin(rows: string[]): Map<string, string[]> {
  const found = Map.groupBy(rows, (row) => {
    const { seed, file } = originOf(row);
    return `${seed}:${file}`;
  });
  return new Map([...found].map(([origin, its]) => [origin, its.map(without).toSorted()]));
}

/**
 * Reads what came of a seed's files. What a processor must be true to without comparison is checked at once: a content has
 * one run, the aggregated table and the delivered CSV say what the table says.
 */
export async function resultOf(
  { folder, url, load }: { folder: string; url: string; load: Load },
  seed: number,
  sendings: Sending[],
  runs: Run[],
): Promise<Result> {
  const result: Result = {};
  for (const stack of Object.keys(load.config.stacks)) {
    const sold = await text(url, `/v1/tables/${stack}/sold.csv`);
    const rows = lines(sold);
    const byDay = lines(await text(url, `/v1/tables/${stack}/by_day.csv`));
    same(`${stack}: by_day`, byDay.map(numbers).toSorted(), daysOf(rows).toSorted());
    if (tablesOf(load, stack).includes("days")) {
      const days = lines(await text(url, `/v1/tables/${stack}/days.csv`));
      same(`${stack}: days`, days.map(numbers).toSorted(), byDay.map(numbers).toSorted());
    }
    if (tablesOf(load, stack).includes("latest")) {
      const latest = lines(await text(url, `/v1/tables/${stack}/latest.csv`)).toSorted();
      same(`${stack}: latest`, latest, latestOf(load, stack, rows, runs).toSorted());
      same(`${stack}: the delivered Parquet`, await parquetLines(folder, stack), latest);
    }
    const delivered = await orEmpty(outputFile(folder, stack));
    if (rows.length > 0 || delivered !== "")
      same(`${stack}: the delivered CSV`, delivered.split("\r\n").toSorted(), sold.split("\r\n").toSorted());
    const table = byOrigin(rows);
    const files: Record<string, FileResult> = {};
    for (const { file, content } of sendings.filter((sending) => sending.stack === stack)) {
      const its = runs.filter((run) => run.stack === stack && run.file.sha256 === sha256Of(content));
      const all = its.filter((run) => run.kind === "load");
      const [run] = all;
      const inTable = table.get(`${seed}:${file}`) ?? [];
      if (run === undefined) {
        if (inTable.length > 0) throw new Wrong(`${stack}: the table has rows of ${file}, which has no run.`);
        continue;
      }
      // Only what came to nothing is taken anew when it is sent again.
      if (all.length > 1 && run.state !== "quarantined")
        throw new Wrong(`${stack}: ${file} has ${all.length} runs: ${JSON.stringify(all)}`);
      const rejected = without(await text(url, `/v1/runs/${run.id}/rejected`));
      const later = its
        .filter(({ root }) => root === run.id)
        .map(({ kind, state, rows: counts, error }) => ({ kind, state, rows: counts, error }))
        .toReversed();
      const { state, rows: counts, error, open } = run;
      files[file] = { state, rows: counts, error, open, later, table: inTable, rejected };
    }
    result[stack] = files;
  }
  return result;
}

/** Compares a result with an undisturbed one. What was acknowledged must be in it; what was not may be, but then wholly. */
export function compare(result: Result, undisturbed: Result, acknowledged: ReadonlySet<string>): void {
  for (const [stack, files] of Object.entries(undisturbed))
    for (const [file, expected] of Object.entries(files)) {
      const found = result[stack]?.[file];
      if (found === undefined && !acknowledged.has(`${stack}/${file}`)) continue;
      same(`${stack}: ${file}`, found, expected);
    }
}

/** Checks what can be seen of a processor that was killed: a delivered CSV is whole, and of every file holds all that a result has, or nothing. */
export async function checkDelivered(folder: string, { config }: Load, undisturbed: Result[]): Promise<void> {
  for (const stack of Object.keys(config.stacks)) {
    const delivered = await orEmpty(outputFile(folder, stack));
    if (delivered === "") continue;
    if (!delivered.endsWith("\r\n")) throw new Wrong(`${stack}: the delivered CSV ends in the middle of a line.`);
    for (const [origin, rows] of byOrigin(lines(delivered))) {
      const [, file = ""] = origin.split(":");
      const wholes = undisturbed.map((result) => result[stack]?.[file]?.table);
      const fits = wholes.find((whole) => JSON.stringify(whole) === JSON.stringify(rows));
      if (fits === undefined) same(`${stack}: ${origin} in the delivered CSV`, rows, wholes.at(-1));
    }
  }
}

const outputFile = (folder: string, stack: string) => join(folder, "data", stack, "output", "out", "sold.csv");

async function orEmpty(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}

const numbers = (line: string) =>
  line
    .split(",")
    .map((cell, index) => (index === 0 ? cell : String(Number(cell))))
    .join(",");

/** What `by_day` must be for the rows of `sold`. */
const daysOf = (rows: string[]): string[] =>
  [...Map.groupBy(rows, (row) => row.split(",")[0])].map(
    ([day, its]) => `${day},${its.reduce((sum, row) => sum + Number(row.split(",")[1]), 0)},${its.length}`,
  );

/** What `latest` must be for the rows of `sold`: of each day the row of the file that was received last. */
function latestOf(load: Load, stack: string, rows: string[], runs: Run[]): string[] {
  // Newest first.
  const loads = runs.filter((run) => run.stack === stack && run.kind === "load").map(({ file }) => file.sha256);
  const age = (row: string) => {
    const { seed, file } = originOf(row);
    const sending = load.sendings(seed).find((one) => one.stack === stack && one.file === file);
    return loads.indexOf(sha256Of(sending?.content ?? ""));
  };
  return [...Map.groupBy(rows, (row) => row.split(",")[0]).values()].flatMap(
    (its) => its.map((row) => ({ row, age: age(row) })).toSorted((a, b) => a.age - b.age)[0]?.row ?? [],
  );
}

/** The rows of the delivered Parquet file as treated CSV has them. */
async function parquetLines(folder: string, stack: string): Promise<string[]> {
  const file = join(folder, "data", stack, "output", "out", "latest.parquet");
  if (!existsSync(file)) return [];
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  try {
    const read = await connection.runAndReadAll(
      `SELECT day::VARCHAR || ',' || amount::VARCHAR || ',' || note FROM read_parquet('${file.replaceAll("'", "''")}')`,
    );
    return read
      .getRows()
      .map(([line]) => String(line))
      .toSorted();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function same(what: string, found: unknown, expected: unknown): void {
  const [is = "nothing", should = "nothing"] = [JSON.stringify(found), JSON.stringify(expected)];
  if (is === should) return;
  // The place where they part, and what is around it.
  let from = 0;
  while (is[from] === should[from]) from++;
  const excerpt = (text: string) => `${from > 200 ? "…" : ""}${text.slice(Math.max(0, from - 200), from + 400)}`;
  throw new Wrong(`${what} is not what it should be.\n  is:        ${excerpt(is)}\n  should be: ${excerpt(should)}`);
}
