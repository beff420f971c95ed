import { type DestinationStream, type Logger, type LoggerOptions, pino } from "pino";

/** The log: JSON, a line each, to standard output unless a test listens. It holds no cell, no file's name and no secret. */
export function openLog(level: string, destination?: DestinationStream): Logger {
  const options: LoggerOptions = {
    level,
    base: { name: "cais", pid: process.pid },
    serializers: { err: told },
    // Nothing logs these; whoever begins to must not tell a token by it.
    redact: ["authorization", "token", "*.authorization", "*.token", "*.headers"],
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

interface Told {
  type: string;
  message: string;
  code?: string | number;
  stack?: string;
  cause?: Told;
}

/** Errors whose messages quote what was sent: cells, names of files, a stack's SQL. */
const QUOTING = new Set(["EngineFailed", "Unreadable", "SqlRefused", "ApiProblem", "ReplayRefused"]);

/** What DuckDB's messages begin with, such as `Conversion Error: `; what follows may quote a cell. */
const DUCKDB = /^([A-Z]\w*(?: \w+){0,3} Error): /;

/** An object's key ends with the name of its file, as its sender called it. */
const KEY = /\b(object(?: key)?) "(?:[^"\\]|\\.)*"/gi;

/** What a program of ours printed, without what an error of DuckDB quotes. */
export const printed = (text: string) => text.replaceAll(/([A-Z]\w*(?: \w+){0,3} Error): .*/g, "$1");

/**
 * What is told of an error: where it was thrown, but its message only if that quotes nothing of a file. The system's end
 * with the paths that they are about, and a store's hold an object's key: neither is told.
 */
function told(error: unknown): Told {
  if (!(error instanceof Error)) return { type: typeof error, message: "(not told)" };
  const [, kind] = DUCKDB.exec(error.message) ?? [];
  const own = "syscall" in error ? error.message.replace(/ '.*'$/s, "") : error.message;
  const message = kind ?? (QUOTING.has(error.name) ? "(not told: it may quote a file)" : own.replaceAll(KEY, "$1"));
  const code = "code" in error && (typeof error.code === "string" || typeof error.code === "number") && error.code;
  const frames = error.stack?.split("\n").filter((line) => /^\s+at /.test(line));
  return {
    type: error.name,
    message,
    ...(code !== false && { code }),
    ...(frames !== undefined && { stack: frames.join("\n") }),
    ...(error.cause !== undefined && { cause: told(error.cause) }),
  };
}
