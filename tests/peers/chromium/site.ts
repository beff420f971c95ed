import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { startProcessor } from "@cais/processor/src/main.ts";
import { ProcessorConfig } from "@cais/spec/bindings.ts";
import { Stack } from "@cais/spec/stack.ts";
import { parse } from "yaml";

const root = dirname(dirname(dirname(import.meta.dirname)));
const page = join(root, "processor", "portal", "dist");

/** A processor with its page, on a port and a data folder of its own. */
export interface Site extends AsyncDisposable {
  /** Such as http://127.0.0.1:40123, without a slash at the end. */
  url: string;
}

/**
 * Starts the processor of `stacks/inmet` and of `small`, the same stack with files of at most 1 kB and a webhook that lacks
 * its secrets.
 */
export async function startSite({ token }: { token?: string } = {}): Promise<Site> {
  const parent = join(root, ".cais", "tests");
  await mkdir(parent, { recursive: true });
  const dataFolder = await mkdtemp(join(parent, "chromium-"));
  const processor = await startProcessor(await config(), {
    dataFolder,
    pageFolder: page,
    ...(token !== undefined && { token }),
  });
  return {
    url: processor.url,
    async [Symbol.asyncDispose]() {
      await processor.stop();
      await rm(dataFolder, { recursive: true, force: true });
    },
  };
}

async function config(): Promise<ProcessorConfig> {
  const folder = join(root, "stacks", "inmet");
  const yaml: unknown = parse(await readFile(join(folder, "stack.yaml"), "utf8"));
  const inmet = Stack.parse(yaml);
  const webhook = { url: { secret: "hook-url" }, secret: { secret: "hook-key" } };
  const small = Stack.parse({
    ...inmet,
    name: "small",
    source: { upload: { formats: ["csv"], maxBytes: 1000 } },
    sinks: [...inmet.sinks, { webhook }],
  });
  const files = (await readdir(folder)).filter((name) => name.endsWith(".sql"));
  const sql = Object.fromEntries(
    await Promise.all(files.map(async (name) => [name, await readFile(join(folder, name), "utf8")] as const)),
  );
  const stackConfig = (stack: Stack) => ({
    stack,
    sql,
    stores: {
      input: { driver: "fs", path: `${stack.name}/input` },
      lake: { driver: "fs", path: `${stack.name}/lake` },
      output: { driver: "fs", path: `${stack.name}/output` },
    },
    events: { driver: "in-process" },
  });
  return ProcessorConfig.parse({
    environment: "dev",
    target: "local",
    api: { port: 0 },
    stacks: { inmet: stackConfig(inmet), small: stackConfig(small) },
  });
}
