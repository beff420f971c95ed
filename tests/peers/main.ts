import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { Unavailable, type Peer } from "./peer.ts";

const here = import.meta.dirname;
const root = dirname(dirname(here));
const names = readdirSync(here).filter((name) => existsSync(join(here, name, "peer.ts")));

const usage = `npm run test:peers -- NAME…

Installs and starts real services and tools, says before what it will install, and runs the tests that need them.

  ${names.join(", ")}
  all      every one of these

Exit codes: 0 all passed or were skipped (the reason is printed), 1 a test failed, 2 wrong usage, 130 stopped.
With CI=true a skip fails too.
`;

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => name !== "all" && !names.includes(name));
if (asked.length === 0 || asked.includes("--help") || unknown.length > 0) {
  if (unknown.length > 0 && !asked.includes("--help")) console.error(`There is no peer ${unknown.join(", ")}.\n`);
  console.log(usage);
  process.exit(asked.includes("--help") ? 0 : 2);
}

// A terminal's Ctrl-C reaches what runs, too; what it leaves is stopped before this ends.
let stopped = false;
let tests: ChildProcess | undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    stopped = true;
    tests?.kill(signal);
  });

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
for (const name of asked.includes("all") ? names : asked) {
  if (stopped) break;
  const { passed, failed, skipped } = await testPeer(name);
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
}
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
if (stopped) process.exitCode = 130;
else process.exitCode = total.failed > 0 || (process.env["CI"] === "true" && total.skipped > 0) ? 1 : 0;

async function testPeer(name: string): Promise<Counts> {
  const { peer } = (await import(`./${name}/peer.ts`)) as { peer: Peer };
  console.log(`${name}: ${peer.installs}`);
  try {
    return await runTests(name, await peer.prepare());
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    console.log(`${name}: skipped: ${error.message}`);
    return { passed: 0, failed: 0, skipped: 1 };
  } finally {
    // What could only be prepared in part has parts that run.
    await peer.stop?.();
  }
}

async function runTests(name: string, environment: Record<string, string>): Promise<Counts> {
  const vitest = [
    join(root, "node_modules", "vitest", "vitest.mjs"),
    "run",
    "--config",
    join(here, "vitest.config.ts"),
  ];
  const reporters = ["--reporter=default", `--reporter=${join(root, "tests", "count-reporter.ts")}`];
  // vitest takes any path that holds these words: without the slash, openstack would bring openstack-cloud along.
  const child = spawn(process.execPath, [...vitest, `tests/peers/${name}/`, ...reporters], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...environment },
  });
  tests = child;
  let counts: Counts | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(line);
    const [, passed, failed, skipped] = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(line) ?? [];
    if (passed && failed && skipped)
      counts = { passed: Number(passed), failed: Number(failed), skipped: Number(skipped) };
  }
  return counts ?? { passed: 0, failed: 1, skipped: 0 };
}
