import { mkdir, rename, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Run, Runs, Upload } from "@cais/spec/api.ts";
import { send } from "../../processor/src/processor-for-tests.ts";
import { type Demand, type Sending, sha256Of } from "./load.ts";
import type { Child } from "./processor.ts";

/** What a client was told: for each file that was acknowledged, its run's id. One that was put needs no answer: `put`. */
export type Acknowledged = Map<Sending, string>;

/** Uploads under way at a time. */
const AT_A_TIME = 3;
const IDLE_SECONDS = 90;

/** Sends files as clients do, some at a time; ends early when the processor does. */
export async function sendAll(
  { url, folder }: { url: string; folder: string },
  sendings: Sending[],
  acknowledged: Acknowledged,
): Promise<void> {
  const left = [...sendings];
  const one = async () => {
    for (let sending = left.shift(); sending !== undefined; sending = left.shift()) {
      const id = sending.put === true ? await put(folder, sending) : await sendOne(url, sending);
      if (id === undefined) return;
      const before = acknowledged.get(sending);
      if (before !== undefined && before !== id && !mayComeToNothing(sending))
        throw new Error(`${sending.name} was acknowledged as run ${before}, and when it was sent again as ${id}.`);
      acknowledged.set(sending, id);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, one));
}

/** What came to nothing is taken anew when it is sent again. */
export const mayComeToNothing = ({ file }: Pick<Sending, "file">) => file === "none" || file === "unreadable";

/** The run's id; undefined if the processor died before it answered. */
async function sendOne(url: string, { stack, name, content }: Sending): Promise<string | undefined> {
  const answer = await orDead(send(url, stack, content, name).then(taken));
  return answer === undefined ? undefined : Upload.parse(answer).id;
}

/** Puts a file into the input store whole, as a program does that shares the folder. A file of then is no fresh one. */
async function put(folder: string, { stack, name, content }: Sending): Promise<string> {
  const input = join(folder, "data", stack, "input");
  const seed = sha256Of(content).slice(0, 8);
  await mkdir(join(input, "put", seed), { recursive: true });
  const temporary = join(folder, `${seed}-${name}`);
  await writeFile(temporary, content);
  await utimes(temporary, new Date(), new Date(Date.now() - 3_600_000));
  await rename(temporary, join(input, "put", seed, name));
  return "put";
}

/** The JSON of an answer that took what was sent. */
async function taken(response: Response): Promise<unknown> {
  const body = await response.text();
  if (response.status !== 200 && response.status !== 202)
    throw new Error(`${response.url} was answered ${response.status}: ${body}`);
  return JSON.parse(body);
}

/** A processor that dies breaks its connections, which is no error here. */
async function orDead<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/**
 * Asks for the replays and reruns of files whose runs are known and done. Each has an idempotency key, so it is asked
 * again, with the same, however often. Ends early when the processor does.
 */
export async function demandAll(url: string, seed: number, demands: Demand[], sendings: Sending[], runs: Run[]) {
  for (const { stack, file, kind } of demands) {
    const sending = sendings.find((one) => one.stack === stack && one.file === file);
    if (sending === undefined) throw new Error(`There is no file ${file} to be asked for.`);
    const root = runs.find(
      (run) => run.kind === "load" && run.stack === stack && run.file.sha256 === sha256Of(sending.content),
    );
    if (root === undefined) continue;
    const id = await orDead(demand(url, root.id, kind, `${seed}-${file}`));
    if (id === undefined) return;
  }
}

async function demand(url: string, root: string, kind: Demand["kind"], key: string): Promise<string> {
  const path = `${url}/v1/runs/${root}/${kind}s`;
  const headers = { "idempotency-key": key };
  const answer =
    kind === "rerun"
      ? await fetch(path, { method: "POST", headers })
      : await fetch(`${path}?name=corrected.csv`, { method: "POST", headers, body: await corrected(url, root, key) });
  return Run.parse(await taken(answer)).id;
}

/** The corrections that were sent, by key: a client that asks again sends the same. */
const corrections = new Map<string, string>();

/** The rejected rows in the form for editing, with the first good one that can be had of them. */
async function corrected(url: string, root: string, key: string): Promise<string> {
  const known = corrections.get(key);
  if (known !== undefined) return known;
  const editable = await text(url, `/v1/runs/${root}/rejected?format=editable`);
  const [header = "", ...rows] = editable.split("\r\n");
  const bad = rows.find((row) => /,-\d+,\d+:\w+:\d+$/.test(row));
  if (bad === undefined) throw new Error(`There is no row to correct in ${editable}`);
  const csv = `${header}\r\n${bad.replace(/,-(\d+),(\d+:\w+:\d+)$/, ",$1,$2")}\r\n`;
  corrections.set(key, csv);
  return csv;
}

/** Whether a run has ended, and all that it has for sinks is delivered. */
const isOver = ({ state, deliveries }: Run) =>
  state !== "queued" &&
  state !== "running" &&
  deliveries.every((one) => one.state === "delivered" || one.state === "superseded");

/** Whether all that runs made of tables is in their Delta logs. */
export async function isPublished(url: string): Promise<boolean> {
  const outputs = (await orDead(runsOf(url)))?.flatMap((run) => run.outputs) ?? [];
  return outputs.every(({ kind, version }) => kind !== "table" || version !== null);
}

/**
 * All runs, once none is queued or running any more and each of the files that were put has one; undefined if the processor
 * ends first.
 */
export async function whenIdle(
  { url, isAlive }: Child,
  acknowledged: Acknowledged = new Map(),
): Promise<Run[] | undefined> {
  const put = [...acknowledged.keys()].filter((sending) => sending.put === true);
  const found = (runs: Run[]) =>
    put.every(({ stack, content }) => runs.some((run) => run.stack === stack && run.file.sha256 === sha256Of(content)));
  const end = performance.now() + IDLE_SECONDS * 1000;
  if (url === undefined) return undefined;
  while (isAlive()) {
    // The list of all, which grows with every seed, would be most of what the processor does.
    const newest = await orDead(runsOf(url, NEWEST));
    const runs = newest?.every(isOver) === true ? await orDead(runsOf(url)) : newest;
    if (runs !== newest && runs?.every(isOver) === true && found(runs)) return runs;
    if (performance.now() > end)
      throw new Error(`The processor is not done after ${IDLE_SECONDS} s: ${JSON.stringify(runs)}`);
    await pause(100);
  }
  return undefined;
}

/** Runs that are looked at before all are. */
const NEWEST = 5;

const runsOf = async (url: string, limit = 500): Promise<Run[]> =>
  Runs.parse(JSON.parse(await text(url, `/v1/runs?limit=${limit}`))).runs;

/** What is answered at an address; anything but 200 is an error. */
export async function text(url: string, path: string): Promise<string> {
  const response = await fetch(`${url}${path}`);
  const body = await response.text();
  if (response.status !== 200) throw new Error(`${path} was answered ${response.status}: ${body}`);
  return body;
}
