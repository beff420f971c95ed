import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ProcessorConfig } from "@cais/spec/bindings.ts";
import { z } from "zod";

const Environment = z.object({
  CAIS_CONFIG: z.string().min(1).optional().describe("File with the config, or - for standard input."),
  CAIS_DATA: z.string().min(1).default("data").describe("Folder for everything the processor keeps."),
  CAIS_PAGE: z.string().min(1).optional().describe("Folder of the built page."),
  CAIS_SYNC: z.string().min(1).optional().describe("File in which the machine tells of its last sync."),
  CAIS_LOG: z.enum(["trace", "debug", "info", "warn", "error", "silent"]).default("info"),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe("Collector that traces are sent to by OTLP/HTTP, such as http://127.0.0.1:4318."),
});

/** How a processor tells of its work, wherever it is started. */
export interface Telling {
  /** The least level that is logged. */
  logLevel: z.output<typeof Environment>["CAIS_LOG"];
  /** Where spans go; undefined: nowhere. */
  otlpEndpoint: string | undefined;
}

/** What the processor is started with. */
export interface Settings extends Telling {
  config: ProcessorConfig;
  dataFolder: string;
  pageFolder: string | undefined;
  syncFile: string | undefined;
}

/** Reads CAIS_LOG and OTEL_EXPORTER_OTLP_ENDPOINT; a mistake in them is an error. */
export function readTelling(environment: NodeJS.ProcessEnv = process.env): Telling {
  const { CAIS_LOG, OTEL_EXPORTER_OTLP_ENDPOINT } = readEnvironment(environment);
  return { logLevel: CAIS_LOG, otlpEndpoint: OTEL_EXPORTER_OTLP_ENDPOINT };
}

function readEnvironment(environment: NodeJS.ProcessEnv): z.output<typeof Environment> {
  const { success, data, error } = Environment.safeParse(environment);
  if (!success) throw new Error(`The environment is not right:\n${z.prettifyError(error)}`, { cause: error });
  return data;
}

/** Reads arguments, environment and config file; a mistake in any is one error that lists all that is wrong with it. */
export async function readSettings(args: string[], environment: NodeJS.ProcessEnv = process.env): Promise<Settings> {
  const { values } = parseArgs({
    args,
    options: { config: { type: "string" }, data: { type: "string" }, page: { type: "string" } },
  });
  const env = readEnvironment(environment);
  const from = values.config ?? env.CAIS_CONFIG;
  if (from === undefined)
    throw new Error("There is no config: pass --config FILE (or - for standard input), or set CAIS_CONFIG.");
  const page = values.page ?? env.CAIS_PAGE;
  return {
    config: parseConfig(await (from === "-" ? text(process.stdin) : readFile(from, "utf8")), from),
    dataFolder: resolve(values.data ?? env.CAIS_DATA),
    pageFolder: page === undefined ? undefined : resolve(page),
    syncFile: env.CAIS_SYNC,
    ...readTelling(environment),
  };
}

/** Parses a config's JSON. A CAIS config holds sizes as numbers already, so it parses to itself. */
export function parseConfig(json: string, from: string): ProcessorConfig {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new Error(`The config ${from} is not JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  const { success, data, error } = ProcessorConfig.safeParse(value);
  if (!success) throw new Error(`The config ${from} is not right:\n${z.prettifyError(error)}`, { cause: error });
  return data;
}

/** Whether this file is the one that Node was started with. */
export const isEntryPoint = (url: string) =>
  process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(url);

/** Where Node keeps what it compiled, if it is told to (https://nodejs.org/api/module.html#module-compile-cache). */
export const compileCacheFolder = (): string | undefined => process.env["NODE_COMPILE_CACHE"];
