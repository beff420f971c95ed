import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { TableColumn } from "@cais/spec/api.ts";
import { z } from "zod";
import { compileCacheFolder } from "../config.ts";
import type { EngineLimits } from "./duckdb.ts";
import {
  Answer,
  Checked,
  Closed,
  Made,
  Merged,
  Reads,
  Reply,
  type Request,
  type SeenFile,
  type Source,
  Sources,
} from "./messages.ts";
import { Written } from "../sinks/writes.ts";

type Asked<Do extends Request["do"]> = Omit<Extract<Request, { do: Do }>, "do">;

/** A stack's SQL engine, in a process of its own. Its work is asked for one piece after the other, within a session. */
export interface Engine {
  /** The process; undefined if it did not start. */
  readonly pid: number | undefined;
  /** Begins a session: ends the one before, and from now on only its folder can be reached, with its limits. */
  open(session: Session): Promise<void>;
  /** Begins another run of the session: nothing that was made visible before is seen, and its time counts anew. */
  begin(): Promise<void>;
  /** The clean rows become `input`. */
  checkContract(asked: Asked<"contract">): Promise<Checked>;
  /** `before` are the files that the table keeps. */
  makeTable(asked: Asked<"table">): Promise<Made>;
  /** SQL sees these files' rows under the name, with the columns. */
  attachTable(name: string, files: SeenFile[], columns: TableColumn[]): Promise<void>;
  /** Brings `added`, made as `columns` say, into a table of `present` files by its key. */
  mergeTable(asked: Asked<"merge">): Promise<Merged>;
  /** Makes a merged table anew of all that its runs brought, in their order. */
  foldTable(asked: Asked<"fold">): Promise<Made>;
  /** Writes rows of a table's files anew, as one file in their order. Of several partitions it is one each, in no order. */
  rewrite(asked: Asked<"rewrite">): Promise<Made>;
  /** Writes a table's file anew with other columns. */
  convert(asked: Asked<"convert">): Promise<Made>;
  /** Writes what SQL sees under a name to a file, as a sink asks for it. */
  write(asked: Asked<"write">): Promise<Written>;
  /** What each table's SQL reads. */
  reads(tables: { name: string; sql: string }[]): Promise<Reads>;
  /** The tables that a query names, each once for each version of it. Throws as `answer` does. */
  sources(sql: string): Promise<Source[]>;
  /** Writes the first rows that a query gives. `tables` are its sources, in their order. */
  answer(asked: Asked<"answer">): Promise<Answer>;
  /** Ends the session, and gives back the memory, in bytes, that the process has. */
  close(): Promise<number>;
  /** Whether the process can be asked for more. */
  isAlive(): boolean;
  /** Ends the process, whatever it is doing. */
  stop(): Promise<void>;
}

/**
 * Why an engine did not do what it was asked. `unreadable`: the file's fault. `refused`, `engine`: the stack's. `memory`,
 * `time`, `process`: what another attempt may get past. `disk`: it has no room. `stopped`: it was told to end.
 */
export class EngineFailed extends Error {
  override name = "EngineFailed";
  readonly fault: "unreadable" | "refused" | "engine" | "memory" | "time" | "process" | "disk" | "stopped";
  constructor(fault: EngineFailed["fault"], message: string) {
    super(message);
    this.fault = fault;
  }
}

/** What an engine works within. */
export interface Session {
  /** The only folder that SQL can reach. */
  folder: string;
  limits: EngineLimits;
  /** Time for one run. */
  seconds: number;
  /** Ends the process. */
  signal?: AbortSignal;
}

export interface EngineOptions {
  /** Time to start in. Default: a minute; it takes a second. */
  openSeconds?: number;
  /** Hears what the process prints, a line at a time. */
  log: (line: string) => void;
  /** Hears that a process started, and that one ended although it was not told to, or was for using too much. */
  onEvent?: (event: "started" | "crashed") => void;
}

