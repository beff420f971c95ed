import { rm } from "node:fs/promises";
import { type Client, formOf, formType, openClient } from "./client.ts";
import { startFastApi } from "./fastapi.ts";
import { messyText } from "./messy.ts";
import { measure } from "./processes.ts";
import { startProcessor, untilIdle } from "./processor.ts";
import { type Part, percentile, round, type Row, say } from "./report.ts";

/** (c) One large upload, as it is and as a form, until it is acknowledged. */
export async function* benchUpload(
  work: string,
  { bytes, times }: { bytes: number; times: number },
): AsyncIterable<Part> {
  const rows: Row[] = [];
  const load = async (
    what: string,
    pid: number,
    send: (n: number, client: Client) => Promise<{ status: number; text: string; took: number }>,
    idle?: () => Promise<void>,
  ) => {
    const took: number[] = [];
    const [cpus, peaks]: [number[], number[]] = [[], []];
    for (let n = 0; n < times; n++) {
      say(`${what}, ${n + 1} of ${times} …`);
      // A connection of its own: while the next file is made, a server closes what is idle.
      const client = openClient(1);
      const measured = measure(pid);
      const answer = await send(n, client);
      const { cpu, peak } = measured.stop();
      client.close();
      if (answer.status >= 300) throw new Error(`${what} answered ${answer.status}: ${answer.text}`);
      took.push(answer.took / 1000);
      cpus.push(cpu);
      peaks.push(peak);
      await idle?.();
    }
    rows.push({
      what,
      figures: {
        "MB/s": round(bytes / 1e6 / percentile(took, 0.5)),
        s: round(percentile(took, 0.5)),
        "CPU s": round(percentile(cpus, 0.5)),
        "peak MB": Math.round(Math.max(...peaks) / 1e6),
      },
    });
  };

  const fastapi = await startFastApi(work);
  const content = (seed: number) => Buffer.from(messyText(bytes, seed));
  await load("FastAPI, as it is", fastapi.pid, (n, client) =>
    client.post(`${fastapi.url}/raw`, "text/csv", content(n + 1)),
  );
  await load("FastAPI, as a form", fastapi.pid, (n, client) =>
    client.post(`${fastapi.url}/form`, formType, formOf("large.csv", content(n + 1))),
  );
  await fastapi.stop();

  const processor = await startProcessor(work, { stack: "messy without sink" });
  const address = `${processor.url}/v1/stacks/bench/files`;
  // The run of the one before must not be in the way.
  const idle = () => untilIdle(processor.url);
  await load(
    "Cais, as it is",
    processor.pid,
    (n, client) => client.post(`${address}?name=large.csv`, "text/csv", content(n + 1)),
    idle,
  );
  await load(
    "Cais, as a form",
    processor.pid,
    (n, client) => client.post(address, formType, formOf("large.csv", content(n + 101))),
    idle,
  );
  await processor.stop();
  await rm(processor.folder, { recursive: true });
  yield {
    part: "upload",
    title: `An upload of ${bytes / 1e6} MB`,
    rows,
    notes: [
      `The median of ${times}, from the first byte to the answer, on the loopback interface. Both sync file and folder before they answer; Cais hashes the content (SHA-256) too.`,
    ],
  };
}
