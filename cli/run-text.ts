import { styleText } from "node:util";
import type { Delivery, Run, RunState, Step } from "@cais/spec/api.ts";
import { printable } from "./grid.ts";

/** A number of things, with separators for thousands. */
export const formatCount = (count: number): string => count.toLocaleString("en");

/** So many rows, in words. */
export const formatRows = (rows: number): string => `${formatCount(rows)} ${rows === 1 ? "row" : "rows"}`;

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
export function formatEnd(run: Run): string {
  const { id, rows, outputs, error, state } = run;
  const lines = error ? [`  ${formatState(state)}: ${error}`] : [];
  if (rows.read > 0)
    lines.push(
      `  ${formatRows(rows.read)} read: ${formatCount(rows.clean)} clean, ${formatCount(rows.rejected)} rejected`,
    );
  if (rows.rejected > 0) lines.push(`  why: npx cais rejected ${id}`);
  const width = Math.max(5, ...[...outputs, ...run.deliveries].map(({ kind }) => kind.length));
  for (const output of outputs)
    lines.push(
      `  ${output.kind.padEnd(width)} ${output.name.padEnd(22)} ${formatCount(output.rows).padStart(11)} ${output.rows === 1 ? "row " : "rows"} ${formatBytes(output.bytes).padStart(9)}  ${output.location}`,
    );
  return [...lines, ...undelivered(run, width), ...nextSteps(run)].join("\n");
}

/** The error of a delivery, where it still says something: one that is tried now or that is done is past it. */
export const troubleOf = ({ state, error }: Pick<Delivery, "state" | "error">): string | null =>
  error !== null && (state === "retrying" || state === "failed") ? printable(error) : null;

/** What sinks have not got of a run, and where that is followed. The run itself is done without it. */
function undelivered({ id, deliveries }: Run, width: number): string[] {
  const open = deliveries.filter(({ state }) => state !== "delivered" && state !== "superseded");
  if (open.length === 0) return [];
  return [
    ...open.map((delivery) => {
      const { kind, name, state, retryAt } = delivery;
      const stands = state === "failed" ? "not delivered" : "not delivered yet";
      const facts = [retryAt === null ? "" : `tried again at ${timeOf(retryAt)}`, troubleOf(delivery) ?? ""].filter(
        (fact) => fact !== "",
      );
      return `  ${kind.padEnd(width)} ${name.padEnd(22)} ${[stands, ...facts].join("; ")}`;
    }),
    `  what sinks deliver, and why not: npx cais deliveries --run ${id}`,
  ];
}

/** What is in no table yet of the run's file, and the commands that bring it there. */
function nextSteps({ id, open, rows }: Run): string[] {
  if (open === null) return [];
  const corrected = [
    `    npx cais rejected ${id} --editable --out open-rows.csv`,
    `    npx cais replay ${id} --with open-rows.csv --wait`,
  ];
  const asTheyAre = `    npx cais replay ${id} --wait`;
  if (open.scope === "rows")
    return [
      `  ${formatRows(open.rows)} ${open.rows === 1 ? "is" : "are"} open: in no table. Correct and replay:`,
      ...corrected,
      "  or, once the stack was changed, as they are:",
      asTheyAre,
    ];
  return [
    "  nothing of the file is in the tables.",
    ...(rows.rejected > 0 ? ["  Correct its rejected rows and replay it:", ...corrected] : []),
    "  Once the stack was changed, replay it as it is:",
    asTheyAre,
  ];
}

const colours = { queued: "gray", running: "blue", done: "green", failed: "red", quarantined: "yellow" } as const;

/** A state, coloured where the terminal wants colours. */
export const formatState = (state: RunState): string => styleText(colours[state], state, { stream: process.stdout });

/** A run on one line of a list. */
export function formatRun(run: Run): string {
  const { id, stack, state, kind, file, rows, attempts, open, queuedAt, finishedAt, retryAt, deliveries } = run;
  const failed = deliveries.filter((delivery) => delivery.state === "failed").length;
  const notes = [
    kind === "load" ? "" : kind,
    rows.read > 0 ? `${formatCount(rows.clean)} clean, ${formatCount(rows.rejected)} rejected` : "",
    open === null ? "" : open.scope === "file" ? "all open" : `${formatCount(open.rows)} open`,
    failed === 0 ? "" : `${failed} not delivered`,
    attempts > 1 ? `${attempts} attempts` : "",
    retryAt === null ? "" : `again at ${timeOf(retryAt)}`,
    finishedAt ? `${(milliseconds(queuedAt, finishedAt) / 1000).toFixed(1)} s` : "",
  ].filter((note) => note !== "");
  return `${id}  ${formatTime(queuedAt)}  ${formatState(state)}${" ".repeat(12 - state.length)}${stack.padEnd(16)} ${file.name}  ${notes.join(", ")}`.trimEnd();
}

/** A run that was queued just now by a command. */
export const formatQueued = ({ id, kind, file }: Run): string => `${file.name}  ${kind} ${id}`;

/** Why a run waits for its next attempt, and until when. What is not the run's fault counts as no attempt. */
export function formatWaiting({ attempts, error, retryAt }: Run): string {
  const why = error === null ? "" : `: ${error.replace(/\.$/, "")}`;
  const until = retryAt === null ? "" : `; the next ${attempts === 0 ? "try" : "one"} is at ${timeOf(retryAt)}`;
  return `  ${attempts === 0 ? "it waits" : `attempt ${attempts} broke off`}${why}${until}`;
}

/** A day and a time of day in UTC. */
export const formatTime = (iso: string): string => `${iso.slice(0, 10)} ${timeOf(iso)}`;

/** The time of day in UTC. */
const timeOf = (iso: string): string => iso.slice(11, 19);
