import { rm } from "node:fs/promises";
import { formOf, formType, openClient, together } from "./client.ts";
import { startFastApi } from "./fastapi.ts";
import { messyText } from "./messy.ts";
import { measure } from "./processes.ts";
import { startProcessor, untilIdle } from "./processor.ts";
import { type Part, percentile, round, type Row, say } from "./report.ts";

const SMALL = 10_000;

/** (b) Many files of 10 kB, each another content, at several concurrencies. */
export async function* benchRequests(work: string, { count }: { count: number }): AsyncIterable<Part> {
  const rows: Row[] = [];
  const rates = new Map<string, number>();
  const levels = [1, 8, 32];
  // Each level sends files of its own, as the same content is not loaded twice.
  const bodies = (level: number) =>
    Array.from({ length: level === 1 ? Math.ceil(count / 3) : count }, (_, n) =>
      formOf("small.csv", Buffer.from(messyText(SMALL, level * 1_000_000 + n + 1))),
    );

  const load = async (what: string, url: string, pid: number, level: number, idle?: () => Promise<void>) => {
    say(`${what}, ${level} at a time …`);
    const files = bodies(level);
    const client = openClient(level);
    const measured = measure(pid);
    const started = performance.now();
    const answers = await together(files, level, (body) => client.post(url, formType, body));
    const seconds = (performance.now() - started) / 1000;
    await idle?.();
    const done = (performance.now() - started) / 1000;
    const { cpu, peak } = measured.stop();
    client.close();
    const refused = answers.find(({ status }) => status >= 300);
    if (refused !== undefined) throw new Error(`${what} answered ${refused.status}: ${refused.text}`);
    const took = answers.map((answer) => answer.took);
    rates.set(`${what} ${level}`, files.length / seconds);
    rows.push({
      what: `${what}, ${level} at a time`,
      figures: {
        "acknowledged/s": round(files.length / seconds),
        "p50 ms": round(percentile(took, 0.5)),
        "p99 ms": round(percentile(took, 0.99)),
        "done/s": round(files.length / done),
        "CPU ms/file": round((cpu / files.length) * 1000),
        "peak MB": Math.round(peak / 1e6),
      },
    });
  };

  const fastapi = await startFastApi(work);
  // The first request loads much.
  await openClient(1).post(`${fastapi.url}/files`, formType, formOf("small.csv", Buffer.from(messyText(SMALL, 7))));
  for (const level of levels) await load("FastAPI + Pandas", `${fastapi.url}/files`, fastapi.pid, level);
  await fastapi.stop();

  for (const level of levels) {
    const processor = await startProcessor(work, { stack: "messy without sink" });
    const address = `${processor.url}/v1/stacks/bench/files`;
    await openClient(1).post(address, formType, formOf("small.csv", Buffer.from(messyText(SMALL, 7))));
    await untilIdle(processor.url);
    await load("Cais", address, processor.pid, level, () => untilIdle(processor.url));
    await processor.stop();
    await rm(processor.folder, { recursive: true });
  }
  const ratios = levels.map((level) => {
    const ratio = (rates.get(`Cais ${level}`) ?? 0) / (rates.get(`FastAPI + Pandas ${level}`) ?? Number.NaN);
    return `${round(ratio)} times at ${level}`;
  });
  yield {
    part: "requests",
    title: "Files of 10 kB",
    rows,
    notes: [
      "Both acknowledge when the file is durable (fsync of file and folder). FastAPI + Pandas has cleaned it by then and written Parquet, rejected rows and CSV, without syncing those; Cais has its ledger's entry synced, and cleans after the answer: `done/s` counts the time until its queue is empty, over all files.",
      `Cais acknowledges ${ratios.join(", ")} what FastAPI + Pandas does.`,
      "The client runs on the same machine, and both sides pay for it alike.",
    ],
  };
}
