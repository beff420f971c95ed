import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const environment = resolve(".cais/bench/python");

/** Pinned, so that figures of another day are of the same programs. */
const packages = [
  "fastapi==0.165.0",
  "uvicorn==0.54.0",
  "python-multipart==0.0.34",
  "pandas==3.1.1",
  "polars==2.1.0",
  "pyarrow==26.0.1",
  "deltalake==1.6.6",
];

/** The Python with the baselines' packages, made with the first benchmark (about 700 MB). */
export async function preparePython(say: (line: string) => void): Promise<string> {
  const python = join(environment, "bin", "python");
  const uv = await run("uv", ["--version"]).then(
    () => true,
    () => false,
  );
  if (!existsSync(python)) {
    say(`Installing ${packages.join(", ")} into .cais/bench/python with ${uv ? "uv" : "pip"}, once.`);
    await (uv ? run("uv", ["venv", "--quiet", environment]) : run("python3", ["-m", "venv", environment]));
  }
  const [program, args] = uv
    ? (["uv", ["pip", "install", "--quiet", "--python", python]] as const)
    : ([python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]] as const);
  await run(program, [...args, ...packages]);
  return python;
}
