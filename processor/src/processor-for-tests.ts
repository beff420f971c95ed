import { mkdir, mkdtemp, readdir, readFile, realpath } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Run } from "@cais/spec/api.ts";
import { ProcessorConfig } from "@cais/spec/bindings.ts";
import { Stack } from "@cais/spec/stack.ts";
import { parse } from "yaml";
import type { z } from "zod";
import { keepEngines } from "./engine/warm.ts";

/** SQL engines that outlast a test's processor: to start one takes longer than most of what a test has it do. */
export const engines = keepEngines({ log: () => undefined });

/** A new folder below `.cais/`, for the test to remove. */
export async function testFolder(name: string): Promise<string> {
  await mkdir(resolve(".cais/tests"), { recursive: true });
  return realpath(await mkdtemp(resolve(".cais/tests", `${name}-`)));
}

/** The request and the SQL of a stack in `stacks/`. */
export async function readStack(name: string): Promise<{ stack: z.input<typeof Stack>; sql: Record<string, string> }> {
  const folder = resolve("stacks", name);
  const stack: z.input<typeof Stack> = parse(await readFile(join(folder, "stack.yaml"), "utf8"));
  const sql: Record<string, string> = {};
  for (const file of await readdir(folder))
    if (file.endsWith(".sql")) sql[file] = await readFile(join(folder, file), "utf8");
  return { stack, sql };
}

/** A small stack: what was sold, and how much per day. Tests change what they are about. */
export function salesStack(change: Partial<z.input<typeof Stack>> = {}): {
  stack: z.input<typeof Stack>;
  sql: Record<string, string>;
} {
  return {
    stack: {
      name: "sales",
      owner: "shop",
      environments: ["dev"],
      source: { upload: { formats: ["csv"], maxBytes: 1_000_000 } },
      contract: {
        columns: [
          { name: "day", type: "date", required: true },
          { name: "amount", type: "double", min: 0 },
          { name: "note", type: "string" },
        ],
      },
      tables: [
        { name: "sold", layer: "silver", sql: "sold.sql", disposition: "append" },
        { name: "by_day", layer: "gold", sql: "by_day.sql", disposition: "replace" },
      ],
      sinks: [{ csv: { table: "sold", to: "out/sold.csv" } }],
      ...change,
    },
    sql: {
      "sold.sql": "SELECT * FROM input",
      "by_day.sql": "SELECT day, sum(amount) AS amount, count(*) AS sales FROM sold GROUP BY day ORDER BY day",
    },
  };
}

/** A config that keeps everything in folders and listens on a free port. */
export function configOf(...stacks: { stack: z.input<typeof Stack>; sql: Record<string, string> }[]): ProcessorConfig {
  const entries = stacks.map(({ stack, sql }) => {
    const store = (role: string) => ({ driver: "fs", path: `${stack.name}/${role}` });
    const stores = { input: store("input"), lake: store("lake"), output: store("output") };
    // A config holds a stack as parsed: sizes are numbers.
    return [stack.name, { stack: Stack.parse(stack), sql, stores, events: { driver: "in-process" } }];
  });
  return ProcessorConfig.parse({
    environment: "dev",
    target: "local",
    api: { port: 0 },
    engine: { memoryBytes: 300e6, tempBytes: 1e9, threads: 1 },
    stacks: Object.fromEntries(entries),
  });
}

/** Sends a file as a form, as the page does. */
export function send(
  url: string,
  stack: string,
  content: string | Blob,
  name = "file.csv",
  query = "",
): Promise<Response> {
  const form = new FormData();
  form.append("file", typeof content === "string" ? new Blob([content]) : content, name);
  return fetch(`${url}/v1/stacks/${stack}/files${query}`, { method: "POST", body: form });
}

/** Waits until a run has ended. */
export async function ended(url: string, id: string): Promise<Run> {
  // Asked ever less often: on a busy machine each question is taken from what it waits for.
  for (let wait = 10; ; wait = Math.min(200, 1.5 * wait)) {
    const run = Run.parse(await (await fetch(`${url}/v1/runs/${id}`)).json());
    if (run.state !== "queued" && run.state !== "running") return run;
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
