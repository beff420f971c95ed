import { cpus, loadavg, totalmem } from "node:os";
import type { Usage } from "./processes.ts";

/** What a part of the benchmark gives: rows of a table, with the first row's figures as the measure of the ratios. */
export interface Part {
  part: string;
  title: string;
  rows: Row[];
  notes: string[];
}

export interface Row {
  what: string;
  figures: Record<string, number | string>;
}

/** Progress goes to standard error, results to standard output. */
export const say = (line: string) => void process.stderr.write(`${line}\n`);

export const machine = () => ({
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: cpus().length,
  memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
  node: process.version,
  load: loadavg().map((load) => Number(load.toFixed(2))),
  at: new Date().toISOString(),
});

export const figuresOf = ({ cpu, wall, peak, peaks }: Usage) => ({
  "CPU s": round(cpu),
  "wall s": round(wall),
  "peak MB": Math.round(peak / 1e6),
  "peaks MB": peaks.map((bytes) => Math.round(bytes / 1e6)).join(" + "),
});

/** Two digits after the point, or none of a large number. */
export const round = (value: number) => Number(value.toFixed(value < 100 ? 2 : 0));

/** The value below which a share of the values lies. */
export function percentile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

const line = (cells: (string | number)[]) => `| ${cells.join(" | ")} |`;

/** A part as Markdown. */
export function textOf({ title, rows, notes }: Part): string {
  const names = [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))];
  return [
    `\n## ${title}\n`,
    line(["what", ...names]),
    line(["---", ...names.map(() => "---:")]),
    ...rows.map(({ what, figures }) => line([what, ...names.map((name) => figures[name] ?? "")])),
    "",
    ...notes.map((note) => `- ${note}`),
  ].join("\n");
}
