import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import * as grpc from "@grpc/grpc-js";
import enginerpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import resrpc from "@pulumi/pulumi/proto/resource_grpc_pb.js";
import { compileCache } from "./compile-cache.ts";
import { engineService } from "./engine.ts";
import { Monitor } from "./monitor.ts";
import { Secrets } from "./redact.ts";
import { loadProject } from "./project.ts";
import { listen } from "./server.ts";

/**
 * What a plan costs beside the program that it runs: `node planner/measure.ts [rounds]` on Linux or macOS. Each round
 * runs all three once, so that a change of the machine's load meets all of them. docs/plan.md holds the figures.
 */
const rounds = Number(process.argv[2] ?? 5);
const root = path.join(import.meta.dirname, "fixtures", "empty");
const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** Wall and CPU seconds of a command and its children. */
async function time(command: string): Promise<{ wall: number; cpu: number }> {
  const script = `TIMEFORMAT='%R %U %S'; time ${command} >/dev/null 2>&1 || echo failed`;
  const { stdout, stderr } = await promisify(execFile)("bash", ["-c", script]);
  if (stdout !== "") throw new Error(`this failed: ${command}`);
  const [wall = Number.NaN, user = Number.NaN, system = Number.NaN] = stderr.trim().split(" ").map(Number);
  return { wall, cpu: user + system };
}

const node = quote(process.execPath);

const refuse = (error: Error): never => {
  throw error;
};

/** The program as Pulumi runs it, against an engine that costs the program nothing. */
async function timeProgram() {
  const refer = () => refuse(new Error("the program refers to a stack"));
  const monitor = new Monitor(await loadProject(root, "test"), new Secrets(), {}, { fail: refuse, refer });
  const server = new grpc.Server();
  server.addService(resrpc.ResourceMonitorService, monitor.service());
  server.addService(
    enginerpc.EngineService,
    engineService(monitor, () => undefined),
  );
  const address = await listen(server);
  const run = path.join(import.meta.dirname, "..", "node_modules", "@pulumi", "pulumi", "cmd", "run");
  const options = `--monitor=${address} --engine=${address} --project=empty --stack=test --dry-run --pwd=${quote(root)}`;
  const spent = await time(`${node} ${quote(run)} ${options} main.ts`);
  server.forceShutdown();
  if (!monitor.finished) throw new Error("the program did not run to its end");
  return spent;
}

function timePlan(policyPack?: string) {
  // As the CLI does it.
  const script = `import { enableCompileCache } from "node:module";
    enableCompileCache(${JSON.stringify(compileCache)});
    const { plan } = await import(${JSON.stringify(path.join(import.meta.dirname, "index.ts"))});
    await plan(${JSON.stringify({ root, stack: "test", policyPack })});`;
  return time(`${node} --input-type=module --eval ${quote(script)}`);
}

const measured = {
  "the program alone": timeProgram,
  "plan of the program": () => timePlan(),
  "plan and policy pack": () => timePlan(path.join(root, "..", "pack")),
};

const results = new Map<string, { wall: number; cpu: number }[]>();
for (let round = 0; round < rounds; round++)
  for (const [name, measure] of Object.entries(measured))
    results.set(name, [...(results.get(name) ?? []), await measure()]);

const median = (values: number[]) => (values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0).toFixed(2);
for (const [name, times] of results)
  process.stdout.write(
    `${name}: ${median(times.map(({ cpu }) => cpu))} s CPU, ${median(times.map(({ wall }) => wall))} s wall (medians of ${rounds})\n`,
  );
