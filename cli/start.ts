import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { ProcessorConfig } from "@cais/spec/bindings.ts";
import { Command, InvalidArgumentError } from "commander";
import { addressFile } from "./client.ts";
import { Failure } from "./failure.ts";
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
      const config = parseConfig(
        file === undefined ? await planned(stack) : await read(file),
        file ?? `the plan of ${stack}`,
      );
      if (port !== undefined) config.api.port = port;
      if (host !== undefined) config.api.host = host;
      await run(config, resolve(data));
    });

function parsePort(value: string): number {
  const port = Number(value);
  if (!/^\d+$/.test(value) || port > 65_535) throw new InvalidArgumentError("must be a whole number from 0 to 65535.");
  return port;
}

/** The processor's config as the offline plan of a Pulumi stack gives it. */
async function planned(stack: string): Promise<unknown> {
  const { planStacks } = await import("./planning.ts");
  for await (const { outputs } of planStacks(projectRoot, [stack]))
    if ("processor" in outputs) return outputs["processor"];
  throw new Failure(`the plan of ${stack} has no output \`processor\`; programs/main.ts must export it`);
}

async function read(file: string): Promise<unknown> {
  const json =
    file === "-"
      ? await text(process.stdin)
      : await readFile(file, "utf8").catch((cause: unknown) => {
          throw new Failure(`the config ${file} cannot be read: ${(cause as Error).message}`, { exitCode: 2, cause });
        });
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new Failure(
      `the config ${file === "-" ? "on standard input" : file} is not JSON: ${(cause as Error).message}`,
      { cause },
    );
  }
}

function parseConfig(value: unknown, from: string): ProcessorConfig {
  const parsed = ProcessorConfig.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => `\n  ${path.join(".") || "config"}: ${message}`);
  throw new Failure(`${from} is no processor config:${issues.join("")}`, { cause: parsed.error });
}

async function run(config: ProcessorConfig, dataFolder: string) {
  const { startProcessor } = await import("@cais/processor/src/main.ts");
  const page = join(projectRoot, "processor", "portal", "dist");
  const token = process.env["CAIS_TOKEN"];
  const processor = await startProcessor(config, {
    dataFolder,
    ...(existsSync(join(page, "index.html")) && { pageFolder: page }),
    ...(token && { token }),
  });
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
  const next = first
    ? `Try next: drop ${sample} on the page, or in another terminal

  npx cais ingest ${first} ${sample} --wait
  npx cais runs`
    : "There is no stack for this environment yet; CONTRIBUTING.md tells how to add one.";
  process.stdout.write(`
Cais: ${environment} on ${target}, ${names.length === 1 ? "1 stack" : `${names.length} stacks`} (${names.join(", ") || "none"})

  Page   ${url}/
  API    ${url}/openapi.json
  Data   ${shown.startsWith("..") ? dataFolder : shown}

${next}

Stop with Ctrl-C. What was ingested stays.
`);
}
