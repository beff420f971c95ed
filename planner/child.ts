import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { compileCache } from "./compile-cache.ts";

/** How a child ended. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A Node process of ours, which never outlives us. */
export interface Child {
  exit: Promise<Exit>;
  kill(): void;
}

// A plan must be the same on every machine and see no credential, so the environment stays outside. These say where
// programs and temporary files are and how texts are written, nothing about a cloud.
const passedOn = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "TEMP", "TMP", "SystemRoot"];

/** Starts a script of node_modules in `folder`; each line it writes goes to `onLine`. */
export function startChild(options: {
  script: string;
  nodeArguments?: string[];
  arguments: string[];
  folder: string;
  environment: Record<string, string>;
  onLine: (line: string, stream: "stdout" | "stderr") => void;
  /** Opens a pipe to us, the child's file descriptor 3; each line that comes through it goes here. */
  onPipeLine?: (line: string) => void;
}): Child {
  const inherited = passedOn.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  // A process group of its own lets us end what a program has started, too. Windows has none.
  const grouped = process.platform !== "win32";
  const child: ChildProcess = spawn(
    process.execPath,
    [
      `--import=${import.meta.resolve("./parent.ts")}`,
      ...(options.nodeArguments ?? []),
      options.script,
      ...options.arguments,
    ],
    {
      cwd: options.folder,
      env: {
        ...Object.fromEntries(inherited),
        NODE_COMPILE_CACHE: compileCache,
        CAIS_PARENT_PIPE: "4",
        ...options.environment,
      },
      stdio: ["ignore", "pipe", "pipe", options.onPipeLine ? "pipe" : "ignore", "pipe"],
      detached: grouped,
    },
  );
  const kill = () => {
    if (child.pid === undefined) return;
    try {
      if (grouped) process.kill(-child.pid, "SIGKILL");
      else child.kill("SIGKILL");
    } catch (error) {
      // Gone already, group and all.
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
    }
  };
  for (const stream of ["stdout", "stderr"] as const) {
    const source = child[stream];
    if (source) createInterface({ input: source }).on("line", (line) => options.onLine(line, stream));
  }
  const pipe = child.stdio[3];
  if (options.onPipeLine && pipe instanceof Readable) createInterface({ input: pipe }).on("line", options.onPipeLine);
  process.once("exit", kill);
  // What the child leaves running would hold its output open, and us waiting for the end of it.
  child.once("exit", kill);
  const exit = new Promise<Exit>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      process.off("exit", kill);
      resolve({ code, signal });
    });
  });
  return { exit, kill };
}