/** Starts an engine; `open` waits until it has. */
export function startEngine({ openSeconds = 60, log, onEvent = () => undefined }: EngineOptions): Engine {
  const compileCache = compileCacheFolder();
  const child = fork(fileURLToPath(new URL("process.ts", import.meta.url)), {
    // What the processor knows (secrets in its environment above all) is none of the engine's business.
    env: compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache },
    // A file's pieces are memory outside the heap, which is freed with the young objects: often, so that they stay few.
    execArgv: ["--max-old-space-size=256", "--max-semi-space-size=1"],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => log(text.trimEnd()));
  let reason: EngineFailed | undefined;
  let session: Session | undefined;
  let timer: NodeJS.Timeout | undefined;
  child.on("error", (error) => log(error.message));
  const ended = once(child, "exit").then(
    ([code, by]: (string | number | null)[]) =>
      new EngineFailed("process", `The engine's process ended by itself (${by ?? `code ${code}`}).`),
    (error: Error) => new EngineFailed("process", `The engine's process did not start: ${error.message}.`),
  );
  child.once("spawn", () => onEvent("started"));
  child.once("exit", () => {
    clearTimeout(timer);
    if (reason?.fault !== "stopped") onEvent("crashed");
  });

  function end(fault: EngineFailed["fault"], why: string): void {
    reason ??= new EngineFailed(fault, why);
    child.kill("SIGKILL");
  }
  const onAbort = () => end("stopped", "It was stopped with the processor.");

  function limitTime(seconds: number, why: string): void {
    clearTimeout(timer);
    timer = setTimeout(() => end("time", why), seconds * 1000);
  }

  function forgetSession(): void {
    clearTimeout(timer);
    session?.signal?.removeEventListener("abort", onAbort);
    session = undefined;
  }

  async function ask<T>(request: Request, result: z.ZodType<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    const onMessage = (message: unknown) => resolve(Reply.parse(message));
    child.once("message", onMessage);
    void ended.then((itself) => reject(reason ?? itself));
    // One that has no connection any more is about to end.
    if (child.connected)
      child.send(request, (error) => error && reject(reason ?? new EngineFailed("process", error.message)));
    try {
      const reply = await promise;
      if (reply.as === "done") return result.parse(reply.result);
      if (reply.as === "failed") throw failureOf(reply);
      const allowed = Math.round((session?.limits.memoryBytes ?? 0) / 1e6);
      const message = `It took ${Math.round(reply.bytes / 1e6)} MB of memory, more than the engine's ${allowed} MB allow, and was stopped.`;
      end("memory", message);
      throw new EngineFailed("memory", message);
    } finally {
      child.off("message", onMessage);
    }
  }

  function failureOf({ fault, message }: Extract<Reply, { as: "failed" }>): EngineFailed {
    const told = session === undefined ? message : message.replaceAll(`${session.folder}/`, "");
    if (fault !== "broken") return new EngineFailed(fault, told);
    end("process", told);
    return new EngineFailed("process", told);
  }

  const nothing = z.null();
  const limitRun = ({ seconds }: Session) =>
    limitTime(seconds, `It took longer than ${seconds} seconds and was stopped.`);
  return {
    pid: child.pid,
    async open(next) {
      forgetSession();
      session = next;
      if (next.signal?.aborted === true) onAbort();
      next.signal?.addEventListener("abort", onAbort);
      limitTime(openSeconds, `The SQL engine did not start within ${openSeconds} seconds; is the machine overloaded?`);
      await ask({ do: "open", folder: next.folder, limits: next.limits }, nothing);
      limitRun(next);
    },
    async begin() {
      if (session !== undefined) limitRun(session);
      await ask({ do: "begin" }, nothing);
    },
    checkContract: (asked) => ask({ do: "contract", ...asked }, Checked),
    makeTable: (asked) => ask({ do: "table", ...asked }, Made),
    async attachTable(name, files, columns) {
      await ask({ do: "attach", name, files, columns }, nothing);
    },
    mergeTable: (asked) => ask({ do: "merge", ...asked }, Merged),
    foldTable: (asked) => ask({ do: "fold", ...asked }, Made),
    rewrite: (asked) => ask({ do: "rewrite", ...asked }, Made),
    convert: (asked) => ask({ do: "convert", ...asked }, Made),
    write: (asked) => ask({ do: "write", ...asked }, Written),
    reads: (tables) => ask({ do: "reads", tables }, Reads),
    sources: (sql) => ask({ do: "sources", sql }, Sources),
    answer: (asked) => ask({ do: "answer", ...asked }, Answer),
    async close() {
      const { bytes } = await ask({ do: "close" }, Closed);
      forgetSession();
      return bytes;
    },
    isAlive: () => reason === undefined && child.connected,
    async stop() {
      end("stopped", "It was stopped with the processor.");
      await ended;
      forgetSession();
    },
  };
}
