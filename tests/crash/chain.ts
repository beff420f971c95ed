import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Run } from "@cais/spec/api.ts";
import { setTimeout as pause } from "node:timers/promises";
import { type Acknowledged, demandAll, isPublished, mayComeToNothing, sendAll, whenIdle } from "./client.ts";
import { checkDisk, checkOpenFiles, type End, stepsAtDeath } from "./disk.ts";
import type { Load, Sending } from "./load.ts";
import { checkLogs } from "./log.ts";
import { choosePoint, oneOf, randomOf, Traced, Victim } from "./point.ts";
import { type Child, startProcessor, type WatchOrders } from "./processor.ts";
import { checkDelivered, compare, type Result, resultOf, Wrong } from "./result.ts";

/** What an undisturbed run gave: its result, and the operations of a whole load and of a recovery. */
export interface Undisturbed {
  load: Load;
  /** Before the replays and reruns. */
  loaded: Result;
  /** After them. */
  result: Result;
  operations: { load: Traced[]; recovery: Traced[] };
}

/** One end of a processor, of its engine or of both. */
export interface Death {
  /** The operation at which it came, or `idle` when the processor never did that one so many times. */
  at: string;
  victim: Victim;
  /** The steps of the runs that were going on. */
  steps: string[];
}

type Listening = Child & { url: string };

/** Does a load undisturbed, and once more with a kill in its middle, to learn what is done when. */
export async function runUndisturbed(folder: string, load: Load): Promise<Undisturbed> {
  const [first, second, third] = [1e9, 1e9 + 1, 1e9 + 2];
  const traces = { load: join(folder, "load.trace"), recovery: join(folder, "recovery.trace") };
  await prepare(folder, load);
  let child = await listening(folder, {});
  // A first load, because some folders are made only once.
  const acknowledged: Acknowledged = new Map();
  await sendAll({ url: child.url, folder }, load.sendings(first), acknowledged);
  const from = { folder, url: child.url, load };
  const loaded = await resultOf(from, first, load.sendings(first), await idle(child, acknowledged));
  await child.order({ trace: traces.load });
  await doLoad({ folder, child, load, seed: second });
  await until(async () => isPublished(child.url));
  const result = await resultOf(from, second, load.sendings(second), await idle(child));
  for (const [stack, files] of Object.entries(result))
    for (const [file, { state, error, later }] of Object.entries(files))
      if (state !== (mayComeToNothing({ file }) ? "quarantined" : "done") || later.some((run) => run.state !== "done"))
        throw new Wrong(`${stack}: ${file} is ${state} undisturbed: ${error} ${JSON.stringify(later)}`);
  // In a step, so that there is something to recover.
  await child.order({ point: { operation: "rename lake/sold", count: 1, moment: "after" } });
  await doLoad({ folder, child, load, seed: third });
  await child.ended;
  child = await listening(folder, { trace: traces.recovery });
  await idle(child);
  await stopWell(folder, child, load, "stopped");
  const operations = { load: await readTrace(traces.load), recovery: await readTrace(traces.recovery) };
  return { load, loaded, result, operations };
}

/**
 * Does the loads of some seeds with one processor after the other in the same data folder. Each seed kills where it says,
 * once or twice; the processor that is started after that recovers, and is the next seed's victim. What is wrong is thrown,
 * and the folder left as it is.
 */
export async function runChain(
  seeds: number[],
  folder: string,
  undisturbed: Undisturbed,
  { onDeath, onSeed }: { onDeath: (death: Death) => void; onSeed: (seed: number) => void },
): Promise<void> {
  await prepare(folder, undisturbed.load);
  let child: Child = await listening(folder, {});
  for (const seed of seeds) {
    child = await runSeed(seed, folder, child, undisturbed, onDeath);
    onSeed(seed);
  }
  await stopWell(folder, child, undisturbed.load, "stopped");
  // A start sweeps what a crash has left; after that nothing may be over.
  await stopWell(folder, await listening(folder), undisturbed.load, "swept");
}

