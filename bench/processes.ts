import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";

/** What a process and those that it started used. */
export interface Usage {
  /** Seconds of CPU, user and system, of the whole tree. */
  cpu: number;
  /** Seconds. */
  wall: number;
  /**
   * Largest memory of the tree, in bytes, sampled: what is each process's own, and once what they share, which is the pages
   * of Node's program and of libraries.
   */
  peak: number;
  /** Each program's own largest resident memory, as the kernel knows it (VmHWM), in bytes. */
  peaks: number[];
}

/** How often memory is looked at. The kernel walks all pages of a process for it, a few milliseconds for each. */
const SAMPLE_MS = 100;

/** The kernel's clock tick: USER_HZ is 100 on every Linux that Node runs on (time(7)). */
const TICKS_PER_SECOND = 100;

/** Measures a running process and its descendants, until `stop`. */
export function measure(pid: number): { stop(): Usage } {
  const started = performance.now();
  const before = cpuOf(pid);
  let peak = 0;
  let latest = before;
  const peaks = new Map<number, number>();
  const sample = () => {
    let own = 0;
    let shared = 0;
    for (const id of treeOf(pid)) {
      const memory = memoryOf(id);
      own += memory.own;
      // Others of the tree map much the same pages, so the most of one is what they are together.
      shared = Math.max(shared, memory.shared);
      peaks.set(id, Math.max(peaks.get(id) ?? 0, memory.highest));
    }
    peak = Math.max(peak, own + shared);
    latest = Math.max(latest, cpuOf(pid));
  };
  sample();
  const timer = setInterval(sample, SAMPLE_MS);
  return {
    stop() {
      clearInterval(timer);
      sample();
      return {
        cpu: latest - before,
        wall: (performance.now() - started) / 1000,
        peak,
        peaks: [...peaks.values()].filter((bytes) => bytes > 20e6).toSorted((a, b) => b - a),
      };
    },
  };
}

/** Runs a program to its end and measures it with all that it starts. Nothing else may end meanwhile. */
export async function runMeasured(program: string, args: string[]): Promise<Usage & { output: string }> {
  const before = waitedFor();
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const measured = measure(child.pid ?? 0);
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const [code] = await once(child, "close");
  const usage = measured.stop();
  if (code !== 0)
    throw new Error(`${program} ${args.join(" ")} ended with code ${String(code)}; its messages are above.`);
  // What was waited for is exact, where a sample misses the last moment.
  return { ...usage, cpu: waitedFor() - before, output };
}

/** Measures what this process does, and what it starts: that must end before `work` does. */
export async function measureWork<Result>(
  work: () => Promise<Result>,
): Promise<{ result: Result; cpu: number; children: number; wall: number }> {
  const [own, before, started] = [process.cpuUsage(), waitedFor(), performance.now()];
  const result = await work();
  const { user, system } = process.cpuUsage(own);
  const children = waitedFor() - before;
  return { result, cpu: (user + system) / 1e6 + children, children, wall: (performance.now() - started) / 1000 };
}

/** CPU of all programs that this one started and that have ended. */
const waitedFor = () => {
  const fields = statOf(process.pid);
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
};

/** CPU of a process and all that it waited for, and of its descendants that run. */
function cpuOf(pid: number): number {
  let ticks = 0;
  for (const id of treeOf(pid)) {
    // user, system, and the same of children that ended: fields 14 to 17 of proc_pid_stat(5).
    const fields = statOf(id);
    for (const field of [11, 12, 13, 14]) ticks += Number(fields[field] ?? 0);
  }
  return ticks / TICKS_PER_SECOND;
}

function treeOf(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const id = Number(name);
    if (!Number.isInteger(id)) continue;
    const parent = Number(statOf(id)[1] ?? 0);
    children.set(parent, [...(children.get(parent) ?? []), id]);
  }
  const found = [root];
  for (let i = 0; i < found.length; i++) found.push(...(children.get(found[i] ?? 0) ?? []));
  return found;
}

/** The fields after the name, the state first; none for a process that has ended. */
function statOf(pid: number): string[] {
  const text = readOrNothing(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** In bytes: what no other process maps, what others map too (proc_pid_smaps(5)), and the most that was resident. */
function memoryOf(pid: number): { own: number; shared: number; highest: number } {
  const text = readOrNothing(`/proc/${pid}/smaps_rollup`) + readOrNothing(`/proc/${pid}/status`);
  const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) * 1024;
  const shared = bytes("Shared_Clean") + bytes("Shared_Dirty");
  return { own: bytes("Rss") - shared, shared, highest: bytes("VmHWM") };
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    // A process may end between listing and reading.
    const gone = error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH");
    if (gone) return "";
    throw error;
  }
}
