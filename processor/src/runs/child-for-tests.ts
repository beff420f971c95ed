import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { ProcessorConfig } from "@cais/spec/bindings.ts";

/** The container's entry point as a process of its own, with its data in `folder`/data. One at a time. */
export function processorProcess(folder: string) {
  let child: ChildProcess | undefined;
  const config = join(folder, "config.json");

  return {
    writeConfig: (content: ProcessorConfig) => writeFile(config, JSON.stringify(content)),

    /** Starts it; gives its address. */
    async start(): Promise<string> {
      const args = ["processor/src/main.ts", "--config", config, "--data", join(folder, "data")];
      child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
      if (child.stdout === null) throw new Error("unreachable");
      for await (const line of createInterface(child.stdout)) {
        const { msg, url }: { msg?: string; url?: string } = JSON.parse(line);
        if (msg === "listening" && url !== undefined) {
          child.stdout.resume();
          return url;
        }
      }
      throw new Error("The processor ended before it listened.");
    },

    /** Ends it; gives its exit code, null for one that was killed. */
    async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<number | null> {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return null;
      const exit = once(child, "exit");
      child.kill(signal);
      const [code]: (number | null)[] = await exit;
      return code ?? null;
    },
  };
}
