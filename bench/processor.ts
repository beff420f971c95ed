import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { Run } from "@cais/spec/api.ts";
import { z } from "zod";
import { type BenchStack, writeConfig } from "./stack.ts";

/** A real processor in a process of its own, as `cais start` starts it but for the page. */
export interface BenchProcessor {
  url: string;
  pid: number;
  /** Its data: `bench/input` is the input store. */
  folder: string;
  stop(): Promise<void>;
}

const Line = z.object({ msg: z.string().optional(), url: z.string().optional() });

export async function startProcessor(
  work: string,
  { stack, profile = false }: { stack: BenchStack; profile?: boolean },
): Promise<BenchProcessor> {
  const folder = join(work, "processor");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const config = await writeConfig(folder, { stack });
  const child = spawn(
    process.execPath,
    [
      ...(profile ? ["--cpu-prof", "--cpu-prof-dir", join(work, "profiles")] : []),
      // As in the image.
      "--max-semi-space-size=1",
      resolve("processor/src/main.ts"),
      "--config",
      config,
      "--data",
      folder,
    ],
    {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, CAIS_LOG: "info", NODE_COMPILE_CACHE: resolve(".cais/compile-cache") },
    },
  );
  const log = createWriteStream(join(work, "processor.log"), { flags: "a" });
  const { promise, resolve: found, reject } = Promise.withResolvers<string>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    log.write(`${line}\n`);
    const { msg, url } = Line.safeParse(JSON.parse(line)).data ?? {};
    if (msg === "listening" && url !== undefined) found(url);
  });
  const ended = once(child, "exit");
  process.once("exit", () => child.kill("SIGKILL"));
  void ended.then(() => reject(new Error("The processor ended before it listened; its messages are above.")));
  const url = await promise;
  return {
    url,
    pid: child.pid ?? 0,
    folder,
    async stop() {
      child.kill("SIGTERM");
      await ended;
      log.end();
    },
  };
}

/** Waits until a run has ended, and gives it. */
export async function ended(url: string, id: string): Promise<Run> {
  for (;;) {
    const run = Run.parse(await (await fetch(`${url}/v1/runs/${id}`)).json());
    if (run.finishedAt !== null) return run;
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** Waits until nothing is queued or running. */
export async function untilIdle(url: string): Promise<void> {
  for (;;) {
    const text = await (await fetch(`${url}/metrics`)).text();
    const counts = [...text.matchAll(/^cais_queue_runs\{.*\} (\d+)$/gm)].map(([, count]) => Number(count));
    if (counts.length > 0 && counts.every((count) => count === 0)) return;
    await new Promise((done) => setTimeout(done, 50));
  }
}
