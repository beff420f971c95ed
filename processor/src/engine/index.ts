import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Contract } from "@cais/spec/contract.ts";
import { z } from "zod";
import type { EngineLimits } from "./duckdb.ts";
import { Checked, Made, Reply, type Request, Written } from "./messages.ts";

/** One run's SQL engine, in a process of its own. Its work is asked for one piece after the other. */
export interface Engine {
  checkContract(file: string, contract: Contract): Promise<Checked>;
  /** `before` are the files that the table keeps. */
  makeTable(name: string, sql: string, before: string[]): Promise<Made>;
  attachTable(name: string, files: string[]): Promise<void>;
  writeCsv(table: string): Promise<Written>;
  /** Ends the process, whatever it is doing. */
  stop(): Promise<void>;
}

/** Why an engine did not do what it was asked. `unreadable`: the file's fault. `refused`, `engine`: the stack's. */
export class EngineFailed extends Error {
  override name = "EngineFailed";
  readonly fault: "unreadable" | "refused" | "engine";
  constructor(fault: EngineFailed["fault"], message: string) {
    super(message);
    this.fault = fault;
  }
}

export interface EngineOptions {
  /** The run's own folder, the only one that the engine can reach. */
  folder: string;
  limits: EngineLimits;
  /** Time for everything that is asked of this engine. */
  seconds: number;
  /** Time to start in. Default: a minute; it takes a second. */
  openSeconds?: number;
  /** Ends the process, also while it starts. */
  signal?: AbortSignal;
  /** Hears what the process prints, a line at a time. */
  log: (line: string) => void;
}

/** Starts an engine. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const { folder, limits, seconds, openSeconds = 60, signal, log } = options;
  const child = fork(fileURLToPath(new URL("process.ts", import.meta.url)), {
    // What the processor knows (secrets in its environment above all) is none of the engine's business.
    env: {},
    execArgv: ["--max-old-space-size=256"],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => log(text.trimEnd()));
  let reason: string | undefined;
  child.on("error", (error) => log(error.message));
  const ended = once(child, "exit").then(
    ([code, by]: (string | number | null)[]) => `The engine's process ended by itself (${by ?? `code ${code}`}).`,
    (error: Error) => `The engine's process did not start: ${error.message}.`,
  );
  function end(why: string): void {
    reason ??= why;
    child.kill("SIGKILL");
  }
  const timer = setTimeout(() => end(`It took longer than ${seconds} seconds and was stopped.`), seconds * 1000);
  const onAbort = () => end("It was stopped with the processor.");
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener("abort", onAbort);
  void ended.then(() => signal?.removeEventListener("abort", onAbort));

  async function ask<T>(request: Request, result: z.ZodType<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    const onMessage = (message: unknown) => resolve(Reply.parse(message));
    child.once("message", onMessage);
    void ended.then((itself) => reject(new EngineFailed("engine", reason ?? itself)));
    // One that has no connection any more is about to end.
    if (child.connected)
      child.send(request, (error) => error && reject(new EngineFailed("engine", reason ?? error.message)));
    try {
      const reply = await promise;
      if (reply.as === "done") return result.parse(reply.result);
      if (reply.as === "failed") throw new EngineFailed(reply.fault, reply.message.replaceAll(`${folder}/`, ""));
      throw new EngineFailed(
        "engine",
        `It took ${Math.round(reply.bytes / 1e6)} MB of memory, more than the engine's ${Math.round(limits.memoryBytes / 1e6)} MB allow, and was stopped.`,
      );
    } finally {
      child.off("message", onMessage);
    }
  }

  const engine: Engine = {
    checkContract: (file, contract) => ask({ do: "contract", file, contract }, Checked),
    makeTable: (name, sql, before) => ask({ do: "table", name, sql, before }, Made),
    async attachTable(name, files) {
      await ask({ do: "attach", name, files }, z.null());
    },
    writeCsv: (table) => ask({ do: "csv", table }, Written),
    async stop() {
      clearTimeout(timer);
      end("It was stopped with the processor.");
      await ended;
    },
  };
  const opening = setTimeout(
    () =>
      end(
        `The SQL engine did not start within ${openSeconds} seconds; is the machine overloaded? Send the file again.`,
      ),
    openSeconds * 1000,
  );
  try {
    await ask({ do: "open", folder, limits }, z.null());
  } catch (error) {
    await engine.stop();
    throw error;
  } finally {
    clearTimeout(opening);
  }
  return engine;
}
