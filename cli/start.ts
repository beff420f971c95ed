import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { text } from "node:stream/consumers";
import type { ProcessorConfig } from "@cais/spec/bindings.ts";
import { Command, InvalidArgumentError } from "commander";
import { destination } from "pino";
import { addressFile } from "./client.ts";
import { Failure } from "./failure.ts";
import { count, planStacks } from "./planning.ts";
import { defaultDataFolder, projectRoot } from "./root.ts";

interface Options {
  stack: string;
  config?: string;
  port?: number;
  host?: string;
  data: string;
}

/** `cais start`: plans an environment on the local target and runs its processor here. */
export const startCommand = (): Command =>
  new Command("start")
    .description("run the pipelines on this machine: plan the environment offline, then start its processor")
    .option("--stack <name>", "Pulumi stack to plan; its target must be local", "dev")
    .option("--config <file>", "run this processor config instead of planning one; - reads standard input")
    .option(
      "--port <number>",
      "port of the page and the API (default: what the config says, else 8080; 0 takes a free one)",
      parsePort,
    )
    .option("--host <address>", "address to listen on; any but loopback needs a token in CAIS_TOKEN")
    .option("--data <folder>", "where files, tables and the ledger live", defaultDataFolder)
    .addHelpText(
      "after",
      "\nThrough npm: npm start -- --port 9000 --data /srv/cais\nCtrl-C stops it gracefully; what it was doing goes on at the next start.",
    )
    .action(async ({ stack, config: file, port, host, data }: Options) => {
      // The processor's dependencies take their time to load, which the other commands need not wait for.
      const { parseConfig } = await import("@cais/processor/src/config.ts");
      const json = file === undefined ? await planned(stack) : await read(file);
      const from = file === undefined ? `planned for ${stack}` : file === "-" ? "on standard input" : file;
      const config = await told(async () => parseConfig(json, from));
      if (port !== undefined) config.api.port = port;
      if (host !== undefined) config.api.host = host;
      await run(config, resolve(data));
    });

/** The processor's own refusals are sentences for the user. */
async function told<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    throw new Failure(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function parsePort(value: string): number {
  const port = Number(value);
  if (!/^\d+$/.test(value) || port > 65_535) throw new InvalidArgumentError("must be a whole number from 0 to 65535.");
  return port;
}

/** The processor's config as the offline plan of a Pulumi stack gives it, as JSON. */
async function planned(stack: string): Promise<string> {
  for await (const { outputs } of planStacks(projectRoot, [stack]))
    if ("processor" in outputs) return JSON.stringify(outputs["processor"]);
  throw new Failure(`the plan of ${stack} has no output \`processor\`; programs/main.ts must export it`);
}

async function read(file: string): Promise<string> {
  try {
    return await (file === "-" ? text(process.stdin) : readFile(file, "utf8"));
  } catch (cause) {
    throw new Failure(`the config ${file} cannot be read: ${(cause as Error).message}`, { exitCode: 2, cause });
  }
}

async function run(config: ProcessorConfig, dataFolder: string) {
  const [{ readTelling }, { openLog }, { startProcessor }] = await Promise.all([
    import("@cais/processor/src/config.ts"),
    import("@cais/processor/src/log/index.ts"),
    import("@cais/processor/src/main.ts"),
  ]);
  const { logLevel, otlpEndpoint } = await told(async () => readTelling());
  const page = join(projectRoot, "processor", "portal", "dist");
  const token = process.env["CAIS_TOKEN"];
  const logFile = join(dataFolder, "processor.log");
  // Written at once: what was logged last before a crash is what is looked for. It names people's files, so it is its owner's.
  const log = openLog(logLevel, destination({ dest: logFile, mkdir: true, sync: true, mode: 0o600 }));
  const processor = await told(() =>
    startProcessor(config, {
      dataFolder,
      log,
      ...(existsSync(join(page, "index.html")) && { pageFolder: page }),
      ...(token && { token }),
      ...(otlpEndpoint !== undefined && { otlpEndpoint }),
    }),
  );
  const address = join(dataFolder, addressFile);
  await writeFile(address, `${processor.url}\n`);
  welcome(config, processor.url, dataFolder);

  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop());
  await stopped;
  process.stderr.write("\nStopping: running work is put down safely and goes on at the next start.\n");
  await rm(address, { force: true });
  await processor.stop();
  process.stderr.write("Stopped.\n");
}

function welcome({ environment, target, stacks }: ProcessorConfig, url: string, dataFolder: string) {
  const names = Object.keys(stacks);
  const shown = relative(process.cwd(), dataFolder) || ".";
  const [first] = names;
  const sample = first && join("stacks", first, "sample.csv");
  // The other commands find the processor of the default data folder by themselves.
  const where = dataFolder === defaultDataFolder ? "" : ` --url ${url}`;
  const next = first
    ? `Try next: drop ${sample} on the page, or in another terminal

  npx cais ingest ${first} ${sample} --wait${where}
  npx cais runs${where}`
    : "There is no stack for this environment yet; CONTRIBUTING.md tells how to add one.";
  process.stdout.write(`
Cais: ${environment} on ${target}, ${count(names.length, "stack")} (${names.join(", ") || "none"})

  Page   ${url}/
  API    ${url}/openapi.json
  Data   ${shown.startsWith("..") ? dataFolder : shown} (its log is processor.log)

${next}

Stop with Ctrl-C. What was ingested stays.
`);
}
