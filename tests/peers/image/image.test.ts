import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { Run } from "@cais/spec/api.ts";
import { ProcessorConfig } from "@cais/spec/bindings.ts";
import { expect, it } from "vitest";
import { cais, scratch, sweep } from "../../start.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const image = process.env["CAIS_IMAGE"] ?? "";

it("holds no Pulumi and no test", () => {
  expect(globSync("**/package.json", { cwd: image }).length).toBeGreaterThan(50);
  expect(globSync("**/{@pulumi,pulumi,aws-sdk,@aws-sdk}", { cwd: image })).toEqual([]);
  expect(globSync("{spec,processor}/**/*.test.ts", { cwd: image })).toEqual([]);
});

it("is small", async () => {
  const { stdout } = await promisify(execFile)("du", ["-sm", image]);
  console.log(`the image's /app is ${Number.parseInt(stdout, 10)} MB`);
  // DuckDB's library is 70 MB of it.
  expect(Number.parseInt(stdout, 10)).toBeLessThan(150);
});

it("starts as the container does, with nothing of the platform's, and ingests a file", async () => {
  const data = await scratch("image");
  const dockerfile = await readFile(join(root, "processor", "Dockerfile"), "utf8");
  const [command = "", ...args] = JSON.parse(/^ENTRYPOINT (\[.*\])$/m.exec(dockerfile)?.[1] ?? "[]") as string[];
  expect(command).toBe("node");
  const plan = await cais(["plan", "dev", "--json"]);
  const config = ProcessorConfig.parse(
    (JSON.parse(plan.stdout) as { outputs: Record<string, unknown> }).outputs["processor"],
  );
  config.api.port = 0;
  const configFile = join(data, "processor.json");
  await writeFile(configFile, JSON.stringify(config));
  const processor = spawn(process.execPath, args, {
    cwd: image,
    stdio: ["ignore", "pipe", "inherit"],
    env: { CAIS_CONFIG: configFile, CAIS_DATA: join(data, "data") },
  });
  try {
    let url: string | undefined;
    for await (const line of createInterface({ input: processor.stdout })) {
      const { msg, url: at } = JSON.parse(line) as { msg?: string; url?: string };
      if (msg === "listening" && at) {
        url = at;
        break;
      }
    }
    processor.stdout.resume();
    const sample = join(root, "stacks", "inmet", "sample.csv");
    const { code, stdout } = await cais(["ingest", "inmet", sample, "--wait", "--json", "--url", url ?? ""]);
    expect(Run.parse(JSON.parse(stdout)).state).toBe("done");
    expect(code).toBe(0);
  } finally {
    processor.kill("SIGTERM");
    await once(processor, "exit");
    await sweep(data);
  }
});