/** Gives the processor that is left. */
async function runSeed(
  seed: number,
  folder: string,
  before: Child,
  undisturbed: Undisturbed,
  onDeath: (death: Death) => void,
): Promise<Child> {
  const { load, loaded, result, operations } = undisturbed;
  const random = randomOf(seed);
  // Some clients do not come back with what was not acknowledged.
  const comesBack = random() < 0.8;
  const twice = random() < 0.3;
  const all = load.sendings(seed);
  const acknowledged: Acknowledged = new Map();
  let sendings = shuffled(random, all);
  let child = before;
  for (const phase of twice ? (["load", "recovery"] as const) : (["load"] as const)) {
    const orders = { point: choosePoint(random, operations[phase]), victim: oneOf(random, Victim.options) };
    if (child.isAlive()) await child.order(orders);
    else child = await startProcessor({ folder, orders });
    await doLoad({ folder, child, load, seed, sendings, acknowledged });
    // It comes a moment after the runs.
    if (/_delta_log|publications/.test(orders.point.operation))
      await until(async () => !child.isAlive() || child.reached() !== undefined || isPublished(child.url ?? ""));
    const { at, step } = child.reached() ?? { at: "idle", step: "no run" };
    if (!child.isAlive() && ((await child.ended) !== "SIGKILL" || child.reached() === undefined))
      throw new Wrong(`The processor ended by itself:\n${child.said()}`);
    sendings = shuffled(
      random,
      all.filter((sending) => (acknowledged.has(sending) ? random() < 0.3 : comesBack)),
    );
    if (orders.victim === "engine" && at !== "idle") {
      onDeath({ at, victim: "engine", steps: [step] });
      continue;
    }
    await child.end("SIGKILL");
    onDeath({ at, victim: orders.victim, steps: await stepsAtDeath(folder) });
    await checkDelivered(folder, load, [loaded, result]);
    await checkDisk(folder, stacksOf(load), "killed");
    await checkLogs(folder, load, false);
  }
  const survivor = child.isAlive() && child.url !== undefined ? child : await listening(folder, {});
  const url = survivor.url ?? "";
  const runs = await doLoad({ folder, child: survivor, load, seed, sendings, acknowledged });
  if (runs === undefined) throw await endedByItself(survivor);
  const known = new Set([...acknowledged.keys()].map(({ stack, file }) => `${stack}/${file}`));
  compare(await resultOf({ folder, url, load }, seed, all, runs), result, known);
  await checkOpenFiles(folder, survivor.pid);
  return survivor;
}

export const stacksOf = ({ config }: Load) => Object.keys(config.stacks);

export async function prepare(folder: string, { config }: Load): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
}

/** A processor that listens; one that does not is an error with what it said. */
export async function listening(folder: string, orders?: WatchOrders): Promise<Listening> {
  const child = await startProcessor({ folder, ...(orders && { orders }) });
  if (child.url === undefined) throw new Wrong(`The processor did not start:\n${child.said()}`);
  return { ...child, url: child.url };
}

export async function idle(child: Child, acknowledged?: Acknowledged): Promise<Run[]> {
  const runs = await whenIdle(child, acknowledged);
  if (runs === undefined) throw await endedByItself(child);
  return runs;
}

const endedByItself = async (child: Child) =>
  new Wrong(`The processor ended by itself (${await child.ended}):\n${child.said()}`);

/** One client's part in a seed: what it sends, and what it was told. */
interface Part {
  folder: string;
  child: Child;
  load: Load;
  seed: number;
  /** Default: all of the load. */
  sendings?: Sending[];
  acknowledged?: Acknowledged;
}

/** Sends files, waits for what comes of them, and asks for replays and reruns. Gives the runs, unless the processor dies. */
async function doLoad(part: Part): Promise<Run[] | undefined> {
  const { folder, child, load, seed, sendings = load.sendings(seed), acknowledged = new Map() } = part;
  if (child.url === undefined) return undefined;
  await sendAll({ url: child.url, folder }, sendings, acknowledged);
  const runs = await whenIdle(child, acknowledged);
  if (runs === undefined) return undefined;
  await demandAll(child.url, seed, load.demands, load.sendings(seed), runs);
  return whenIdle(child, acknowledged);
}

export async function stopWell(folder: string, child: Child, load: Load, end: End): Promise<void> {
  const code = await child.end("SIGTERM");
  if (code !== 0) throw new Wrong(`The processor was asked to stop and ended with ${code}:\n${child.said()}`);
  await checkDisk(folder, stacksOf(load), end);
  await checkLogs(folder, load, true);
}

/** What takes longer hangs. */
const DEADLINE_MS = 60_000;

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Wrong(`The tables are not published after ${DEADLINE_MS} ms.`);
    await pause(20);
  }
}

/** Each item once, in the seed's order. */
function shuffled(random: () => number, sendings: readonly Sending[]): Sending[] {
  return sendings
    .map((sending) => ({ sending, place: random() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ sending }) => sending);
}

async function readTrace(file: string): Promise<Traced[]> {
  const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
  return lines.map((line) => Traced.parse(JSON.parse(line)));
}
