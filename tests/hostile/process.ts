import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";

const main = join(import.meta.dirname, "../../processor/src/main.ts");

/** A processor in a process of its own, as it is deployed. */
export interface Started {
  child: ChildProcess;
  url: string;
  /** All that it logged so far. */
  log(): string;
  /** Throws unless it is the process that was started, and answers. */
  checkAlive(): Promise<void>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

const Line = z.object({ msg: z.string().optional(), url: z.string().optional() });

/** Starts a processor whose config is written to `folder`, and waits until it listens. */
export async function startAlone(folder: string, config: object, data: string): Promise<Started> {
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  const child = spawn(process.execPath, [main, "--config", join(folder, "config.json"), "--data", data], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    log += `${line}\n`;
    const { msg, url } = Line.parse(JSON.parse(line));
    if (msg === "listening" && url !== undefined) resolve(url);
  });
  const exited = once(child, "exit").then(() => reject(new Error(`The processor ended:\n${log}`)));
  const url = await promise;
  return {
    child,
    url,
    log: () => log,
    async checkAlive() {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`The processor ended:\n${log}`);
      const { status } = await fetch(`${url}/healthz`);
      if (status !== 200) throw new Error(`/healthz answers ${status}:\n${log}`);
    },
    async stop() {
      child.kill("SIGTERM");
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
