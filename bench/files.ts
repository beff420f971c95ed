import { openAsBlob } from "node:fs";
import { mkdir, rm, stat } from "node:fs/promises";
import { freemem } from "node:os";
import { join, resolve } from "node:path";
import { Upload } from "@cais/spec/api.ts";
import { writeMessy } from "./messy.ts";
import { measure, runMeasured } from "./processes.ts";
import { ended, startProcessor } from "./processor.ts";
import { preparePython } from "./python.ts";
import { figuresOf, type Part, round, type Row, say } from "./report.ts";

/** Memory that Pandas took for each byte of such a file: 14 times was seen, and it must not push others out. */
const PANDAS_BYTES = 16;

export interface FileSizes {
  sizes: number[];
  profile: boolean;
}

/** (a) A large untidy file from its sending to Parquet, rejected rows and treated CSV, against others doing the same. */
export async function* benchFiles(work: string, { sizes, profile }: FileSizes): AsyncIterable<Part> {
  const python = await preparePython(say);
  for (const size of sizes) yield await benchFile(work, size, python, profile);
}

async function benchFile(work: string, size: number, python: string, profile: boolean): Promise<Part> {
  const file = join(work, `messy-${size}.csv`);
  say(`Writing an untidy CSV of ${size / 1e6} MB …`);
  const { rows: read, wrong, bytes } = await writeMessy(file, size);
  const rows: Row[] = [];
  const notes = [`${bytes} bytes, ${read} rows of which ${wrong} break the contract.`];

  const outside = async (what: string, program: string, script: string) => {
    const folder = join(work, "baseline");
    await mkdir(folder, { recursive: true });
    say(`${what} …`);
    const { output, ...usage } = await runMeasured(program, [resolve("bench/baselines", script), file, folder]);
    rows.push({ what, figures: figuresOf(usage) });
    notes.push(`${what}: ${output.trim()}`);
    say(`${what}: ${JSON.stringify(figuresOf(usage))}`);
    await rm(folder, { recursive: true });
    return usage;
  };

  const bare = await outside("bare DuckDB", process.execPath, "duckdb.ts");
  say("Cais …");
  const processor = await startProcessor(work, { stack: "messy", profile });
  const measured = measure(processor.pid);
  const response = await fetch(`${processor.url}/v1/stacks/bench/files?name=messy.csv`, {
    method: "POST",
    body: await openAsBlob(file),
  });
  const sent = Upload.parse(await response.json());
  const run = await ended(processor.url, sent.id);
  const usage = measured.stop();
  await processor.stop();
  if (run.state !== "done") throw new Error(`The run ended as ${run.state}: ${run.error}`);
  rows.push({ what: "Cais", figures: figuresOf(usage) });
  say(`Cais: ${JSON.stringify(figuresOf(usage))}`);
  const seconds = run.steps.map(({ name, startedAt, finishedAt }) => {
    const took = (Date.parse(finishedAt ?? startedAt) - Date.parse(startedAt)) / 1000;
    return `${name} ${round(took)} s`;
  });
  notes.push(
    `Cais: ${JSON.stringify({ clean: run.rows.clean, rejected: run.rows.rejected })}; steps: ${seconds.join(", ")}`,
    `Cais: CPU ${round(usage.cpu / bare.cpu)} times bare DuckDB's, from the first byte sent to the run's end.`,
  );
  await rm(processor.folder, { recursive: true });

  const polars = await outside("Polars, streaming", python, "clean_polars.py");
  notes.push(`Polars: CPU ${round(polars.cpu / usage.cpu)} times that of Cais.`);
  const needed = (await stat(file)).size * PANDAS_BYTES;
  if (needed < freemem()) {
    const pandas = await outside("Pandas", python, "clean_pandas.py");
    notes.push(
      `Pandas: CPU ${round(pandas.cpu / usage.cpu)} times that of Cais, memory ${round(pandas.peak / usage.peak)} times.`,
    );
  } else
    notes.push(
      `Pandas was left out: it would take about ${Math.round(needed / 1e9)} GB, and ${Math.round(freemem() / 1e9)} GB are free.`,
    );
  await rm(file);
  return { part: `files ${size}`, title: `A file of ${size / 1e6} MB`, rows, notes };
}
