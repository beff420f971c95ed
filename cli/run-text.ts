import { styleText } from "node:util";
import type { Run, RunState, Step } from "@cais/spec/api.ts";

/** A number of things, with separators for thousands. */
const formatCount = (count: number): string => count.toLocaleString("en");

/** A size in the unit that fits, in powers of 1,000. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

const milliseconds = (from: string, to: string) => Date.parse(to) - Date.parse(from);

/** A step on one line, with the time it took. */
export function formatStep({ name, startedAt, finishedAt }: Step): string {
  return `  ${name.padEnd(28)} ${finishedAt ? `${(milliseconds(startedAt, finishedAt) / 1000).toFixed(2)} s` : "…"}`;
}

/** How a finished run ended: counts, outputs, and what to do next where there is something to do. */
export function formatEnd({ id, rows, outputs, error, state }: Run): string {
  const lines = error ? [`  ${formatState(state)}: ${error}`] : [];
  if (rows.read > 0)
    lines.push(
      `  ${formatCount(rows.read)} rows read: ${formatCount(rows.clean)} clean, ${formatCount(rows.rejected)} rejected`,
    );
  if (rows.rejected > 0) lines.push(`  why: npx cais runs ${id} --rejected`);
  for (const output of outputs)
    lines.push(
      `  ${output.kind.padEnd(5)} ${output.name.padEnd(22)} ${formatCount(output.rows).padStart(11)} rows ${formatBytes(output.bytes).padStart(9)}  ${output.location}`,
    );
  return lines.join("\n");
}

const colours = { queued: "gray", running: "blue", done: "green", failed: "red", quarantined: "yellow" } as const;

/** A state, coloured where the terminal wants colours. */
export const formatState = (state: RunState): string => styleText(colours[state], state, { stream: process.stdout });

/** A run on one line of a list. */
export function formatRun({ id, stack, state, file, rows, queuedAt, finishedAt }: Run): string {
  const took = finishedAt ? `${(milliseconds(queuedAt, finishedAt) / 1000).toFixed(1)} s` : "";
  const counts = `${formatCount(rows.clean)} clean, ${formatCount(rows.rejected)} rejected`;
  return `${id}  ${queuedAt.slice(0, 19).replace("T", " ")}  ${formatState(state)}${" ".repeat(12 - state.length)}${stack.padEnd(16)} ${file.name}  ${counts}  ${took}`.trimEnd();
}
