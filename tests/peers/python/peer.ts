import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Unavailable, type Peer } from "../peer.ts";

const run = promisify(execFile);
const environment = join(import.meta.dirname, "..", "..", "..", ".cais", "peers", "python");
const python = join(environment, "bin", "python");

/** Pinned: a referee that changes by itself is none. */
const packages = ["pyarrow==26.0.1"];

/** Python reads what we wrote with an implementation that is not ours. */
export const peer: Peer = {
  installs: `installs ${packages.join(", ")} into .cais/peers/python with uv or pip (about 150 MB)`,
  async prepare() {
    try {
      if (await has("uv", ["--version"])) await withUv();
      else await withPip();
    } catch (cause) {
      throw new Unavailable(`Python's packages cannot be installed: ${(cause as Error).message}`, { cause });
    }
    return { CAIS_PYTHON: python };
  },
};

async function has(command: string, arguments_: string[]): Promise<boolean> {
  try {
    await run(command, arguments_);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

async function withUv() {
  if (!existsSync(python)) await run("uv", ["venv", "--quiet", environment]);
  await run("uv", ["pip", "install", "--quiet", "--python", python, ...packages]);
}

async function withPip() {
  if (!(await has("python3", ["--version"]))) throw new Error("neither uv nor python3 is on PATH");
  if (!existsSync(python)) await run("python3", ["-m", "venv", environment]);
  await run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...packages]);
}
