import { setTimeout as pause } from "node:timers/promises";
import { type Run, Runs, Upload } from "@cais/spec/api.ts";
import { send } from "../../processor/src/processor-for-tests.ts";
import type { Sending } from "./load.ts";
import type { Child } from "./processor.ts";

/** What a client was told: for each file that was acknowledged, its run's id. */
export type Acknowledged = Map<Sending, string>;

/** Uploads under way at a time. */
const AT_A_TIME = 3;
const IDLE_SECONDS = 90;

/** Sends files as clients do, some at a time; ends early when the processor does. */
export async function sendAll(url: string, sendings: Sending[], acknowledged: Acknowledged): Promise<void> {
  const left = [...sendings];
  const one = async () => {
    for (let sending = left.shift(); sending !== undefined; sending = left.shift()) {
      const id = await sendOne(url, sending);
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
const mayComeToNothing = ({ file }: Sending) => file === "none" || file === "unreadable";

/** The run's id; undefined if the processor died before it answered. */
async function sendOne(url: string, { stack, name, content }: Sending): Promise<string | undefined> {
  let response: Response;
  let body: string;
  try {
    response = await send(url, stack, content, name);
    body = await response.text();
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
  if (response.status !== 200 && response.status !== 202)
    throw new Error(`Sending ${name} was answered ${response.status}: ${body}`);
  return Upload.parse(JSON.parse(body)).id;
}

/** All runs, once none is queued or running any more; undefined if the processor ends first. */
export async function whenIdle({ url, isAlive }: Child): Promise<Run[] | undefined> {
  const end = performance.now() + IDLE_SECONDS * 1000;
  if (url === undefined) return undefined;
  while (isAlive()) {
    const runs = await runsOf(url).catch((error: unknown) => {
      if (error instanceof TypeError) return undefined;
      throw error;
    });
    if (runs?.every(({ state }) => state !== "queued" && state !== "running") === true) return runs;
    if (performance.now() > end)
      throw new Error(`The processor is not done after ${IDLE_SECONDS} s: ${JSON.stringify(runs)}`);
    await pause(20);
  }
  return undefined;
}

const runsOf = async (url: string): Promise<Run[]> =>
  Runs.parse(JSON.parse(await text(url, "/v1/runs?limit=500"))).runs;

/** What is answered at an address; anything but 200 is an error. */
export async function text(url: string, path: string): Promise<string> {
  const response = await fetch(`${url}${path}`);
  const body = await response.text();
  if (response.status !== 200) throw new Error(`${path} was answered ${response.status}: ${body}`);
  return body;
}
