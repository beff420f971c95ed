/**
 * `npm run bench -- [all|files|requests|upload|latency]… [--json] [--quick] [--megabytes 500,2000] [--keep]
 * [--profile]`
 *
 * --quick takes a tenth of the sizes and counts, to see that it works; --profile writes the processor's CPU profiles below
 * .cais/bench. Data of the test is below .cais/bench and is removed unless --keep.
 */
import { mkdir, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { benchFiles } from "./files.ts";
import { benchLatency } from "./latency.ts";
import { machine, type Part, say, textOf } from "./report.ts";
import { benchRequests } from "./requests.ts";
import { benchUpload } from "./upload.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    megabytes: { type: "string", default: "500,2000" },
    keep: { type: "boolean", default: false },
    profile: { type: "boolean", default: false },
  },
});
const scale = values.quick ? 0.1 : 1;
const work = resolve(".cais/bench/work");

const all: Record<string, () => AsyncIterable<Part>> = {
  files: () =>
    benchFiles(work, {
      sizes: values.megabytes.split(",").map((size) => Number(size) * 1e6 * scale),
      profile: values.profile,
    }),
  requests: () => benchRequests(work, { count: 1500 * scale }),
  upload: () => benchUpload(work, { bytes: 100e6 * scale, times: 5 }),
  latency: () => benchLatency(work, { count: 40 * scale }),
};

async function main(): Promise<void> {
  if (process.platform !== "linux") throw new Error("The benchmark reads /proc to measure, so it runs on Linux only.");
  const asked = positionals.length === 0 || positionals.includes("all") ? Object.keys(all) : positionals;
  const unknown = asked.find((name) => !(name in all));
  if (unknown !== undefined)
    throw new Error(`There is no benchmark "${unknown}"; there is all, ${Object.keys(all).join(", ")}.`);
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  const on = machine();
  say(`${on.cpu}, ${on.cores} cores, ${on.memory}, Node ${on.node}, load ${on.load.join(" ")}`);
  const parts: Part[] = [];
  try {
    for (const name of asked)
      for await (const part of all[name]?.() ?? []) {
        parts.push(part);
        if (!values.json) process.stdout.write(`${textOf(part)}\n`);
      }
    if (values.json) process.stdout.write(`${JSON.stringify({ machine: on, parts }, undefined, 2)}\n`);
  } finally {
    if (!values.keep) await rm(work, { recursive: true, force: true });
  }
}

main().catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});
