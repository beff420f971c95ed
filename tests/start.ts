import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

const root = join(import.meta.dirname, "..");
const cli = join(root, "cli", "cais.mjs");

/** A folder of the test's own, inside the project's ignored `.cais/`. */
export async function scratch(name: string): Promise<string> {
  const tests = join(root, ".cais", "tests");
  await mkdir(tests, { recursive: true });
  return mkdtemp(join(tests, `${name}-`));
}

/** Removes what `scratch` made. */
export const sweep = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true });

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs `cais` to its end, as a user would. */
export async function cais(args: string[], env: Record<string, string> = {}): Promise<Ended> {
  const child = spawn(process.execPath, [cli, ...args], { cwd: root, env: { ...process.env, NO_COLOR: "1", ...env } });
  const ended: Ended = { code: null, stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (ended.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (ended.stderr += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { ...ended, code };
}

/** A `cais start` that is ready. */
export interface Started {
  url: string;
  /** All that it printed until it was ready. */
  welcome: string;
  process: ChildProcess;
  /** Sends the signal (default SIGINT, as Ctrl-C does) and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts `cais start` on a free port and waits until it says where its page is. */
export async function start(data: string, args: string[] = [], env: Record<string, string> = {}): Promise<Started> {
  const child = spawn(process.execPath, [cli, "start", "--port", "0", "--data", data, ...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1", ...env },
  });
  const closed = once(child, "close") as Promise<[number | null]>;
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  let welcome = "";
  let url: string | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    welcome += `${line}\n`;
    url ??= /^ {2}Page +(http:\S+)\/$/.exec(line)?.[1];
    if (line.startsWith("Stop with Ctrl-C")) break;
  }
  if (url === undefined) throw new Error(`cais start ended with ${(await closed)[0]}:\n${welcome}${errors}`);
  return {
    url,
    welcome,
    process: child,
    async stop(signal = "SIGINT") {
      child.stdout.resume();
      child.kill(signal);
      return (await closed)[0];
    },
  };
}
