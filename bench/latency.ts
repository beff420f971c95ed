import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Runs, Upload } from "@cais/spec/api.ts";
import { openClient } from "./client.ts";
import { messyText } from "./messy.ts";
import { ended, startProcessor, untilIdle } from "./processor.ts";
import { type Part, percentile, round, type Row, say } from "./report.ts";

const SMALL = 10_000;

/** The monitor's full scan is the longest that a new object may wait to be seen. */
const SEEN_SECONDS = 60;

/** (d) The time from a file's putting to its run's end, one file after the other, on an idle processor. */
export async function* benchLatency(work: string, { count }: { count: number }): AsyncIterable<Part> {
  const processor = await startProcessor(work, { stack: "messy" });
  const rows: Row[] = [];
  const notes = [
    "The monitor looks every second, and claims what it saw unchanged twice.",
    "Both ends are read on the clock of this machine: the run's end is the ledger's `finishedAt`.",
  ];
  const told = (what: string, took: number[]) =>
    rows.push({
      what,
      figures: { files: took.length, "p50 ms": round(percentile(took, 0.5)), "p99 ms": round(percentile(took, 0.99)) },
    });

  say("Through the API …");
  const client = openClient(1);
  const sent: number[] = [];
  for (let n = 0; n <= count; n++) {
    const started = Date.now();
    const body = Buffer.from(messyText(SMALL, n + 1));
    const { text } = await client.post(`${processor.url}/v1/stacks/bench/files?name=small.csv`, "text/csv", body);
    const run = await ended(processor.url, Upload.parse(JSON.parse(text)).id);
    // The first one starts an engine.
    if (n > 0) sent.push(Date.parse(run.finishedAt ?? "") - started);
    else
      notes.push(
        `The first file through the API, which starts an engine: ${Date.parse(run.finishedAt ?? "") - started} ms.`,
      );
  }
  client.close();
  told("through the API", sent);

  say("Through the monitor …");
  const put: number[] = [];
  for (let n = 0; n < count; n++) {
    const key = `small-${n}.csv`;
    const folder = join(processor.folder, "bench", "input");
    const temporary = join(work, key);
    await mkdir(folder, { recursive: true });
    await writeFile(temporary, messyText(SMALL, 10_000 + n));
    const started = Date.now();
    await rename(temporary, join(folder, key));
    const id = await seen(processor.url, key);
    if (id === undefined) {
      notes.push(`The monitor did not see an object within ${SEEN_SECONDS} s, so it was left out.`);
      break;
    }
    put.push(Date.parse((await ended(processor.url, id)).finishedAt ?? "") - started);
  }
  if (put.length > 0) told("through the monitor", put);
  await untilIdle(processor.url);
  await processor.stop();
  await rm(processor.folder, { recursive: true });
  yield { part: "latency", title: "From put to done, files of 10 kB", rows, notes };
}

/** The run of an object that was put into the store, once the monitor has found it. */
async function seen(url: string, key: string): Promise<string | undefined> {
  const until = Date.now() + SEEN_SECONDS * 1000;
  while (Date.now() < until) {
    const { runs } = Runs.parse(await (await fetch(`${url}/v1/runs?limit=5`)).json());
    const found = runs.find(({ file }) => file.key === key);
    if (found !== undefined) return found.id;
    await new Promise((done) => setTimeout(done, 50));
  }
  return undefined;
}
