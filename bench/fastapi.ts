import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { preparePython } from "./python.ts";
import { say } from "./report.ts";

/** The baseline's server, one process of uvicorn, as Cais is one process too. */
export async function startFastApi(work: string): Promise<{ url: string; pid: number; stop(): Promise<void> }> {
  const python = await preparePython(say);
  const folder = join(work, "fastapi");
  await mkdir(folder, { recursive: true });
  const port = await freePort();
  const child = spawn(
    python,
    ["-m", "uvicorn", "app:app", "--port", String(port), "--log-level", "warning", "--no-access-log"],
    {
      cwd: resolve("bench/baselines"),
      env: { ...process.env, BENCH_FOLDER: folder, PYTHONDONTWRITEBYTECODE: "1" },
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
  const ended = once(child, "exit");
  process.once("exit", () => child.kill("SIGKILL"));
  const url = `http://127.0.0.1:${port}`;
  while (!(await answers(url))) {
    if (child.exitCode !== null) throw new Error("The FastAPI server did not start; its messages are above.");
    await new Promise((done) => setTimeout(done, 100));
  }
  return {
    url,
    pid: child.pid ?? 0,
    async stop() {
      child.kill("SIGTERM");
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/openapi.json`)).ok;
  } catch (error) {
    // fetch says no more than that it failed; whether the server lives is asked of its process.
    if (error instanceof TypeError) return false;
    throw error;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  if (address === null || typeof address === "string") throw new Error("There is no free port.");
  return address.port;
}
