import { createWriteStream, openAsBlob } from "node:fs";
import { once } from "node:events";
import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { openObjectStore } from "@cais/processor/src/object-store/index.ts";
import { isCheckpointDue, writeCheckpoint } from "@cais/processor/src/tables/delta/checkpoint.ts";
import { commit } from "@cais/processor/src/tables/delta/commit.ts";
import { newMetadata } from "@cais/processor/src/tables/delta/schema.ts";
import { snapshotAt } from "@cais/processor/src/tables/delta/snapshot.ts";
import { type Run, Upload } from "@cais/spec/api.ts";
import { z } from "zod";
import { formOf, formType, openClient, together } from "./client.ts";
import { messyText } from "./messy.ts";
import { measure, runMeasured } from "./processes.ts";
import { type BenchProcessor, ended, startProcessor, untilIdle } from "./processor.ts";
import { preparePython } from "./python.ts";
import { figuresOf, type Part, percentile, round, type Row, say } from "./report.ts";

export interface DeltaSizes {
  commits: number;
  files: number;
  rows: number;
}

const script = resolve("bench/baselines/delta_rs.py");

/** (e) What Delta tables cost: a commit, many small files in one table, a merge into a large one. */
export async function* benchDelta(work: string, { commits, files, rows }: DeltaSizes): AsyncIterable<Part> {
  const python = await preparePython(say);
  yield await benchCommits(work, python, commits);
  yield await benchSmallFiles(work, files);
  yield await benchMerge(work, python, rows);
}

const Commits = z.object({ took: z.array(z.number()), cpu: z.number() });

async function benchCommits(work: string, python: string, count: number): Promise<Part> {
  say(`${count} commits …`);
  const figures = ({ took, cpu }: z.output<typeof Commits>) => ({
    "p50 ms": round(percentile(took, 0.5)),
    "p99 ms": round(percentile(took, 0.99)),
    "CPU ms": round((cpu / took.length) * 1000),
  });
  const { output } = await runMeasured(python, [script, "commits", join(work, "commits-delta-rs"), String(count)]);
  const rows = [
    { what: "delta-rs", figures: figures(Commits.parse(JSON.parse(output))) },
    { what: "Cais", figures: figures(await ownCommits(work, count)) },
  ];
  const notes = [
    "Each commit adds one file to the log of a table, one after the other, and knows the version before.",
    "Cais syncs each version to the disk and writes a checkpoint every 10 versions; delta-rs leaves the first to the system, and does the second every 100 versions.",
  ];
  return { part: "delta", title: `${count} commits to a Delta log`, rows, notes };
}

async function ownCommits(work: string, count: number): Promise<z.output<typeof Commits>> {
  const store = await openObjectStore({ driver: "fs", path: "lake" }, join(work, "commits"));
  const metadata = newMetadata([{ name: "id", type: "BIGINT" }], []);
  const change = { operation: "WRITE", removes: [], blindAppend: true } as const;
  let { head } = await commit(store, "t", { ...change, removes: [], metadata, adds: [], readVersion: null });
  const took: number[] = [];
  const before = process.cpuUsage();
  for (let n = 0; n < count; n++) {
    const started = performance.now();
    const file = { path: `part-${n}.parquet`, size: 1000, modificationTime: Date.now(), partitionValues: {} };
    const adds = [{ ...file, stats: JSON.stringify({ numRecords: 1 }), dataChange: true }];
    ({ head } = await commit(store, "t", { ...change, removes: [], adds, readVersion: head.version }, head));
    if (isCheckpointDue(head.version)) {
      const snapshot = await snapshotAt(store, "t");
      if (snapshot !== undefined) await writeCheckpoint(store, "t", snapshot);
    }
    took.push(performance.now() - started);
  }
  const { user, system } = process.cpuUsage(before);
  return { took, cpu: (user + system) / 1e6 };
}

async function benchSmallFiles(work: string, count: number): Promise<Part> {
  say(`${count} files of 10 kB into one table …`);
  const processor = await startProcessor(work, { stack: "messy without sink" });
  const address = `${processor.url}/v1/stacks/bench/files`;
  const client = openClient(32);
  const measured = measure(processor.pid);
  await together(
    Array.from({ length: count }, (_, n) => n + 1),
    32,
    async (n) => {
      const { status, text } = await client.post(
        address,
        formType,
        formOf("small.csv", Buffer.from(messyText(10_000, n))),
      );
      if (status >= 300) throw new Error(`Cais answered ${status}: ${text}`);
    },
  );
  client.close();
  await untilIdle(processor.url);
  const usage = measured.stop();
  const idle = await tableOf(processor);
  const optimizing = performance.now();
  await optimize(processor);
  const seconds = (performance.now() - optimizing) / 1000;
  await processor.stop();
  const { files, version } = await tableOf(processor);
  await rm(processor.folder, { recursive: true });
  return {
    part: "delta",
    title: `${count} files of 10 kB into one table`,
    rows: [
      {
        what: "Cais",
        figures: {
          ...figuresOf(usage),
          commits: version + 1,
          "files then": idle.files,
          "files after optimize": files,
          "optimize s": round(seconds),
        },
      },
    ],
    notes: [
      "From the first upload, 32 at a time, until the queue is empty. Commits are the versions of the Delta log, those that optimized included.",
      "A table with more than 100 small files is optimized between runs, so few are left then; the figure after that is of `cais tables optimize`.",
    ],
  };
}

