import { mkdir, mkdtemp, rmdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { fullLoad, smallLoad } from "./load.ts";
import { killAll } from "./processor.ts";
import { histogram, runSeries, type SeedResult } from "./series.ts";

const usage = `npm run crash -- [--seeds N] [OPTION…]

Kills a processor under load with SIGKILL, at a point that the seed picks, starts it again, and compares what came of the
load with a run that was not disturbed. docs/crash-test.md says what is killed and what is compared.

  --seeds N       how many seeds (default: 50)
  --first N       the first of them (default: 1)
  --seed N        this one alone
  --load LOAD     small: what npm test does; full: more files and two stacks at a time (default)
  --at-a-time N   seeds under way at a time (default: the machine's cores)
  --json          the result as JSON
  --help          this text

Exit codes: 0 nothing was wrong, 1 something was (the folder of its data is kept and named), 2 wrong usage, 130 stopped.
`;

interface Asked {
  seeds: number[];
  load: "small" | "full";
  atATime: number;
  json: boolean;
}

function whole(name: string, value: string): number {
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new Error(`--${name} must be a whole number from 1, not ${value}.`);
  return Number(value);
}

/** What the arguments ask for; undefined for the usage. Throws a sentence about what is wrong. */
function readArguments(args: string[]): Asked | undefined {
  const { values } = parseArgs({
    args,
    options: {
      seeds: { type: "string", default: "50" },
      first: { type: "string", default: "1" },
      seed: { type: "string" },
      load: { type: "string", default: "full" },
      "at-a-time": { type: "string", default: String(availableParallelism()) },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const { load } = values;
  if (load !== "small" && load !== "full") throw new Error(`--load must be small or full, not ${load}.`);
  const first = whole("first", values.first);
  const seeds =
    values.seed === undefined
      ? Array.from({ length: whole("seeds", values.seeds) }, (_, index) => first + index)
      : [whole("seed", values.seed)];
  return { seeds, load, atATime: whole("at-a-time", values["at-a-time"]), json: values.json };
}

async function main({ seeds, load, atATime, json }: Asked): Promise<number> {
  const base = join(import.meta.dirname, "..", "..", ".cais", "crash");
  await mkdir(base, { recursive: true });
  const folder = await mkdtemp(join(base, "run-"));
  const stopped = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => {
      stopped.abort();
      killAll();
    });
  // Nothing that was started here outlives it, whatever ends it.
  process.on("exit", () => killAll());
  const progress = progressOf(seeds.length, load);
  const start = performance.now();
  const results = await runSeries({
    seeds,
    load: load === "small" ? smallLoad() : fullLoad(),
    folder,
    atATime,
    onSeed: progress,
    signal: stopped.signal,
  }).catch((error: unknown) => {
    if (stopped.signal.aborted) return [];
    throw error;
  });
  const seconds = Math.round(performance.now() - start) / 1000;
  const wrong = results.filter((result) => result.wrong !== null);
  const left = seeds.length - results.length;
  // A folder with something in it holds what went wrong, or was going on.
  if (wrong.length === 0 && left === 0) await rmdir(folder);
  const summary = { seeds: seeds.length, left, wrong: wrong.length, seconds, ...histogram(results), results };
  process.stdout.write(json ? `${JSON.stringify(summary)}\n` : report(results, seconds));
  if (stopped.signal.aborted) {
    process.stderr.write(`Stopped with ${left} seeds left; their data is in ${relative(process.cwd(), folder)}.\n`);
    return 130;
  }
  return wrong.length > 0 ? 1 : 0;
}

/** Tells of each seed that is done: on a terminal in one line that goes on, else at each tenth of the way. */
function progressOf(all: number, load: string): (result: SeedResult) => void {
  let done = 0;
  let wrong = 0;
  return (result) => {
    done++;
    const line = () => `${done} of ${all} seeds, ${wrong} wrong`;
    const clear = process.stderr.isTTY ? "\r\x1b[K" : "";
    if (result.wrong !== null) {
      wrong++;
      const again = `npm run crash -- --seed ${result.seed}${load === "full" ? "" : ` --load ${load}`}`;
      const data = relative(process.cwd(), result.folder ?? "");
      const deaths = result.deaths.map(({ at, victim }) => `${victim} killed ${at}`).join(", then ");
      process.stderr.write(
        `${clear}Seed ${result.seed}${deaths && ` (${deaths})`}: ${result.wrong}\n  Its data: ${data}\n  Again: ${again}\n`,
      );
    }
    if (process.stderr.isTTY) process.stderr.write(`${clear}${line()}${done === all ? "\n" : ""}`);
    else if (done === all || done % Math.ceil(all / 10) === 0) process.stderr.write(`${line()}\n`);
  };
}

function report(results: SeedResult[], seconds: number): string {
  const { steps, operations } = histogram(results);
  const deaths = results.reduce((sum, result) => sum + result.deaths.length, 0);
  const wrong = results.filter((result) => result.wrong !== null).length;
  return [
    "Killed in step",
    ...listed(steps),
    "\nKilled at",
    ...listed(operations),
    `\n${results.length} seeds, ${deaths} kills, ${wrong} wrong, ${Math.round(seconds)} s\n`,
  ].join("\n");
}

const listed = (counts: Record<string, number>) =>
  Object.entries(counts)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, count]) => `${String(count).padStart(6)}  ${name}`);

let asked: Asked | undefined;
try {
  asked = readArguments(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
  process.exit(2);
}
if (asked === undefined) process.stdout.write(usage);
else process.exitCode = await main(asked);
