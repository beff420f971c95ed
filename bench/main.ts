import { mkdir, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { benchDelta } from "./delta.ts";
import { benchEvents } from "./events.ts";
import { benchFiles } from "./files.ts";
import { benchLatency } from "./latency.ts";
import { benchPlan } from "./plan.ts";
import { machine, type Part, say, textOf } from "./report.ts";
import { benchRequests } from "./requests.ts";
import { benchSwift } from "./swift.ts";
import { benchUpload } from "./upload.ts";

const usage = `npm run bench -- [PART…] [OPTION…]

Measures the processor beside Pandas, Polars, FastAPI, bare DuckDB and delta-rs, which it installs below .cais/bench by uv or pip.
docs/performance.md says what is compared, and what came of it.

  files           a messy CSV, the whole run
  requests        small files, at concurrency 1, 8 and 32
  upload          a file of 100 MB
  latency         from put to done, by API and monitor
  delta           commits, 10,000 small files in one table, a merge of 1 % into 10 million rows, beside delta-rs
  plan            offline plans: five pipeline stacks, the same by hand, 1,000 of them, and loading the SDKs
  events          a monitor over 1,000,000 simulated objects and 100,000 objects in a real Swift, PUTs beside the proxy's filter, from PUT to claim
  swift           1 GiB to and from a real Keystone and Swift, which it installs by apt-get, beside curl
  all             all of these but events and swift (default); the machine should do nothing else meanwhile

  --megabytes N,N sizes of the CSV (default: 500,2000)
  --quick         a tenth of the sizes and counts, to see that it works
  --profile       writes the processor's CPU profiles below .cais/bench
  --keep          keeps the data of the test, below .cais/bench/work
  --json          the result as JSON
  --help          this text

Exit codes: 0 done, 1 something could not be measured, 2 wrong usage.
`;

const { values, positionals, megabytes } = readArguments();
const scale = values.quick ? 0.1 : 1;
const work = resolve(".cais/bench/work");

const all: Record<string, () => AsyncIterable<Part>> = {
  files: () =>
    benchFiles(work, {
      sizes: megabytes.map((size) => size * 1e6 * scale),
      profile: values.profile,
    }),
  requests: () => benchRequests(work, { count: 1500 * scale }),
  upload: () => benchUpload(work, { bytes: 100e6 * scale, times: 5 }),
  latency: () => benchLatency(work, { count: 40 * scale }),
  plan: () => benchPlan(work, { stacks: 1000 * scale }),
  events: () => benchEvents(work, { objects: 1_000_000 * scale, puts: 1000 * scale }),
  swift: () => benchSwift(work, { bytes: 2 ** 30 * scale, times: 3 }),
  delta: () => benchDelta(work, { commits: 500 * scale, files: 10_000 * scale, rows: 10_000_000 * scale }),
};

/** What the arguments ask for. `--help` and wrong usage end the process here, before anything is installed or removed. */
function readArguments() {
  try {
    const asked = parseArgs({
      allowPositionals: true,
      options: {
        json: { type: "boolean", default: false },
        quick: { type: "boolean", default: false },
        megabytes: { type: "string", default: "500,2000" },
        keep: { type: "boolean", default: false },
        profile: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (asked.values.help) {
      process.stdout.write(usage);
      process.exit(0);
    }
    const parts = ["all", "files", "requests", "upload", "latency", "plan", "delta", "events", "swift"];
    const unknown = asked.positionals.find((name) => !parts.includes(name));
    if (unknown !== undefined) throw new Error(`There is no benchmark "${unknown}"; there is ${parts.join(", ")}.`);
    const megabytes = asked.values.megabytes.split(",").map(Number);
    if (!megabytes.every((size) => size > 0 && Number.isFinite(size)))
      throw new Error(`--megabytes must be sizes above 0 such as 500,2000, not ${asked.values.megabytes}.`);
    return { ...asked, megabytes };
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)} (npm run bench -- --help tells more)`);
    process.exit(2);
  }
}

async function main(): Promise<void> {
  if (process.platform !== "linux") throw new Error("The benchmark reads /proc to measure, so it runs on Linux only.");
  const asked =
    positionals.length === 0 || positionals.includes("all")
      ? Object.keys(all).filter((name) => name !== "events" && name !== "swift")
      : positionals;
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
  // Servers that run would go on, and hold this process.
  process.exit(1);
});
