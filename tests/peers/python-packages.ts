import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Unavailable } from "./peer.ts";

const run = promisify(execFile);

/** Brings packages of Python into `.cais/peers/<name>`, by uv or else by pip. The result is that environment's Python. */
export async function installPython(name: string, packages: readonly string[]): Promise<string> {
  const environment = join(import.meta.dirname, "..", "..", ".cais", "peers", name);
  const python = join(environment, "bin", "python");
  try {
    if (await has("uv", ["--version"])) {
      if (!existsSync(python)) await run("uv", ["venv", "--quiet", environment]);
      await run("uv", ["pip", "install", "--quiet", "--python", python, ...packages]);
    } else {
      if (!(await has("python3", ["--version"]))) throw new Error("neither uv nor python3 is on PATH");
      if (!existsSync(python)) await run("python3", ["-m", "venv", environment]);
      await run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...packages]);
    }
  } catch (cause) {
    throw new Unavailable(`Python's packages cannot be installed: ${(cause as Error).message}`, { cause });
  }
  return python;
}

async function has(command: string, arguments_: string[]): Promise<boolean> {
  try {
    await run(command, arguments_);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}