/** The table as its Delta log has it. */
async function tableOf({ folder }: BenchProcessor): Promise<{ files: number; version: number }> {
  const lake = await openObjectStore({ driver: "fs", path: "bench/lake" }, folder);
  const snapshot = await snapshotAt(lake, "clean");
  if (snapshot === undefined) throw new Error("The table has no Delta log.");
  return { files: snapshot.files.size, version: snapshot.version };
}

async function optimize({ url }: BenchProcessor): Promise<void> {
  const response = await fetch(`${url}/v1/tables/bench/clean/optimize`, { method: "POST" });
  if (!response.ok) throw new Error(`The table was not optimized: ${await response.text()}`);
}

async function benchMerge(work: string, python: string, count: number): Promise<Part> {
  const rows: Row[] = [];
  const notes = [
    `The table has ${count} rows. "spread": each hundredth row changes, so every file of the table is written anew. "together": the first hundredth of the rows changes.`,
    "Both read the changes from a CSV. Cais checks them against a contract and commits to its ledger too; its figures are of the whole run.",
  ];
  const base = join(work, "base.csv");
  const changes = { spread: join(work, "spread.csv"), together: join(work, "together.csv") };
  await writeRows(base, count, 1, 0);
  await writeRows(changes.spread, count / 100, 100, 1);
  await writeRows(changes.together, count / 100, 1, 2);

  const table = join(work, "merge-delta-rs");
  say("delta-rs: load …");
  const loaded = await runMeasured(python, [script, "load", base, table]);
  rows.push({ what: "delta-rs: load", figures: figuresOf(loaded) });
  for (const [name, file] of Object.entries(changes)) {
    say(`delta-rs: merge, ${name} …`);
    const { output, ...usage } = await runMeasured(python, [script, "merge", file, table]);
    rows.push({ what: `delta-rs: merge, ${name}`, figures: figuresOf(usage) });
    notes.push(`delta-rs, ${name}: ${output.trim()}`);
  }
  await rm(table, { recursive: true });

  const processor = await startProcessor(work, { stack: "merge" });
  for (const [what, file] of [
    ["load", base],
    ["merge, spread", changes.spread],
    ["merge, together", changes.together],
  ] as const) {
    say(`Cais: ${what} …`);
    const measured = measure(processor.pid);
    const run = await load(processor, file);
    rows.push({ what: `Cais: ${what}`, figures: figuresOf(measured.stop()) });
    notes.push(`Cais, ${what}: ${stepsOf(run)}`);
  }
  await processor.stop();
  await rm(processor.folder, { recursive: true });
  return { part: "delta", title: `A merge of 1 % into ${count} rows`, rows, notes };
}

async function load({ url }: BenchProcessor, file: string): Promise<Run> {
  const body = await openAsBlob(file);
  const response = await fetch(`${url}/v1/stacks/bench/files?name=rows.csv`, { method: "POST", body });
  const run = await ended(url, Upload.parse(await response.json()).id);
  if (run.state !== "done") throw new Error(`The run ended as ${run.state}: ${run.error}`);
  return run;
}

const stepsOf = ({ steps }: Run) =>
  steps
    .map(({ name, startedAt, finishedAt }) => {
      const took = finishedAt === null ? Number.NaN : Date.parse(finishedAt) - Date.parse(startedAt);
      return `${name} ${round(took / 1000)} s`;
    })
    .join(", ");

/** Rows with the numbers 0, step, 2 step …; `round` makes their values others than before. */
async function writeRows(file: string, count: number, step: number, change: number): Promise<void> {
  await mkdir(resolve(file, ".."), { recursive: true });
  const out = createWriteStream(file, { highWaterMark: 4 << 20 });
  let piece = "id,day,station,value\n";
  for (let n = 0; n < count; n++) {
    const id = n * step;
    const day = new Date(Date.UTC(2020, 0, 1 + (id % 2000))).toISOString().slice(0, 10);
    piece += `${id},${day},A${300 + (id % 400)},${(((id * 7919) % 100_000) + change) / 100}\n`;
    if (piece.length < 4 << 20) continue;
    if (!out.write(piece)) await once(out, "drain");
    piece = "";
  }
  out.end(piece);
  await once(out, "close");
}
